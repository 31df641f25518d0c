import { describe, expect, it } from 'vitest';
import { openCodeSyntax } from '../../../infra/code-syntax.ts';
import { entryProblem } from '../../../src/domain/validation/entry-point.ts';
import { nameProblems } from '../../../src/domain/validation/name-problems.ts';
import { NumberedText } from '../../../src/domain/validation/numbered-text.ts';

const syntax = openCodeSyntax();

function problemsIn(code: string) {
  const tree = syntax.parse(code);
  if (tree === null) throw new Error(`the test's own code has no tree: ${code}`);
  return nameProblems(new NumberedText(code), tree);
}

const told = (code: string) =>
  problemsIn(code).map(({ severity, code: kind, line, column }) => [severity, kind, line, column]);

describe('names that code declares', () => {
  it.each([
    [
      'by let, const, var and function',
      'let a = 1; const b = 2; var c = 3; function d() {} function main() { return [a, b, c, d]; }',
    ],
    ['after they are used', 'function main() { return later() + value; function later() {} var value = 1; }'],
    [
      'by patterns',
      'function main({ a: { b }, ...rest }, [c, , d = b] = []) { const { e = c, [d]: f } = rest; return [e, f]; }',
    ],
    ['by parameters, with arguments', 'function main() { return arguments.length + ((x) => x)(1); }'],
    [
      'by catch, for and for of',
      'function main() { try { for (const x of []) x; for (let i = 0; i < 1; i++); } catch (error) { return error; } }',
    ],
    [
      'by classes',
      'class A { #p = 1; static s = A; m() { return this.#p; } static { let q = 1; q; } } function main() { return new A(); }',
    ],
    ['by a named function expression', 'const main = function again(n) { return n > 0 ? again(n - 1) : 0; };'],
    ['as a var in a block', 'function main() { if (1) { var inner = 1; } return inner; }'],
    [
      'by labels and members, which are no names',
      'function main(input) { out: for (;;) { break out; } return input.process.require({ Buffer: 1 }); }',
    ],
    ['by export', 'export const helper = 1; export default function main() { return helper; }'],
  ])('%s are known', (_, code) => {
    expect(problemsIn(code)).toEqual([]);
  });
});

describe('names that nothing declares', () => {
  it('are told with line, column, the source and what is meant', () => {
    const code = 'function main(input) {\n  const total = 1;\n  return input.n * totl;\n}';
    expect(problemsIn(code)).toEqual([
      {
        severity: 'error',
        code: 'unknown_name',
        message: 'totl is declared nowhere, and no task has it; did you mean total?',
        in: 'code',
        line: 3,
        column: 20,
        source: '3 |   return input.n * totl;\n  |                    ^',
        pointer: null,
        suggestions: ['total', 'Intl'],
      },
    ]);
  });

  it.each([
    ['process.env.KEY', 'process'],
    ["Buffer.from('x')", 'Buffer'],
    ["require('fs')", 'require'],
    ["eval('1')", 'eval'],
    ["new Function('return 1')", 'Function'],
    ['window.location', 'window'],
    ["fs.readFileSync('x')", 'fs'],
  ])('but stand in other runtimes are told with what to use instead: %s', (use, name) => {
    const [problem] = problemsIn(`function main() { return ${use}; }`);
    expect(problem).toMatchObject({ severity: 'error', code: 'forbidden_global', line: 1 });
    expect(problem?.message).toMatch(new RegExp(`^${name} (?:is not available|can not be called) in a task: .{20,}`));
  });

  it('may be asked for by typeof, and a function may be compared with Function', () => {
    expect(problemsIn("function main(f) { return typeof process === 'undefined' || f instanceof Function; }")).toEqual(
      [],
    );
  });

  it('are only warned of where a catch stands around them', () => {
    expect(told("function main() { try { return require('x'); } catch { return 1; } }")).toEqual([
      ['warning', 'forbidden_global', 1, 32],
    ]);
  });

  it('are warned of where they are assigned, which makes them', () => {
    expect(told('function main() {\n total = 1;\n return total; }')).toEqual([
      ['warning', 'undeclared_variable', 2, 2],
    ]);
  });

  it('are told once a name, with their other lines', () => {
    const [problem, ...more] = problemsIn('function main() {\n nope;\n nope;\n nope; }');
    expect(more).toEqual([]);
    expect(problem?.message).toContain('(also on line 3, 4)');
  });

  it('are cut where they are very long, and nothing is guessed for them', () => {
    const [problem] = problemsIn(`let ${'a'.repeat(200_000)}; function main() { return ${'a'.repeat(200_001)}; }`);
    expect(problem?.suggestions).toEqual([]);
    expect(problem?.message.length).toBeLessThan(200);
  });

  it('are not guessed about inside with', () => {
    expect(problemsIn('function main(o) { with (o) { return anything; } }')).toEqual([]);
  });

  it('are found quickly in code of megabytes, and in code nested deeply', () => {
    const many = `function main() { return [${'unknown_one, '.repeat(150_000)}]; }`;
    expect(problemsIn(many)).toHaveLength(1);
    const deep = `function main(a) { return ${'a.b'.repeat(1)}${'.c'.repeat(50_000)} + nope; }`;
    expect(problemsIn(deep)).toHaveLength(1);
  });
});

describe('an entry point', () => {
  const entryIn = (code: string) => {
    const tree = syntax.parse(code);
    return tree === null ? undefined : entryProblem(new NumberedText(code), tree);
  };

  it.each([
    'function main() {}',
    'const main = () => 1;',
    '(function (input) {})',
    'module.exports = { main: 1 };',
    'export default () => 1;',
    'if (1) { var main = 1; }',
  ])('may be in %s', (code) => {
    expect(entryIn(code)).toBeNull();
  });

  it('is surely not in a file that only declares other things', () => {
    expect(entryIn('"use strict";\n// main\nfunction run() {}')).toMatchObject({ code: 'no_entry_point', line: null });
  });

  it('is guessed where it was misspelt', () => {
    expect(entryIn('const x = 1;\nfunction mian() {}')).toMatchObject({ line: 2, column: 10, suggestions: ['main'] });
  });
});

import { describe, expect, it } from 'vitest';
import { openCodeSyntax } from '../../../infra/code-syntax.ts';
import { complaintOf } from '../../../src/domain/diagnosis/missing-value.ts';
import { nearNames } from '../../../src/domain/diagnosis/near-names.ts';
import { look } from '../../../src/domain/diagnosis/recorded-value.ts';
import { framesOf } from '../../../src/domain/diagnosis/stack-frames.ts';
import { around, type CodeNode, offsetOf, placeOf } from '../../../src/domain/diagnosis/syntax.ts';
import { originOf } from '../../../src/domain/diagnosis/value-origin.ts';

const syntax = openCodeSyntax();

/** Where the expression between « and » comes from, in few words. */
function origin(marked: string, stack = ''): string {
  const start = marked.indexOf('«');
  const text = marked.replaceAll(/[«»]/g, '');
  const tree = syntax.parse(text);
  const node =
    tree === null
      ? undefined
      : around(tree, start, marked.indexOf('»') - 1).find((one: CodeNode) => one.start === start);
  const found = node === undefined ? null : originOf({ text, tree }, framesOf(stack), node);
  if (found === null) return 'unknown';
  if (found.from === 'search') return `search ${found.method}`;
  const path = found.path.map((part) => (typeof part === 'string' ? part : '*')).join('/');
  return `${found.from === 'input' ? 'input' : `${found.kind} ${text.slice(found.call.start, found.call.end)}`} /${path}`;
}

describe('where a value came from', () => {
  it.each([
    ['function main(input) { «input.a.b».c; }', 'input /a/b'],
    ['function main({ a: { b = 1 } }) { «b».c; }', 'input /a/b'],
    ['export default async ({ list: [, second] }) => «second».c;', 'input /list/1'],
    ['const main = (input) => { const copy = input.x; let y; y = copy.y; return «y».z; };', 'input /x/y'],
    ['module.exports = { main(data) { return «data["a b"]».c; } };', 'input /a b'],
    ['(function (data) { for (const { id } of data.rows) «id».x; })', 'input /rows/*/id'],
    ['function main() { return «input.a».b; }', 'input /a'],
    [
      'async function main() { const r = await fetch("/x"); const { rows } = await r.json(); «rows».length; }',
      'http fetch("/x") /body/rows',
    ],
    ['function main() { const { body } = fetch("/x"); «body.rows».length; }', 'http fetch("/x") /body/rows'],
    ['function main() { const data = JSON.parse(readFile("/f")); «data.x».y; }', 'file readFile("/f") /x'],
    [
      'async function main() { (await runTask("t", 1)).list.map((one) => «one.x».y); }',
      'task runTask("t", 1) /list/*/x',
    ],
    [
      'async function main() { fetch("/x").then((r) => r.json()).then((body) => «body.x».y); }',
      'http fetch("/x") /body/x',
    ],
    [
      'const load = () => fetch("/x").body; function main() { const loaded = load(); «loaded.x».y; }',
      'http fetch("/x") /body/x',
    ],
    [
      'function pick(answer) { return «answer.x».y; } function main(input) { return pick(input.part); }',
      'input /part/x',
    ],
    ['function main({ all }) { const one = all.find((x) => x.id); «one».name; }', 'search find'],
    ['function main({ all }) { all.filter(Boolean).map((one) => «one.x».y); }', 'input /all/*/x'],
  ])('%s', (code, expected) => expect(origin(code)).toBe(expected));

  it('is the argument of the call that the stack shows', () => {
    const code =
      'function pick(v) {\n  return «v.x».y;\n}\nfunction main(input) {\n  pick(input.a);\n  pick(input.b);\n}';
    expect(origin(code)).toBe('unknown');
    expect(origin(code, 'E: e\n    at pick (t/main.js:2:14)\n    at main (t/main.js:6:3)')).toBe('input /b/x');
  });

  it.each([
    'function main(input) { let x = input.a; x = input.b; «x».c; }',
    'function main(input) { let x = input.a; x++; «x».c; }',
    'function main(input, context) { «context.a».b; }',
    'function main(input) { const x = input.a ?? input.b; «x».c; }',
    'function fetch() { return null; } function main() { const x = fetch("/x"); «x».y; }',
    'function one(a) { return two(a); } function two(a) { return one(a); } function main() { const x = one(1); «x».y; }',
  ])('is not told where the code does not: %s', (code) => expect(origin(code)).toBe('unknown'));
});

describe('what stands in a record', () => {
  const value = { rows: [{ id: 1 }, { id: null }], text: '{"a": [null]}', __proto__x: 1 };
  it('is a value, null, or absent with its neighbours', () => {
    expect(look(value, ['rows', '0', 'id'])).toMatchObject({ what: 'value', pointer: '/rows/0/id', value: 1 });
    expect(look(value, ['rows', { any: true }, 'id'])).toMatchObject({ what: 'null', pointer: '/rows/1/id' });
    expect(look(value, ['text', 'a', '0'])).toMatchObject({ what: 'null', pointer: '/text/a/0' });
    expect(look({ a: 1, b: 2 }, ['c/d'])).toMatchObject({ what: 'absent', pointer: '/c~1d', beside: ['a', 'b'] });
  });
  it('is nothing for what lists and objects have besides their data', () => {
    expect(look(value, ['rows', 'length'])).toBeNull();
    expect(look(value, ['toString'])).toBeNull();
    expect(look(value, ['nothing', 'further'])).toBeNull();
    expect(look(5, ['x'])).toBeNull();
  });
});

describe('the words of the engine', () => {
  it.each([
    [
      "Cannot read properties of null (reading 'a')",
      { about: 'missing', value: 'null', property: 'a', expression: null },
    ],
    ['Cannot set properties of undefined', { about: 'missing', value: 'undefined', property: null, expression: null }],
    [
      "Cannot destructure property 'a' of '(intermediate value)' as it is null.",
      { about: 'missing', value: 'null', property: 'a', expression: null },
    ],
    [
      'undefined is not iterable (cannot read property Symbol(Symbol.iterator))',
      { about: 'missing', value: 'undefined', property: null, expression: null },
    ],
    ['a.b is not iterable', { about: 'not_iterable', value: null, property: null, expression: 'a.b' }],
    ['A is not a constructor', { about: 'not_a_function', value: null, property: null, expression: 'A' }],
    ['Invalid URL', null],
  ])('%s', (message, expected) => expect(complaintOf(message)).toEqual(expected));
});

describe('places and names', () => {
  it('offsets and places are each other, with every kind of line end', () => {
    const text = 'a\nbc\r\nd\re\u2028f';
    for (const [line, column] of [
      [1, 1],
      [2, 2],
      [3, 1],
      [4, 1],
      [5, 1],
    ] as const) {
      expect(placeOf(text, offsetOf(text, line, column) ?? -1)).toEqual({ line, column });
    }
    expect(offsetOf(text, 9, 1)).toBeNull();
  });
  it('near names differ by few letters', () => {
    expect(nearNames('totl', ['total', 'title', 'fetch', 'totl'])).toEqual(['total', 'title']);
    expect(nearNames('fecth', ['fetch'])).toEqual(['fetch']);
    expect(nearNames('x', ['yz', 'abc'])).toEqual([]);
  });
});

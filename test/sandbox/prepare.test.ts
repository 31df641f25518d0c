/** What is refused before it runs, and where the fault stands. */
import { describe, expect, test } from 'vitest';
import { prepareCode } from '../../infra/sandbox/prepare.ts';
import { RatchetError } from '../../src/domain/errors.ts';

function refusal(code: string): RatchetError {
  try {
    prepareCode(code, 'demo/main.js');
  } catch (error) {
    if (error instanceof RatchetError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

describe('refused', () => {
  test.each([
    ['import declaration', 'const a = 1;\n  import fs from "fs";\nexport default () => a;', 2, 3],
    ['import()', 'async function main() {\n  return (await import("fs")).default;\n}', 2, 17],
    ['import() in a module', 'export const main = () => import("fs")', 1, 27],
    ['import.meta', 'export default () => import.meta.url;', 1, 22],
    ['top-level await', 'const x = await fetch("https://a.example/");\nexport default () => x;', 1, 11],
    ['top-level for await', 'for await (const x of []) {}\nexport default () => 1;', 1, 1],
    ['export from', 'export { main } from "./other.js";', 1, 1],
    ['export *', 'export * from "./other.js";', 1, 1],
  ])('%s', (_name, code, line, column) => {
    expect(refusal(code)).toMatchObject({ code: 'invalid_task', details: { line, column } });
  });

  test('a file without any way in', () => {
    expect(refusal('const helper = () => 1;')).toMatchObject({ code: 'invalid_task' });
  });

  test('a syntax error, with its line', () => {
    expect(refusal('function main() {\n  return 1 +;\n}')).toMatchObject({
      code: 'syntax_error',
      details: { line: 2, column: 13, lineText: '  return 1 +;' },
    });
  });
});

test('code without module syntax is left alone', () => {
  const code = 'function main() { return "export default" }';
  expect(prepareCode(code, 'a.js')).toMatchObject({ script: code, columnOffset: 0, file: 'a.js' });
});

test('a rewritten module keeps the place of every character', () => {
  const code = '#!/usr/bin/env node\nexport const a = 1;\nexport default function go() {}\nexport { a as b };\nlet z;';
  const prepared = prepareCode(code, 'a.js');
  const lines = prepared.script.slice(-prepared.columnOffset).split('\n');
  expect(lines.slice(0, 5)).toEqual([
    '///usr/bin/env node',
    '       const a = 1;',
    '               function go() {}',
    ' '.repeat(18),
    'let z;',
  ]);
});

test('the hash is of the code as written', () => {
  expect(prepareCode('export default () => 1', 'a.js').hash).toMatch(/^[0-9a-f]{64}$/);
  expect(prepareCode('() => 1', 'a.js').hash).toBe(prepareCode('() => 1', 'b.js').hash);
});

test('a comment that renames the file is taken out of force, in its place; a text that looks like one is not', () => {
  const code = 'function main() {\n  return "//# sourceURL=kept.js"; //# sourceURL=other.js\n}\n//# sourceURL=other.js';
  expect(prepareCode(code, 'a.js').script).toBe(
    'function main() {\n  return "//# sourceURL=kept.js"; //  sourceURL=other.js\n}\n//  sourceURL=other.js',
  );
  const module = 'export default () => 1; //@ sourceURL=other.js';
  expect(prepareCode(module, 'a.js').script).toContain('//  sourceURL=other.js');
});

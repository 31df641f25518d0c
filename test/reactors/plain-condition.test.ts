/** Only a condition that can be no call and no assignment is left to the engine. */
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { engineCondition, isPlainCondition } from '../../src/reactors/plain-condition.ts';

test.each([
  'i === 19999',
  String.raw`a > 3 && x !== 'it\'s'`,
  '!(a || b)',
  'typeof x === "string"',
  'a ? b : -1',
  'total % 2 == 0',
])('%s is plain', (condition) => {
  expect(isPlainCondition(condition)).toBe(true);
});

/** Tries it as the engine would, with these values of its names. */
function tried(condition: string, names: Record<string, unknown>): unknown {
  return runInNewContext(engineCondition(condition), names);
}

test('what the engine tries calls no method of an object: it stops there instead', () => {
  const speaking = {
    valueOf() {
      throw new Error('it was called');
    },
    [Symbol.toPrimitive]() {
      called += 1;
      return 1;
    },
  };
  let called = 0;
  for (const condition of ['a > 5', '-a > 5', 'b && a == 5', '(b || a) + 1 < 0', 'b ? a % 2 : 0', '(a) * (b) === 9']) {
    expect(tried(condition, { a: speaking, b: 1 })).toBe(true);
  }
  expect(called).toBe(0);
  expect(tried('a === null || i > 4', { a: speaking, i: 3 })).toBe(false);
  expect(tried('typeof a == "number" && i > 4', { a: speaking, i: 5 })).toBe(false);
  expect(tried('!a || i > 4', { a: speaking, i: 4 })).toBe(false);
  expect(tried('a > 4 && i % 2 === 1', { a: 5, i: 3 })).toBe(true);
  expect(tried('a > 4', { a: null })).toBe(false);
});

test.each([
  'a.b',
  'a?.b',
  'b[0]',
  'x.in',
  '',
  'f()',
  'f ()',
  'a = 1',
  'a++',
  'a -- b',
  'a => b',
  '`x`',
  'new X',
  'a[0]()',
  '(a)(b)',
  'a?.()',
  'delete a.b',
  'await x',
  'a in b',
  '/x/.y',
  'a; b',
  'a += 1',
  "x'",
  'a, b',
  '{}',
  'typeof(x)(y)',
  '"a"("b")',
  'a // b',
])('%s is not', (condition) => {
  expect(isPlainCondition(condition)).toBe(false);
});

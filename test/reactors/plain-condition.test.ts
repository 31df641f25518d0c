/** Only a condition that can be no call and no assignment is left to the engine. */
import { expect, test } from 'vitest';
import { isPlainCondition } from '../../src/reactors/plain-condition.ts';

test.each([
  'i === 19999',
  String.raw`a.b?.c > 3 && x !== 'it\'s'`,
  '!(a || b[0])',
  'typeof x === "string"',
  'a ? b : -1',
  'order.total % 2 == 0',
  'x.in',
])('%s is plain', (condition) => {
  expect(isPlainCondition(condition)).toBe(true);
});

test.each([
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

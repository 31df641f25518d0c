import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/domain/event.ts';
import { canonicalJson } from '../../src/domain/journal.ts';
import { jsonDifferences, MAX_DIFFERENCES } from '../../src/domain/json-difference.ts';

const json = fc.jsonValue().map((value): Json => JSON.parse(JSON.stringify(value)));

describe('differences of two JSON values', () => {
  it('are none exactly where the values are equal', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(jsonDifferences(a, a)).toEqual([]);
        expect(jsonDifferences(a, b).length === 0).toBe(canonicalJson(a) === canonicalJson(b));
      }),
    );
  });

  it('name each place by its JSON pointer, and what is there on one side only', () => {
    const expected = { a: [1, { 'x/y~z': true }], gone: null, same: [[]] };
    const actual = { a: [1, { 'x/y~z': 'true' }, 3], new: 1, same: [[]] };
    expect(jsonDifferences(expected, actual)).toEqual([
      { path: '/a/1/x~1y~0z', expected: true, actual: 'true' },
      { path: '/a/2', expected: undefined, actual: 3 },
      { path: '/gone', expected: null, actual: undefined },
      { path: '/new', expected: undefined, actual: 1 },
    ]);
    expect(jsonDifferences(1, [1])).toEqual([{ path: '', expected: 1, actual: [1] }]);
  });

  it('do not take an own key for one that every object has', () => {
    expect(jsonDifferences({}, JSON.parse('{"constructor":1}'))).toMatchObject([{ path: '/constructor', actual: 1 }]);
  });

  it('are bounded, also for values that are very deep', () => {
    const list = (of: number): Json => Array.from({ length: 1_000 }, (_, index) => index * of);
    expect(jsonDifferences(list(1), list(2))).toHaveLength(MAX_DIFFERENCES);
    const deep = (end: Json): Json => Array.from({ length: 5_000 }).reduce<Json>((inner) => [inner], end);
    expect(jsonDifferences(deep(1), deep(2))).toHaveLength(1);
  });
});

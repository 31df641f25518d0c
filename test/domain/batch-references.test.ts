import { describe, expect, it } from 'vitest';
import { isWritten, referencesIn, resolved } from '../../src/domain/batch-references.ts';
import type { Json } from '../../src/domain/event.ts';
import { pointerParts, valueAt } from '../../src/domain/json-pointer.ts';

const OUTPUTS = new Map<string, Json>([
  ['a', { rows: [{ id: 7 }], 'x/y~z': null, '': 'empty' }],
  ['b', 5],
]);

describe('an input with references', () => {
  it.each<[Json, Json]>([
    [{ $from: 'b' }, 5],
    [{ n: [{ $from: 'a', path: '/rows/0/id' }] }, { n: [7] }],
    [{ $from: 'a', path: '/x~1y~0z' }, null],
    [{ $from: 'a', path: '/' }, 'empty'],
    [{ $literal: { $from: 'b' } }, { $from: 'b' }],
    [{ deep: { $literal: { $literal: 1 } } }, { deep: { $literal: 1 } }],
    [{ plain: ['$from', 1, null] }, { plain: ['$from', 1, null] }],
  ])('%j becomes %j', (input, output) => {
    expect(resolved(input, OUTPUTS)).toEqual(output);
  });

  it.each([
    [{ rows: { $from: 'a', path: '/rows/1' } }, 'input/rows: the output of item a has nothing at "/rows/1"'],
    [{ $from: 'a', path: '/rows/00' }, 'input: the output of item a has nothing at "/rows/00"'],
    [{ $from: 'a', path: '/rows/length' }, 'input: the output of item a has nothing at "/rows/length"'],
    [{ $from: 'a', path: '/constructor' }, 'input: the output of item a has nothing at "/constructor"'],
    [{ $from: 'b', path: '/x' }, 'input: the output of item b has nothing at "/x"'],
  ])('%j says what is missing where', (input, message) => {
    expect(() => resolved(input, OUTPUTS)).toThrow(expect.objectContaining({ code: 'unresolved_reference', message }));
  });

  it('is refused before it has grown too large, however small it is written', () => {
    const output = 'x'.repeat(1_000_000);
    const outputs = new Map([['a', output]]);
    const times = (count: number): Json => Array.from({ length: count }, () => ({ $from: 'a' }));
    expect(resolved(times(10), outputs)).toEqual(Array.from({ length: 10 }, () => output));
    const refusal = { code: 'payload_too_large', message: expect.stringContaining('input/10: the output of item a') };
    expect(() => resolved(times(600), outputs)).toThrow(expect.objectContaining(refusal));
  });

  it('is refused where an output is nested deeper than a request may be', () => {
    const nested = (depth: number): Json => Array.from({ length: depth }).reduce<Json>((inner) => [inner], 1);
    expect(resolved({ $from: 'a' }, new Map([['a', nested(128)]]))).toEqual(nested(128));
    for (const depth of [129, 3_000]) {
      expect(() => resolved({ $from: 'a' }, new Map([['a', nested(depth)]]))).toThrow(
        expect.objectContaining({ code: 'payload_too_large', message: expect.stringContaining('more than 128 deep') }),
      );
    }
  });

  it.each<[Json]>([
    [{ $from: 'a', paths: '/x' }],
    [{ $from: 1 }],
    [{ $from: 'a', path: 'x' }],
    [{ $from: 'a', path: '/~2' }],
    [{ $from: 'a', path: null }],
    [{ $literal: 1, other: 2 }],
  ])('%j is refused, because it only looks like one', (input) => {
    expect(() => referencesIn(input)).toThrow(expect.objectContaining({ code: 'invalid_batch' }));
  });

  it('names what it refers to and where, literals not counted', () => {
    const input = { 'a/b': [{ $from: 'x' }], c: { $literal: { $from: 'y' } } };
    expect(referencesIn(input)).toEqual([{ from: 'x', path: '', at: '/a~1b/0' }]);
    expect([isWritten(input), isWritten({ a: 1 })]).toEqual([true, false]);
  });
});

/** The examples of RFC 6901, section 5. */
it.each<[string, Json]>([
  ['/foo', ['bar', 'baz']],
  ['/foo/0', 'bar'],
  ['/', 0],
  ['/a~1b', 1],
  ['/c%d', 2],
  ['/e^f', 3],
  ['/g|h', 4],
  ['/i\\j', 5],
  ['/k"l', 6],
  ['/ ', 7],
  ['/m~0n', 8],
])('the JSON Pointer %s points to %j', (pointer, value) => {
  const document = {
    foo: ['bar', 'baz'],
    '': 0,
    'a/b': 1,
    'c%d': 2,
    'e^f': 3,
    'g|h': 4,
    'i\\j': 5,
    'k"l': 6,
    ' ': 7,
    'm~n': 8,
  };
  expect(valueAt(document, pointerParts(pointer) ?? ['no pointer'])).toEqual(value);
});

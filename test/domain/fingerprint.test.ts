import { describe, expect, it } from 'vitest';
import type { Failure } from '../../src/domain/execution.ts';
import { fingerprintOf } from '../../src/domain/fingerprint.ts';
import type { TaskErrorData } from '../../src/domain/journal.ts';

function failure(
  name: string,
  message: string,
  more: Partial<TaskErrorData> & { at?: readonly string[] } = {},
): Failure {
  const { at = ['main (a/main.js:3:5)'], ...rest } = more;
  const stack = [`${name}: ${message}`, ...at.map((frame) => `    at ${frame}`)].join('\n');
  return { code: 'task_failed', error: { name, message, stack, data: {}, cause: null, ...rest } };
}

const same = (a: Failure, b: Failure) => expect(fingerprintOf(a)).toBe(fingerprintOf(b));
const other = (a: Failure, b: Failure) => expect(fingerprintOf(a)).not.toBe(fingerprintOf(b));

describe('a fingerprint stays the same', () => {
  it.each<[string, Failure, Failure]>([
    [
      'when lines move',
      failure('TypeError', 'x is not iterable', { at: ['pick (a/main.js:3:5)'] }),
      failure('TypeError', 'x is not iterable', { at: ['pick (a/main.js:40:9)'] }),
    ],
    [
      'when a variable is renamed',
      failure('TypeError', 'order.items.mapp is not a function'),
      failure('TypeError', 'cart.items.mapp is not a function'),
    ],
    [
      'when a variable that is no list is renamed',
      failure('TypeError', 'rows is not iterable'),
      failure('TypeError', 'lines is not iterable'),
    ],
    [
      'when what is taken apart is renamed',
      failure('TypeError', "Cannot destructure property 'a' of 'user' as it is undefined."),
      failure('TypeError', "Cannot destructure property 'a' of 'person' as it is undefined."),
    ],
    [
      'when numbers change',
      failure('DataError', 'row 17 of 20 has 3.5 columns'),
      failure('DataError', 'row 2 of 9 has 12 columns'),
    ],
    [
      'when ids change',
      failure('DataError', 'no order 3f2504e0-4f89-11d3-9a0c-0305e82c3301 and 5e884898da28047151d0e56f8dc62927'),
      failure('DataError', 'no order 00000000-4f89-11d3-9a0c-0305e82c3301 and 00004898da28047151d0e56f8dc62927'),
    ],
    [
      'when mixed ids change',
      failure('DataError', 'order ORD-7F3A is gone'),
      failure('DataError', 'order ORD-99X1 is gone'),
    ],
    [
      'when quoted texts change',
      failure('ValidationError', 'the name "Ada" is taken'),
      failure('ValidationError', 'the name "Grace" is taken'),
    ],
    [
      'when the query and ids of a URL change',
      failure('HttpError', 'HTTP 404 Not Found from GET https://api.example/users/17?page=1', {
        data: { status: 404 },
      }),
      failure('HttpError', 'HTTP 404 Not Found from GET https://api.example/users/203?page=7', {
        data: { status: 404 },
      }),
    ],
    [
      'when the port of an address changes',
      failure('NetworkError', 'cannot call 127.0.0.1:4001: refused'),
      failure('NetworkError', 'cannot call 127.0.0.1:59999: refused'),
    ],
    [
      'when a text that is no JSON is another',
      failure('SyntaxError', `Unexpected token 'o', "{"a": oops}" is not valid JSON`),
      failure('SyntaxError', 'Unexpected end of JSON input'),
    ],
    [
      'when a recursion goes deeper',
      failure('RangeError', 'Maximum call stack size exceeded', {
        at: ['even (a/main.js:1:1)', 'odd (a/main.js:2:1)', 'even (a/main.js:1:1)'],
      }),
      failure('RangeError', 'Maximum call stack size exceeded', {
        at: ['odd (a/main.js:2:9)', 'even (a/main.js:1:1)'],
      }),
    ],
    [
      'when a walk into a tree goes deeper',
      failure('DataError', 'bad leaf', { at: ['walk (a/main.js:1:1)', 'main (a/main.js:9:1)'] }),
      failure('DataError', 'bad leaf', {
        at: ['walk (a/main.js:1:1)', 'walk (a/main.js:1:4)', 'main (a/main.js:9:1)'],
      }),
    ],
    [
      'for a host that is down, whichever task calls it',
      failure('NetworkError', 'cannot call api.example: refused', { at: ['main (a/main.js:1:1)'] }),
      failure('NetworkError', 'cannot call api.example: refused', { at: ['main (b/main.js:7:1)'] }),
    ],
  ])('%s', (_, a, b) => same(a, b));
});

describe('a fingerprint differs', () => {
  it.each<[string, Failure, Failure]>([
    [
      'for another property',
      failure('TypeError', "Cannot read properties of undefined (reading 'name')"),
      failure('TypeError', "Cannot read properties of undefined (reading 'items')"),
    ],
    [
      'for another method',
      failure('TypeError', 'a.mapp is not a function'),
      failure('TypeError', 'a.trim is not a function'),
    ],
    [
      'for another unknown name',
      failure('ReferenceError', 'totl is not defined'),
      failure('ReferenceError', 'document is not defined'),
    ],
    ['for another class of error', failure('DataError', 'bad'), failure('ValidationError', 'bad')],
    ['for another message', failure('DataError', 'no rows'), failure('DataError', 'no columns')],
    [
      'for another status',
      failure('HttpError', 'HTTP 404 Not Found from GET https://a.example/x', { data: { status: 404 } }),
      failure('HttpError', 'HTTP 400 Bad Request from GET https://a.example/x', { data: { status: 400 } }),
    ],
    ['for another status in a plain message', failure('Error', 'HTTP 404'), failure('Error', 'HTTP 500')],
    [
      'for another host',
      failure('NetworkError', 'cannot call a.example: refused'),
      failure('NetworkError', 'cannot call b.example: refused'),
    ],
    [
      'for another path',
      failure('ServiceUnavailableError', 'HTTP 503 from GET https://a.example/users'),
      failure('ServiceUnavailableError', 'HTTP 503 from GET https://a.example/orders'),
    ],
    [
      'for another function',
      failure('DataError', 'bad', { at: ['load (a/main.js:1:1)'] }),
      failure('DataError', 'bad', { at: ['save (a/main.js:1:1)'] }),
    ],
    [
      'for the code of another task',
      failure('DataError', 'bad', { at: ['main (a/main.js:1:1)'] }),
      failure('DataError', 'bad', { at: ['main (b/main.js:1:1)'] }),
    ],
    [
      'for another code of ours',
      { ...failure('TimeoutError', 'late'), code: 'execution_timeout' },
      failure('TimeoutError', 'late'),
    ],
  ])('%s', (_, a, b) => other(a, b));
});

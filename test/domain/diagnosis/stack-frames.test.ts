import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { complaintOf } from '../../../src/domain/diagnosis/missing-value.ts';
import { framesOf } from '../../../src/domain/diagnosis/stack-frames.ts';
import { fingerprintOf } from '../../../src/domain/fingerprint.ts';

describe('frames', () => {
  it.each([
    ['    at main (a/main.js:3:15)', { function: 'main', file: 'a/main.js', line: 3, column: 15 }],
    ['    at async main (a/main.js:3:15)', { function: 'main', file: 'a/main.js', line: 3, column: 15 }],
    ['    at a/main.js:4:31', { function: null, file: 'a/main.js', line: 4, column: 31 }],
    ['    at new A (a/main.js:1:1)', { function: 'new A', file: 'a/main.js', line: 1, column: 1 }],
    ['    at A.go [as run] (a/main.js:1:38)', { function: 'A.go [as run]', file: 'a/main.js', line: 1, column: 38 }],
  ])('%s', (text, frame) => expect(framesOf(`Error: x\n${text}`)).toEqual([frame]));

  it('are none in what is no stack', () => {
    expect(framesOf(null)).toEqual([]);
    expect(framesOf('Error: at home:3:4\n  at main (a:1:1)\n    at :1:2\n    at main (a)')).toEqual([]);
  });

  it('whatever a task writes into its errors, it is read, and told apart from nothing else', () => {
    const hostile = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.constantFrom(
        '    at ' + ' ('.repeat(8_000) + ':1:1',
        `    at ${':1'.repeat(8_000)}`,
        "' of '".repeat(2_700),
        '"a'.repeat(5_000),
      ),
    );
    fc.assert(
      fc.property(hostile, hostile, fc.constantFrom('TypeError', 'SyntaxError', 'Error'), (stack, message, name) => {
        expect(framesOf(stack).every(({ line, column }) => line >= 0 && column >= 0)).toBe(true);
        complaintOf(`Cannot destructure property '${message}`);
        const error = { name, message, stack, data: {}, cause: null };
        expect(fingerprintOf({ code: 'task_failed', error })).toMatch(/^[0-9a-f]{16}$/);
      }),
    );
  });
});

import { describe, expect, it } from 'vitest';
import { patchedCode } from '../../src/domain/code-patch.ts';
import { RatchetError } from '../../src/domain/errors.ts';
import { lineDifference } from '../../src/domain/line-difference.ts';

const CODE = 'function main({ n }) {\n  const a = n * 2;\n  return a;\n}\n';

function refusal(find: string): RatchetError {
  try {
    patchedCode(CODE, [{ find, replace: '' }]);
  } catch (error) {
    if (error instanceof RatchetError) return error;
  }
  throw new Error('it was not refused');
}

describe('a patch of code', () => {
  it('replaces what occurs once, each edit on the result of those before', () => {
    const edits = [
      { find: 'n * 2', replace: 'n * three' },
      { find: 'three', replace: '3' },
    ];
    expect(patchedCode(CODE, edits)).toBe(CODE.replace('n * 2', 'n * 3'));
  });

  it('takes the replacement as it is', () => {
    expect(patchedCode('a', [{ find: 'a', replace: '$& $1' }])).toBe('$& $1');
  });

  it('is refused where the text occurs more than once, telling how often and on which lines', () => {
    const { code, message, details } = refusal('a');
    expect(code).toBe('invalid_request');
    expect(message).toMatch(/^patch\.0\.find: occurs 3 times, on lines 1, 2, 3: take in more/);
    expect(details).toMatchObject({ occurrences: 3, lines: [1, 2, 3], problems: [{ field: 'patch.0.find' }] });
  });

  it('is refused where the text does not occur, telling the lines that are like it', () => {
    expect(refusal('return b;').details).toMatchObject({ occurrences: 0, lines: [] });
    expect(refusal('return a;\n\n}').details).toMatchObject({ occurrences: 0, lines: [3] });
  });
});

describe('the difference of two texts', () => {
  it('is the lines between what is equal at the start and at the end', () => {
    expect(lineDifference('a\nb\nc\nd', 'a\nx\nd')).toEqual({
      line: 2,
      removed: 2,
      added: 1,
      shown: ['- b', '- c', '+ x'],
    });
  });

  it('is none for equal texts, and is cut for large ones', () => {
    expect(lineDifference('a', 'a')).toBeNull();
    const { shown = [] } = lineDifference('', 'x\n'.repeat(100)) ?? {};
    expect(shown.length).toBeLessThan(15);
    expect(shown.at(-1)).toBe('+ … 90 more');
  });
});

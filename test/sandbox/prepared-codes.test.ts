import { describe, expect, it } from 'vitest';
import { PreparedCodes } from '../../infra/sandbox/prepared-codes.ts';

const CODE = 'function main() { return 1; }';

describe('prepared code', () => {
  it('is prepared once for all executions of a version', () => {
    const codes = new PreparedCodes();
    const first = codes.prepare(CODE, 'a/main.js');
    expect(codes.prepare(CODE, 'a/main.js')).toBe(first);
    expect(first).toMatchObject({ file: 'a/main.js', script: CODE });
  });

  it('names the file of its own task when two tasks share their code', () => {
    const codes = new PreparedCodes();
    expect(codes.prepare(CODE, 'a/main.js').file).toBe('a/main.js');
    expect(codes.prepare(CODE, 'b/main.js').file).toBe('b/main.js');
    expect(codes.prepare(CODE, 'a/main.js').file).toBe('a/main.js');
  });

  it('is kept also when it is long, until all that is kept is too long together', () => {
    const codes = new PreparedCodes();
    const long = (name: string): string => `${CODE} // ${name}${'-'.repeat(3 * 1024 * 1024)}`;
    const first = codes.prepare(long('a'), 'a/main.js');
    codes.prepare(long('b'), 'a/main.js');
    expect(codes.prepare(long('a'), 'a/main.js')).toBe(first);
    codes.prepare(long('c'), 'a/main.js');
    expect(codes.prepare(long('a'), 'a/main.js')).toBe(first);
    codes.prepare(long('b'), 'a/main.js');
    codes.prepare(long('c'), 'a/main.js');
    expect(codes.prepare(long('a'), 'a/main.js')).not.toBe(first);
  });

  it('is refused again and again when it is wrong', () => {
    const codes = new PreparedCodes();
    for (let times = 0; times < 2; times += 1) {
      expect(() => codes.prepare('function main( {', 'a/main.js')).toThrow(
        expect.objectContaining({ code: 'syntax_error' }),
      );
    }
  });

  it('is forgotten when too many others came since', () => {
    const codes = new PreparedCodes();
    const first = codes.prepare(CODE, 'a/main.js');
    for (let index = 0; index < 100; index += 1) codes.prepare(`${CODE} // ${index}`, 'a/main.js');
    const again = codes.prepare(CODE, 'a/main.js');
    expect(again).not.toBe(first);
    expect(again).toEqual(first);
  });
});

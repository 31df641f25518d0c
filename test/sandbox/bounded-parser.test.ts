/** Code that would keep a parser busy for long is either read at once, or refused for what makes it so. */
import { describe, expect, it } from 'vitest';
import { boundedParse } from '../../infra/sandbox/bounded-parser.ts';
import { prepareCode } from '../../infra/sandbox/prepare.ts';
import { isRatchetError } from '../../src/domain/errors.ts';

const each = (count: number, text: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => text(index)).join('');
const within = (depth: number, code: string): string =>
  `function main() { ${'{'.repeat(depth)}${code}${'}'.repeat(depth)} }`;

function refusal(code: string): string {
  try {
    prepareCode(code, 'demo/main.js');
  } catch (error) {
    if (isRatchetError(error, 'syntax_error')) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('code with very many', () => {
  // A parser that compares each name with all others takes minutes for this.
  it.each(['let', 'var', 'function'])('names that %s declares in one scope is read', (word) => {
    const one = (index: number): string => (word === 'function' ? `function v${index}(){}` : `${word} v${index}=1;`);
    expect(refusal(within(0, each(150_000, one)))).toBe('accepted');
  });

  it('elements and statements is read', () => {
    expect(refusal(`function main() { return [${'1,'.repeat(200_000)}]; }\n${'1;'.repeat(200_000)}`)).toBe('accepted');
  });

  it('comments that name a file is read, and none of them counts', () => {
    const marks = '//# sourceURL=other.js\n'.repeat(50_000);
    expect(prepareCode(`${marks}function main() {}`, 'demo/main.js').script).not.toContain('# sourceURL');
  });

  it.each([
    ['scopes within each other', within(300, ''), 'more than 256 functions and blocks stand within each other'],
    [
      'names that many scopes know of',
      within(
        200,
        each(20_000, (index) => `var v${index};`),
      ),
      'too much is declared',
    ],
    ['words within many scopes', within(200, 'a;'.repeat(300_000)), 'too much work to parse'],
    ['groups with names in one pattern', `function main() { /${'(?<a>)|'.repeat(20_000)}/ }`, 'too much work to parse'],
    [
      'parentheses',
      `function main() { return ${'('.repeat(500_000)}1${')'.repeat(500_000)} }`,
      'Not enough stack space',
    ],
  ])('%s is refused, with the place and the limit', (_name, code, reason) => {
    expect(refusal(code)).toMatch(/^demo\/main\.js:1:\d+: /);
    expect(refusal(code)).toContain(reason);
  });
});

describe('a name that is declared twice is found', () => {
  const others = (word: string): string => each(40, (index) => `${word} v${index};`);
  it.each([
    ['let and let', `${others('let')} let v7;`],
    ['let and var', `${others('let')} var v7;`],
    ['var and let', `${others('var')} let v7;`],
    ['let and a var of a block in it', `${others('let')} { var v7; }`],
    ['a function of a block and let', `{ function f() {} ${others('let')} let f; }`],
  ])('among many: %s', (_name, code) => {
    expect(() => boundedParse(code, { ecmaVersion: 'latest' })).toThrow(/has already been declared/);
  });

  it.each([
    ['var and var', `${others('var')} var v7;`],
    ['the name that is caught', 'try {} catch (e) { var e; }'],
    ['let in another scope', `${others('let')} { let v7; }`],
  ])('but not where the language has none: %s', (_name, code) => {
    expect(boundedParse(code, { ecmaVersion: 'latest' }).type).toBe('Program');
  });
});

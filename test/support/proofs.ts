/** Claims that a test proves something, and whether that test exists. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Proof {
  /** Below test/. */
  readonly file: string;
  /** Name of the test, or its beginning. */
  readonly name: string;
}

const TESTS = fileURLToPath(new URL('..', import.meta.url));

/** @returns one proof for each name in the file. */
export const by = (file: string, ...names: string[]): readonly Proof[] => names.map((name) => ({ file, name }));

/** @returns what is claimed and does not exist, each with what it was claimed for. */
export function missingTests(claims: Readonly<Record<string, readonly Proof[]>>): readonly string[] {
  const texts = new Map<string, string>();
  const textOf = (file: string): string => {
    const known = texts.get(file) ?? (existsSync(`${TESTS}${file}`) ? readFileSync(`${TESTS}${file}`, 'utf8') : '');
    texts.set(file, known);
    return known;
  };
  return Object.entries(claims).flatMap(([claim, proofs]) =>
    proofs
      .filter(({ file, name }) => !textOf(file).includes(name))
      .map(({ file, name }) => `${claim}: ${file} has no test "${name}"`),
  );
}

/** Which tests prove which requirement of the product's documents; an empty list means open. */

export interface Proof {
  /** Below test/. */
  readonly file: string;
  /** Name of the test, or its beginning. */
  readonly name: string;
}

const LETTERS = { A: 51, B: 64, C: 26, D: 28, E: 23 } as const;

/** Every requirement by its id. */
export const IDS: readonly string[] = Object.entries(LETTERS).flatMap(([letter, count]) =>
  Array.from({ length: count }, (_, index) => `${letter}${index + 1}`),
);

/** Ids that an issue which is done had to prove. */
export const PROVEN: readonly string[] = [];

const by = (file: string, ...names: string[]): readonly Proof[] => names.map((name) => ({ file, name }));

/** Ids that are not named here are open. */
export const REQUIREMENTS: Readonly<Record<string, readonly Proof[]>> = {};

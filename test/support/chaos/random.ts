/** Random choices that a seed repeats. */

export interface Random {
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number;
  pick<T>(from: readonly T[]): T;
  shuffled<T>(from: readonly T[]): T[];
}

/** @returns the generator (mulberry32) that a seed begins. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
  const pick = <T>(from: readonly T[]): T => {
    const picked = from[below(from.length)];
    if (picked === undefined) throw new Error('there is nothing to pick from');
    return picked;
  };
  const shuffled = <T>(from: readonly T[]): T[] => {
    const rest = [...from];
    const out: T[] = [];
    while (rest.length > 0) out.push(...rest.splice(below(rest.length), 1));
    return out;
  };
  return { below, pick, shuffled };
}

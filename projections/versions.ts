/** Compares the projections of programs, so that of two releases at once on one database the newer has its way. */

/** Version of each projection, by its name. */
export type Versions = Readonly<Record<string, number>>;

export function versionsOf(projections: readonly { readonly name: string; readonly version: number }[]): Versions {
  return Object.fromEntries(projections.map(({ name, version }) => [name, version]));
}

/** @returns the projections that `one` knows in a later version than `other`, or alone. */
export function aheadOf(one: Versions, other: Versions): readonly string[] {
  return Object.keys(one).filter((name) => (one[name] ?? 0) > (other[name] ?? 0));
}

/** @returns the projections that both know, and `one` in an earlier version. */
export function behindOf(one: Versions, other: Versions): readonly string[] {
  return Object.keys(one).filter((name) => (one[name] ?? 0) < (other[name] ?? 0));
}

/** @returns whether `one` is the program that projects: ahead in something, and behind in nothing. */
export function isNewer(one: Versions, other: Versions): boolean {
  return aheadOf(one, other).length > 0 && behindOf(one, other).length === 0;
}

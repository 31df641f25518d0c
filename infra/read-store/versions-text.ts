/** Reads the versions of projections that a program has announced, which may be a later program than this. */

/** @returns null for what is no such text. */
export function versionsIn(text: unknown): Readonly<Record<string, number>> | null {
  if (typeof text !== 'string') return null;
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== 'object' || parsed === null) return null;
  return Object.fromEntries(Object.entries(parsed).map(([name, version]) => [name, Number(version)]));
}

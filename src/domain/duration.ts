/** Durations and shares as people read them, the same on every machine. */

/** @returns such as `12 ms`, `1.25 s`, `3 min 5 s`. */
export function formatMs(ms: number): string {
  if (ms < 1_000) return `${trimmed(ms)} ms`;
  if (ms < 60_000) return `${trimmed(ms / 1_000)} s`;
  const seconds = Math.round(ms / 1_000);
  const rest = seconds % 60;
  return `${Math.floor(seconds / 60)} min${rest === 0 ? '' : ` ${rest} s`}`;
}

/** At most two digits behind the point, without zeros at the end. */
function trimmed(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** @returns per cent with one digit behind the point; 0 where there is no whole. */
export function percentOf(part: number, whole: number): number {
  return whole <= 0 ? 0 : Math.round((part / whole) * 1_000) / 10;
}

/** @returns `1 call`, `2 calls`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Text forms of points in time; the domain never reads a clock, it only writes down times that came in. */

/** @returns ISO 8601 in UTC with milliseconds. */
export function isoTime(milliseconds: number): string {
  // oxlint-disable-next-line no-restricted-globals -- formatting a given time reads no clock
  return new Date(milliseconds).toISOString();
}

/** @returns milliseconds since the epoch of an ISO 8601 time; NaN when it is none. */
export function timeOf(iso: string): number {
  // oxlint-disable-next-line no-restricted-globals -- parsing a given time reads no clock
  return Date.parse(iso);
}

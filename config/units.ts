/** Writes internal values back as a person would write them in a file. */
import type { FieldDoc } from './fields.ts';
import type { Rate } from './kinds.ts';

/** @returns milliseconds as `5s`, bytes as `10MB`, rates as `60/minute`; everything else unchanged. */
export function inUnits(value: unknown, unit: FieldDoc['unit']): unknown {
  if (typeof value === 'number' && unit === 'milliseconds') return largest(value, DURATIONS);
  if (typeof value === 'number' && unit === 'bytes') return largest(value, SIZES);
  return isRate(value) ? `${value.requests}/${WINDOWS.get(value.windowMs) ?? `${value.windowMs}ms`}` : value;
}

const DURATIONS = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

const SIZES = [
  ['GB', 1024 ** 3],
  ['MB', 1024 ** 2],
  ['KB', 1024],
  ['B', 1],
] as const;

const WINDOWS: ReadonlyMap<number, string> = new Map([
  [1000, 'second'],
  [60_000, 'minute'],
  [3_600_000, 'hour'],
  [86_400_000, 'day'],
]);

/** The largest unit that leaves a whole number, so that nothing is rounded. */
function largest(value: number, units: readonly (readonly [string, number])[]): string {
  const [name, factor] = units.find((unit) => value !== 0 && value % unit[1] === 0) ?? units.at(-1) ?? ['', 1];
  return `${value / factor}${name}`;
}

function isRate(value: unknown): value is Rate {
  return typeof value === 'object' && value !== null && 'requests' in value && 'windowMs' in value;
}

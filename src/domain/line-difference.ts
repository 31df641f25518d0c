/** Where two texts differ, as one stretch of lines: enough to see what somebody else has changed. */
import { linesOf } from './diagnosis/syntax.ts';

export interface LineDifference {
  /** First line that differs, from 1, the same in both texts. */
  readonly line: number;
  /** How many lines of the old text are no longer there, and how many new ones stand in their place. */
  readonly removed: number;
  readonly added: number;
  /** Lines marked `-` and `+`, cut in number and length. */
  readonly shown: readonly string[];
}

const MAX_SHOWN = 10;
const MAX_LENGTH = 120;

/** @returns the stretch between the equal lines at the start and at the end; null when the texts are equal. */
export function lineDifference(before: string, after: string): LineDifference | null {
  if (before === after) return null;
  const [old, now] = [linesOf(before), linesOf(after)];
  let start = 0;
  while (start < Math.min(old.length, now.length) && old[start] === now[start]) start += 1;
  let end = 0;
  while (end < Math.min(old.length, now.length) - start && old.at(-1 - end) === now.at(-1 - end)) end += 1;
  const removed = old.slice(start, old.length - end);
  const added = now.slice(start, now.length - end);
  const shown = [...marked('-', removed), ...marked('+', added)];
  return { line: start + 1, removed: removed.length, added: added.length, shown };
}

function marked(mark: string, lines: readonly string[]): readonly string[] {
  const told = lines.slice(0, MAX_SHOWN).map((line) => `${mark} ${line.slice(0, MAX_LENGTH)}`);
  const left = lines.length - told.length;
  return left === 0 ? told : [...told, `${mark} … ${left} more`];
}

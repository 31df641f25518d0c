/** Which log lines say most: repeats become one entry, and errors with what is around them come before everything else. */
import type { ReadLine } from '../../../queries/log-lines.ts';

/** A line, and how many equal ones followed it. */
export interface LogEntry {
  readonly line: ReadLine;
  /** How many lines it stands for. */
  readonly count: number;
  readonly last: ReadLine;
}

/** @returns the lines in their order, runs of equal ones collapsed. */
export function collapsed(lines: readonly ReadLine[]): readonly LogEntry[] {
  const entries: LogEntry[] = [];
  for (const line of lines) {
    const before = entries.at(-1);
    if (before !== undefined && isRepeat(before.line, line)) {
      entries[entries.length - 1] = { line: before.line, count: before.count + 1, last: line };
    } else {
      entries.push({ line, count: 1, last: line });
    }
  }
  return entries;
}

function isRepeat(a: ReadLine, b: ReadLine): boolean {
  return (
    a.level === b.level &&
    a.attempt === b.attempt &&
    a.length === b.length &&
    a.head === b.head &&
    a.tail === b.tail &&
    a.fields === b.fields &&
    a.fieldsLength === b.fieldsLength
  );
}

const LINES_BEFORE_ERROR = 3;
const LINES_AFTER_ERROR = 2;

/** @returns the places of all entries, the most useful first: errors, what is around them, warnings, then both ends inwards. */
export function ranked(entries: readonly LogEntry[]): readonly number[] {
  const order = new Set<number>();
  const add = (index: number): void => {
    if (index >= 0 && index < entries.length) order.add(index);
  };
  const errors = placesOf(entries, 'error');
  const ends = fromBothEnds(errors.length).flatMap((at) => errors.slice(at, at + 1));
  for (const index of ends) {
    add(index);
    for (let by = 1; by <= LINES_BEFORE_ERROR; by += 1) {
      add(index - by);
      if (by <= LINES_AFTER_ERROR) add(index + by);
    }
  }
  const warnings = placesOf(entries, 'warn');
  for (const at of fromBothEnds(warnings.length)) for (const index of warnings.slice(at, at + 1)) add(index);
  for (const index of fromBothEnds(entries.length)) add(index);
  return [...order];
}

function placesOf(entries: readonly LogEntry[], level: 'error' | 'warn'): readonly number[] {
  return entries.flatMap(({ line }, index) => (line.level === level ? [index] : []));
}

/** First, last, second, last but one, … */
function fromBothEnds(length: number): readonly number[] {
  return Array.from({ length }, (_, at) => (at % 2 === 0 ? at / 2 : length - 1 - (at - 1) / 2));
}

/** Reads the frames of a task's own file out of a recorded stack. */

export interface StackFrame {
  /** Name of the function; null for an anonymous one. */
  readonly function: string | null;
  readonly file: string;
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

const START = '    at ';
const PLACE = /:(\d{1,9}):(\d{1,9})\)?$/;
/** A task can write what it likes into a stack: longer lines, and more of them, are no frames. */
const MAX_LINE = 1_000;
const MAX_LINES = 100;

/** @returns the frames, the innermost first. A stack without any gives an empty list. */
export function framesOf(stack: string | null): readonly StackFrame[] {
  return (stack ?? '').split('\n').slice(0, MAX_LINES).flatMap(frameIn);
}

function frameIn(text: string): readonly StackFrame[] {
  if (!text.startsWith(START) || text.length > MAX_LINE) return [];
  const [tail, line, column] = PLACE.exec(text) ?? [];
  if (tail === undefined) return [];
  const rest = text.slice(START.length, text.length - tail.length).replace(/^async /, '');
  const open = rest.lastIndexOf(' (');
  const file = open < 0 ? rest : rest.slice(open + 2);
  return file === ''
    ? []
    : [{ function: open < 0 ? null : rest.slice(0, open), file, line: Number(line), column: Number(column) }];
}

/** Reads the frames of a task's own file out of a recorded stack. */

export interface StackFrame {
  /** Name of the function; null for an anonymous one. */
  readonly function: string | null;
  readonly file: string;
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

const FRAME = /^ {4}at (?:async )?(?:(.+?) \()?(\S.*?):(\d+):(\d+)\)?$/;

/** @returns the frames, the innermost first. A stack without any gives an empty list. */
export function framesOf(stack: string | null): readonly StackFrame[] {
  return (stack ?? '').split('\n').flatMap((text) => {
    const [, name, file, line, column] = FRAME.exec(text) ?? [];
    if (file === undefined || line === undefined || column === undefined) return [];
    return [{ function: name ?? null, file, line: Number(line), column: Number(column) }];
  });
}

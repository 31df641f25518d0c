/** The line of code on which an execution failed, with its neighbours. */
import type { TaskErrorData } from '../journal.ts';
import { callSite } from './call-site.ts';
import type { FailureCase, RecordedStep } from './failure-case.ts';
import { framesOf, type StackFrame } from './stack-frames.ts';
import { linesOf, placeOf } from './syntax.ts';

/** Lines told before and after the failing one. */
const AROUND = 3;
const MAX_LINE = 300;

export interface FailingLine {
  readonly file: string;
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
  readonly function: string | null;
  /** `stack`: from the error's own stack. `cause`: from the stack of its cause. `call`: the one call in the code that the step came from. */
  readonly found_by: 'stack' | 'cause' | 'call';
  readonly lines: readonly { readonly line: number; readonly text: string; readonly failing: boolean }[];
}

/** @returns the innermost frame of an error, or of the nearest of its causes that has one. */
export function failingFrame(error: TaskErrorData): { readonly frame: StackFrame; readonly isCause: boolean } | null {
  for (let one: TaskErrorData | null = error; one !== null; one = one.cause) {
    const frame = framesOf(one.stack)[0];
    if (frame !== undefined) return { frame, isCause: one !== error };
  }
  return null;
}

/** @returns the failing line; null where neither a stack nor the code tells it. */
export function failingLine(
  { code }: FailureCase,
  error: TaskErrorData | null,
  asked: Pick<RecordedStep, 'kind' | 'name' | 'request'> | null,
): FailingLine | null {
  const found = error === null ? null : failingFrame(error);
  if (found !== null) {
    const { function: name, ...place } = found.frame;
    return told(code, place, name, found.isCause ? 'cause' : 'stack');
  }
  const site = code === null || asked === null ? null : callSite(code, asked);
  if (code === null || site === null) return null;
  return told(code, { file: code.file, ...placeOf(code.text, site.start) }, null, 'call');
}

type Place = Pick<FailingLine, 'file' | 'line' | 'column'>;

/** @returns a frame's place in the author's code, where the code that ran was made from it. */
export function shownPlace({ code }: FailureCase, frame: StackFrame): Place {
  const { file, line, column } = frame;
  return (code?.file === file ? code.authored?.original(frame) : null) ?? { file, line, column };
}

/** In the author's code, where the code that ran was made from it. */
function told(
  code: FailureCase['code'],
  place: Place,
  name: string | null,
  found_by: FailingLine['found_by'],
): FailingLine {
  const isOwn = code !== null && code.file === place.file;
  const original = isOwn ? (code.authored?.original(place) ?? null) : null;
  if (original !== null) {
    const { authored } = code ?? {};
    const text = authored?.file === original.file ? authored.text : null;
    return {
      ...original,
      function: name,
      found_by,
      lines: text === null || text === undefined ? [] : linesAround(text, original.line),
    };
  }
  return { ...place, function: name, found_by, lines: isOwn ? linesAround(code.text, place.line) : [] };
}

function linesAround(text: string, failing: number): FailingLine['lines'] {
  return linesOf(text)
    .map((content, index) => ({ line: index + 1, text: content.slice(0, MAX_LINE), failing: index + 1 === failing }))
    .slice(Math.max(0, failing - 1 - AROUND), failing + AROUND);
}

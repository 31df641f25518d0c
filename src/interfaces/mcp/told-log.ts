/** Log entries as agents are told them: with the id of their line, bounded, and errors taken apart. */
import { type ReadLine } from '../../../queries/log-lines.ts';
import { explain } from '../../domain/explain.ts';
import { isoTime } from '../../domain/time.ts';
import { cutMiddle, joined } from './cut-answer.ts';
import { shortened } from './fit.ts';
import type { LogEntry } from './log-digest.ts';
import type { Detail } from './reading-tool.ts';

/** Most characters of a message, and most tokens of its fields. */
const SIZES: Readonly<Record<Detail, { readonly message: number; readonly context: number }>> = {
  summary: { message: 600, context: 150 },
  standard: { message: 2_000, context: 600 },
  full: { message: 4_000, context: 4_000 },
};

export interface ErrorInfo {
  readonly type: string;
  readonly message: string;
  readonly stack_trace: string | null;
  readonly suggestions: readonly string[];
}

/** The id of a line within its execution. */
export function seqOf({ attempt, ordinal }: Pick<ReadLine, 'attempt' | 'ordinal'>): string {
  return `${attempt}:${ordinal}`;
}

export function toldEntry({ line, count, last }: LogEntry, detail: Detail) {
  const { message: most, context } = SIZES[detail];
  const whole = line.tail === null ? line.head : joined(line.head, line.tail, line.length);
  const error = line.level === 'error' ? errorIn(whole, most) : null;
  const repeats = count === 1 ? {} : { repeated: `×${count}`, last_seq: seqOf(last) };
  return {
    seq: seqOf(line),
    timestamp: isoTime(line.clock),
    level: line.level,
    message: error === null ? shownMessage(line, most) : cutMiddle(firstLine(whole), most),
    context: contextOf(line, context),
    error_info: error,
    ...repeats,
  };
}

/** @returns the entry as one line of text, or more when its message has more. */
export function entryText({ line, count }: LogEntry, detail: Detail): string {
  const fields = line.fields === null ? '' : ` ${cutMiddle(line.fields, SIZES[detail].context)}`;
  const repeated = count === 1 ? '' : ` ×${count}`;
  const message = shownMessage(line, SIZES[detail].message);
  return `${seqOf(line)} ${isoTime(line.clock)} ${line.level.toUpperCase()} ${message}${fields}${repeated}`;
}

function shownMessage({ head, tail, length }: ReadLine, most: number): string {
  if (tail === null) return cutMiddle(head, most);
  return joined(head.slice(0, Math.ceil(most * 0.7)), tail.slice(-Math.floor(most * 0.3)), length);
}

function contextOf({ fields, fieldsLength }: ReadLine, most: number): unknown {
  if (fields === null) return fieldsLength === 0 ? null : `… ${fieldsLength} characters of JSON left out`;
  return shortened(most, JSON.parse(fields));
}

const HEADING = /^(?:Uncaught )?([A-Z]\w*(?:Error|Exception)): ?([^\n]*)/;

/** What a task writes of an error it caught begins with the name of the error. */
function errorIn(message: string, most: number): ErrorInfo | null {
  const heading = HEADING.exec(message);
  if (heading === null) return null;
  const [, name = 'Error', said = ''] = heading;
  const at = message.search(/\n\s+at /);
  const { suggestions } = explain('task_failed', { name, message: said, stack: null, data: {}, cause: null });
  return {
    type: name,
    message: cutMiddle(said, most),
    stack_trace: at === -1 ? null : cutMiddle(message.slice(at + 1), most),
    suggestions,
  };
}

function firstLine(text: string): string {
  const end = text.indexOf('\n');
  return end === -1 ? text : text.slice(0, end);
}

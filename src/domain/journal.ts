/** The journal: the ordered steps of an execution, which is all that a replay needs besides code and input. */
import type { Json, JsonObject } from './event.ts';

/** What kind of outside a step touched. */
export type StepKind = 'http' | 'sleep' | 'task' | 'file' | 'mcp' | 'llm' | 'ask' | 'hmac' | 'custom';

/** An error as data, so that it can cross processes and be stored. */
export interface TaskErrorData {
  /** Class name, such as `NetworkError`. */
  readonly name: string;
  readonly message: string;
  /** Stack with frames of the task's own file only. */
  readonly stack: string | null;
  /** Own enumerable properties that JSON can carry, such as `status`. */
  readonly data: JsonObject;
  readonly cause: TaskErrorData | null;
}

/** How a step ended. */
export type Outcome =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly error: TaskErrorData };

/** A step as task code asked for it. */
export interface StepCall {
  /** Number counted where it was called: `4`, or `4/1` for the first call inside `step()` number 4. */
  readonly path: string;
  readonly kind: StepKind;
  /** Name given by the task (`custom`) or derived from the request (`GET https://…`); shown to people. */
  readonly name: string;
  readonly request: JsonObject;
  /** The span it belongs to, see {@link SpanRef}. */
  readonly span: SpanRef;
}

/**
 * A span named from inside a task: `''` the execution itself, `step:<path>` a step, `span:<n>` the n-th `span()` call.
 * The same run gives the same references.
 */
export type SpanRef = string;

/** A finished `step(name, fn)`: computed inside the sandbox from other steps, recorded as a memo. */
export interface CustomOutcome extends StepCall {
  readonly kind: 'custom';
  readonly outcome: Outcome;
  /** Logical clock, milliseconds since the epoch, at its call. */
  readonly startedAt: number;
}

/** One consumed step of a journal, in the order of delivery. */
export interface JournalEntry {
  readonly path: string;
  readonly kind: StepKind;
  readonly name: string;
  readonly argsHash: string;
  readonly request: JsonObject;
  readonly outcome: Outcome;
  /** The turn that delivered it (for `custom`: the turn in which it ended). */
  readonly turn: number;
  /** Logical clock at its delivery. */
  readonly clock: number;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[];

/** What a task or the runtime tells about an execution. Clocks are logical, milliseconds since the epoch. */
export type Telemetry =
  | {
      readonly kind: 'log';
      readonly level: LogLevel;
      readonly message: string;
      /** Structured fields given beside the message. */
      readonly fields: JsonObject | null;
      readonly clock: number;
      readonly span: SpanRef;
    }
  | {
      readonly kind: 'span';
      readonly ref: SpanRef;
      readonly parent: SpanRef;
      readonly name: string;
      readonly startedAt: number;
      readonly endedAt: number;
      readonly ok: boolean;
      readonly attributes: JsonObject;
    }
  | {
      readonly kind: 'progress';
      /** 0 to 1. */
      readonly progress: number;
      readonly step: string | null;
      readonly message: string | null;
      readonly data: Json;
      readonly clock: number;
    };

/** Version of the rules by which journals are written; raised when an old journal could no longer be replayed by the new rules. */
export const JOURNAL_VERSION = 1;

/**
 * JSON text with the keys of every object in code-unit order and no white space, so that equal values give equal text
 * (the ordering rule of RFC 8785).
 */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const object = value as JsonObject;
    const members = Object.keys(object)
      .sort()
      .filter((key) => object[key] !== undefined)
      .map((key) => `${JSON.stringify(key)}:${canonicalJson(object[key] as Json)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}

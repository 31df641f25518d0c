/** What debugging a recorded execution means: where to stop, what was seen there, and sessions that speak the Chrome DevTools Protocol. */
import type { Principal } from './access.ts';
import type { Json, JsonObject } from './event.ts';

/** Where to stop: at a line, at a step when it is asked for, or both. */
export interface Breakpoint {
  /** From 1, in the code as its author wrote it. */
  readonly line: number | null;
  /** Stops only where this expression is true. It should change nothing: what calls or assigns is not carried out. */
  readonly condition: string | null;
  /** Stops only from the n-th time on; 1 when left out. */
  readonly hitCount: number;
  /** Path of a step, such as `4` or `4/1`. */
  readonly step: string | null;
}

export interface DebugRequest {
  readonly executionId: string;
  readonly attempt: number | null;
  readonly breakpoints: readonly Breakpoint[];
  /** Stop where an exception is thrown. */
  readonly exceptions: 'none' | 'all';
  /** Stop at every line from the first one of `main` on. */
  readonly stepMode: boolean;
  /** Expressions to evaluate at each stop, without side effects. */
  readonly watches: readonly string[];
  readonly captureVariables: boolean;
  /** Stops that are told; those beyond are counted only. */
  readonly maxHits: number;
  /** Which are kept when there are more. */
  readonly keep: 'first' | 'last';
  readonly timeoutMs: number;
}

/** A value as it was seen, cut to size. */
export interface SeenValue {
  readonly name: string;
  /** As `typeof` says, or `null`, `array`, `error`, `promise` … */
  readonly type: string;
  /** The value where JSON can carry it, cut in depth and size; else null. */
  readonly value: Json;
  /** For people, one line. */
  readonly preview: string;
  readonly truncated: boolean;
}

export interface SeenFrame {
  readonly function: string;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly scopes: readonly {
    readonly type: 'local' | 'block' | 'closure' | 'catch' | 'script';
    readonly variables: readonly SeenValue[];
  }[];
}

/** One stop. */
export interface Hit {
  readonly reason: 'breakpoint' | 'step' | 'exception' | 'line';
  /** 0 where a step is asked for while none of the task's own code runs, as from a timer that is `sleep` itself. */
  readonly line: number;
  readonly column: number;
  /** Text of the line. */
  readonly code: string;
  /** Steps answered before it. */
  readonly stepsDone: number;
  /** The step that was being asked for. */
  readonly step: string | null;
  /** What was thrown, at an exception. */
  readonly exception: SeenValue | null;
  readonly frames: readonly SeenFrame[];
  readonly watches: readonly {
    readonly expression: string;
    readonly value: SeenValue | null;
    readonly error: string | null;
  }[];
}

export interface DebugReport {
  readonly replayId: string;
  readonly executionId: string;
  readonly attempt: number;
  readonly hits: readonly Hit[];
  /** How often it stopped in all. */
  readonly stops: number;
  /** Where each breakpoint came to lie; `line` null: nowhere. */
  readonly breakpoints: readonly {
    readonly asked: Breakpoint;
    readonly line: number | null;
    readonly moved: boolean;
    /** What its condition threw, the first time; it does not stop then. */
    readonly conditionError: string | null;
  }[];
  /**
   * The last two with the hits so far: after `timeout`, `error` says which value could not be read, if it was that;
   * `debugger_out_of_memory` is when the values that are looked at need more room than the process has.
   */
  readonly result: 'returned' | 'threw' | 'cancelled' | 'end_of_record' | 'timeout' | 'debugger_out_of_memory';
  readonly output: Json;
  readonly error: { readonly name: string; readonly message: string } | null;
}

export interface DebugSessionInfo {
  readonly sessionId: string;
  readonly replayId: string;
  readonly executionId: string;
  readonly attempt: number;
  readonly principal: string;
  readonly state: 'starting' | 'paused' | 'running' | 'ended';
  readonly file: string;
  readonly startedAt: string;
  /** When it ends by itself unless it is used. */
  readonly endsAt: string;
}

/** A session and where it stands: the `Debugger.paused` event, or null while it runs. */
export interface DebugSessionView extends DebugSessionInfo {
  readonly paused: JsonObject | null;
  /** Breakpoints of lines that it keeps, and where each came to lie: on the next line with code, or nowhere (null). */
  readonly breakpoints: readonly { readonly asked: number; readonly line: number | null }[];
  /** Paths of the steps that the task has had an outcome of. */
  readonly stepsDone: readonly string[];
  /** How the run ended, once it has. */
  readonly end: { readonly result: string; readonly message: string | null } | null;
}

/** One message of the protocol: an event, or the answer to a command. */
export type ProtocolMessage =
  | { readonly method: string; readonly params: JsonObject }
  | { readonly id: number; readonly result: JsonObject }
  | { readonly id: number; readonly error: { readonly code: number; readonly message: string } };

/** The debugger as interfaces ask for it: on replays only, with nothing going out. */
export interface Debugging {
  /** Runs to the end and tells what was seen at each stop. Fails as a faithful replay does. */
  once(request: DebugRequest, by: Principal): Promise<DebugReport>;
  /** Opens a session that stands before the first line of `main`. Fails too with `debug_session_limit`. */
  open(
    request: {
      readonly executionId: string;
      readonly attempt: number | null;
      readonly breakpoints: readonly Breakpoint[];
    },
    by: Principal,
  ): Promise<DebugSessionInfo>;
  sessions(by: Principal): readonly DebugSessionInfo[];
  /** Fails with `debug_session_not_found`, also for a session of somebody else. */
  close(sessionId: string, by: Principal): Promise<void>;
  /** One command of the protocol. Fails with `debug_session_not_found`, `debug_method_refused` or `debug_not_paused`. */
  command(sessionId: string, method: string, params: JsonObject, by: Principal): Promise<JsonObject>;
  /** Waits until the task stands still or is over, at most `ms` milliseconds. */
  settled(sessionId: string, ms: number, by: Principal): Promise<DebugSessionView>;
  /** @returns a function that ends listening. What a front end must know of the present state is told first. */
  listen(sessionId: string, listener: (message: ProtocolMessage) => void, by: Principal): () => void;
}

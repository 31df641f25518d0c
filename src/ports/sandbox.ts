/** What the core asks of the place where task code runs: turn in, turn out; never a host object, never the network. */
import type { CustomOutcome, Outcome, StepCall, TaskErrorData, Telemetry } from '../domain/journal.ts';

/** Task code made ready to run: module syntax rewritten with line and column kept. */
export interface PreparedCode {
  /** Content hash of the code as it was written, SHA-256 in lower-case hex. */
  readonly hash: string;
  /** File name shown in stacks, such as `weather-api/main.js`. */
  readonly file: string;
  readonly script: string;
  /** Passed to the engine so that columns of the first line stay true. */
  readonly columnOffset: number;
}

/** Blocking: `fetch` and friends return values. Promise: they return promises. Auto: by whether `main` is async. */
export type Style = 'auto' | 'blocking' | 'promise';

/** Everything an execution begins with. */
export interface TaskStart {
  readonly code: PreparedCode;
  /** JSON text. */
  readonly input: string;
  readonly context: {
    readonly executionId: string;
    readonly taskId: string;
    readonly taskVersion: string;
    readonly jobId: string;
    readonly attempt: number;
  };
  /** Logical clock at the start, milliseconds since the epoch. */
  readonly clock: number;
  /** 32 bytes in hex, from which all randomness of the task comes. */
  readonly seed: string;
  readonly style: Style;
}

/** What is delivered into a context; each delivery is a turn. */
export type Delivery =
  | { readonly type: 'outcome'; readonly path: string; readonly clock: number; readonly outcome: Outcome }
  | { readonly type: 'timer'; readonly clock: number }
  | { readonly type: 'cancel'; readonly clock: number; readonly reason: string };

/** What a context did in one turn, its microtasks fully drained (or up to the blocking call it stands in). */
export interface Turn {
  /** 1 for the start, then one more for each delivery. */
  readonly turn: number;
  /** Logical clock at the end of the turn. */
  readonly clock: number;
  /** Steps asked for in this turn, in order. */
  readonly calls: readonly StepCall[];
  /** `step(name, fn)` memos finished in this turn, in order. */
  readonly customs: readonly CustomOutcome[];
  readonly status: TurnStatus;
}

export type TurnStatus =
  | {
      readonly kind: 'waiting';
      /** Due time of the next timer, or null. Always null while blocked. */
      readonly nextTimer: number | null;
      /** Path of the step whose outcome must be the next delivery, or null. */
      readonly blockedOn: string | null;
    }
  /** `output` is JSON text; `undefined` is told as `null`. */
  | { readonly kind: 'returned'; readonly output: string }
  | { readonly kind: 'threw'; readonly error: TaskErrorData };

export interface SandboxLimits {
  /** Heap and, where the system can, memory outside it, in MiB; rounded up to the next class (64, 128, 256, 1024). */
  readonly memoryMb: number;
  readonly maxOutputBytes: number;
  readonly maxLogLines: number;
  readonly maxLogBytes: number;
  readonly maxSteps: number;
}

/** What separates a task's process from the server: own namespaces, another user, or only Node's permission model. */
export type IsolationLevel = 'namespaces' | 'uid' | 'process';

/**
 * One execution in one warm process. Exactly one of {@link start} and {@link deliver} may be under way at a time.
 *
 * Both reject with `memory_limit_exceeded`, `output_too_large`, `log_limit_exceeded`, `step_limit_exceeded`,
 * `sandbox_crashed`, `sandbox_protocol`, or the error given to {@link kill}; after a rejection the session is over.
 */
export interface SandboxSession {
  /** Runs the first turn. Telemetry is handed to `onTelemetry` in order, also in the middle of a long turn, and always before the turn itself. */
  start(start: TaskStart, onTelemetry: (records: readonly Telemetry[]) => void): Promise<Turn>;
  deliver(delivery: Delivery): Promise<Turn>;
  /** Ends the process at once; a call under way rejects with `error`. */
  kill(error: Error): void;
  /** Gives the process back after the last turn, or ends it when the task had not finished. Idempotent. */
  release(): void;
}

export interface Sandbox {
  readonly isolation: IsolationLevel;
  /** Sessions that could start now without waiting. */
  idle(): number;
  /** Waits for a free process. Fails with `shutting_down` after close, or with the reason of `signal`. */
  open(limits: SandboxLimits, signal?: AbortSignal): Promise<SandboxSession>;
  /**
   * Parses and rewrites task code. `file` is the name shown in stacks.
   * Fails with `syntax_error` (details: line, column) or `invalid_task` (an `import`, top-level await, no way in).
   */
  prepare(code: string, file: string): PreparedCode;
  /** Ends all processes. */
  close(): Promise<void>;
}

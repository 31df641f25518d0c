/** What an attempt is made of: where its steps come from, where it writes, and how it can end. */
import type { WaitReason } from '../domain/execution.ts';
import type { JournalEntry, Outcome, StepCall, TaskErrorData, Telemetry } from '../domain/journal.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { SandboxSession, TaskStart } from '../ports/sandbox.ts';

/** A call that has been made and not answered. */
export interface OpenCall extends StepCall {
  readonly argsHash: string;
  /** Turn and logical clock of the call. */
  readonly turn: number;
  readonly startedAt: number;
}

/** Where the steps of a running attempt go; absent in a replay. */
export interface World {
  /** Carries out a call and answers with its outcome; never throws for what the task should see. Not asked for `sleep`. */
  perform(call: OpenCall, signal: AbortSignal): Promise<Outcome>;
  /** Resolves once the subtask of a call under way is durably asked for, or could not be. Never rejects. */
  asked(path: string): Promise<void>;
  /** True for a question without an answer yet: it may take days, so it holds no process. None is when left out. */
  readonly isUnanswered?: (call: OpenCall) => boolean;
}

/** Where an attempt writes what happened. */
export interface Recorder {
  /** Durable when it resolves. */
  stepCompleted(entry: JournalEntry, startedAt: number): Promise<void>;
  telemetry(records: readonly Telemetry[]): void;
}

/** How the recorded run ended, which fixes the turns after its last outcome. */
export interface Ending {
  readonly kind: 'returned' | 'threw' | 'cancelled';
  readonly turn: number;
  readonly clock: number;
}

export interface LivePlan {
  readonly kind: 'live';
  readonly world: World;
  /** Whether a long wait gives up the process; true when left out. */
  readonly parks?: boolean;
}

export interface AttemptPlan {
  readonly session: SandboxSession;
  readonly start: TaskStart;
  readonly journal: readonly JournalEntry[];
  readonly runtime: Runtime;
  readonly recorder: Recorder;
  /** Live: the world to go on with after the journal. Replay: how the record ends; null where it just breaks off. */
  readonly then: LivePlan | { readonly kind: 'replay'; readonly ending: Ending | null };
  /** Aborting asks the task to end: it sees a cancellation, and is killed when it does not come back within a moment. */
  readonly cancel: AbortSignal;
  /** Aborting ends the attempt at once; {@link runAttempt} rejects with the reason. */
  readonly abort: AbortSignal;
  /** Told when the attempt only waits for other executions (true), and when it goes on (false). */
  readonly onIdle: (idle: boolean) => void;
}

export type AttemptResult = { readonly turn: number; readonly clock: number } & (
  | { readonly kind: 'returned'; readonly output: string }
  | { readonly kind: 'threw'; readonly error: TaskErrorData }
  | { readonly kind: 'cancelled'; readonly seen: boolean }
  /** `until` is null where only an answer lets it go on. */
  | { readonly kind: 'parked'; readonly reason: WaitReason; readonly until: number | null }
  /** A record without an end was followed as far as it goes. */
  | { readonly kind: 'exhausted' }
);

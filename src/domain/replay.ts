/** Facts about replays: who ran which execution again, on what code and input, and what came of it. The execution itself never changes. */
import type { Principal } from './access.ts';
import type { Fact, Json, JsonObject } from './event.ts';
import type { Outcome, StepKind } from './journal.ts';
import type { Payload } from './payload.ts';

/** `debug` and `profile` are faithful replays that somebody looks into. */
export type ReplayMode = 'faithful' | 'patched' | 'debug' | 'profile';

export interface ReplayStart {
  readonly replayId: string;
  readonly mode: ReplayMode;
  readonly executionId: string;
  readonly attempt: number;
  readonly task: { readonly id: string; readonly name: string; readonly version: number };
  /** Code that took the place of the recorded one. */
  readonly code: Payload | null;
  /** Input that took the place of the recorded one. */
  readonly input: Payload | null;
  /** How many stubs were given. */
  readonly stubs: number;
  readonly allowLive: boolean;
}

export type ReplayEvent =
  | Fact<'ReplayStarted', ReplayStart>
  /** `verdict`: `identical`, `different`, a {@link PatchVerdict}, or `ended` for a session. `result` is what the caller was told. */
  | Fact<
      'ReplayEnded',
      { readonly replayId: string; readonly verdict: string; readonly durationMs: number; readonly result: Payload }
    >
  /** It could not be carried out, or broke off. */
  | Fact<
      'ReplayFailed',
      { readonly replayId: string; readonly code: string; readonly message: string; readonly durationMs: number }
    >;

export const REPLAY_EVENT_TYPES = [
  'ReplayStarted',
  'ReplayEnded',
  'ReplayFailed',
] as const satisfies readonly ReplayEvent['type'][];

/** One place where a replay and the record differ. */
export interface ReplayDifference {
  readonly what: 'output' | 'error' | 'log' | 'span' | 'progress';
  readonly expected: Json;
  readonly actual: Json;
}

/** What a faithful replay found. */
export interface ReplayResult {
  readonly executionId: string;
  readonly attempt: number;
  readonly identical: boolean;
  readonly differences: readonly ReplayDifference[];
  readonly steps: number;
  readonly turns: number;
  readonly result: 'returned' | 'threw' | 'cancelled' | 'parked';
  readonly output: Json;
  readonly error: { readonly name: string; readonly message: string } | null;
  /** Set when the record was made on another version of Node than the replay. */
  readonly recordedOnNode: string | null;
}

/** An outcome made up by whoever replays, for calls that the journal does not answer. The first stub that fits is taken. */
export interface Stub {
  /** All that are given must fit. `url` and `name` fit where they are contained. */
  readonly match: {
    readonly path?: string | undefined;
    readonly kind?: StepKind | undefined;
    readonly method?: string | undefined;
    readonly url?: string | undefined;
    readonly name?: string | undefined;
  };
  readonly outcome: Outcome;
  /** How many calls it answers; null: any number. */
  readonly times: number | null;
}

/** What became of the recorded failure: `undecided` because a call that the record does not hold was blocked. */
export type PatchVerdict = 'succeeds' | 'fails_same' | 'fails_otherwise' | 'undecided';

/**
 * `reused`: answered from the journal. `changed`: called where the journal has a call, with other arguments. `new`: not in
 * the journal. `missing`: in the journal, and not called.
 */
export type StepChange = 'reused' | 'changed' | 'new' | 'missing';

/**
 * Who answered a call of a patched replay. `clock`: a sleep, whose time came. `code`: a `step()`, by its own function.
 * `blocked`: nobody was allowed to. `nobody`: nobody had to, the run was over.
 */
export type AnsweredBy = 'journal' | 'stub' | 'live' | 'clock' | 'code' | 'blocked' | 'nobody';

export interface PatchedStep {
  readonly change: StepChange;
  readonly path: string;
  readonly kind: StepKind;
  readonly name: string;
  readonly answeredBy: AnsweredBy;
  readonly request: JsonObject | null;
  /** The journal's entry that it was matched with. */
  readonly recorded: { readonly path: string; readonly request: JsonObject; readonly outcome: Outcome } | null;
  readonly outcome: Outcome | null;
}

export interface PatchedRequest {
  readonly executionId: string;
  readonly attempt: number | null;
  /** Code to run instead of the recorded one; null with `version` null too: the recorded one. */
  readonly code: string | null;
  /** A published version to run instead. */
  readonly version: number | null;
  /** Input to run on instead; undefined: the recorded one. */
  readonly input: Json | undefined;
  readonly stubs: readonly Stub[];
  /** Lets calls out that neither journal nor stubs answer. */
  readonly allowLive: boolean;
  /** What a changed call gets: nothing (it is as new), or the recorded outcome. */
  readonly changed: 'block' | 'reuse';
  /** Name of a test to make of this case. */
  readonly saveTest: string | null;
}

export interface PatchedResult {
  readonly replayId: string;
  readonly executionId: string;
  readonly attempt: number;
  readonly verdict: PatchVerdict;
  /** One sentence for people. */
  readonly summary: string;
  readonly counts: Readonly<Record<StepChange, number>>;
  readonly steps: readonly PatchedStep[];
  readonly result: 'returned' | 'threw' | 'blocked' | 'stalled' | 'killed';
  readonly output: Json;
  readonly error: { readonly name: string; readonly message: string; readonly stack: string | null } | null;
  readonly recorded: {
    readonly status: string;
    readonly output: Json;
    readonly error: { readonly name: string; readonly message: string } | null;
  };
  /** Where the output is not as recorded; empty unless both runs returned. */
  readonly outputDiff: readonly JsonDifference[];
  readonly logs: readonly { readonly level: string; readonly message: string }[];
  /** A test file that holds this case, when one was asked for and the verdict is not `undecided`. */
  readonly test: JsonObject | null;
  /** Which stubs, counted from 0, answered no call. */
  readonly unusedStubs: readonly number[];
  /** Set when the record was made on another version of Node than the replay. */
  readonly recordedOnNode: string | null;
}

/** One place where two JSON values differ. */
export interface JsonDifference {
  /** JSON pointer. */
  readonly path: string;
  readonly expected: Json | undefined;
  readonly actual: Json | undefined;
}

/** Which failures a fix is tried on: those like the given execution's, or of a fingerprint, newest first. */
export interface FailuresRequest extends Omit<PatchedRequest, 'executionId' | 'attempt' | 'saveTest' | 'input'> {
  readonly taskId: string;
  readonly fingerprint: string;
  /** How many failures at most, 1 to {@link MAX_FAILURES}. */
  readonly limit: number;
}

/** Failures that one request is tried on at most. */
export const MAX_FAILURES = 200;

export interface FailuresResult {
  readonly taskId: string;
  readonly fingerprint: string;
  readonly counts: Readonly<Record<PatchVerdict | 'not_replayable', number>>;
  readonly rows: readonly {
    readonly executionId: string;
    readonly replayId: string | null;
    readonly verdict: PatchVerdict | 'not_replayable';
    readonly summary: string;
  }[];
}

/** Replays as interfaces ask for them. Each is recorded, and none changes the execution. */
export interface Replays {
  /**
   * Fails with `execution_not_found`, `execution_running`, `not_replayable`, `code_gone`, `journal_too_new`, or `replay_mismatch`
   * (details: expected, actual, line).
   */
  faithful(executionId: string, attempt: number | null, by: Principal): Promise<ReplayResult & { replayId: string }>;
  /**
   * Fails as {@link faithful}, with `syntax_error` or `invalid_task` for the new code, `not_found` for a version that is not
   * published, and `input_schema_violation` for the input.
   */
  patched(request: PatchedRequest, by: Principal): Promise<PatchedResult>;
  /** Tries code on past failures of a task. What can not be replayed stands in the table. Fails as {@link patched} for the code. */
  overFailures(request: FailuresRequest, by: Principal): Promise<FailuresResult>;
}

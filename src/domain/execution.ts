/** Facts about executions: one request to run one task version on one input, through all its attempts. */
import type { Evolution, Fact, JsonObject } from './event.ts';
import type { LogLevel, StepKind, TaskErrorData } from './journal.ts';
import type { Payload } from './payload.ts';
import { timeOf } from './time.ts';

/** When a failed attempt is tried again. Delays grow as `initialMs * factor^(n-1)`, capped at `maxMs`, then spread by `jitter`. */
export interface RetryPolicy {
  /** Attempts in all that may fail; 1 means no retry. */
  readonly maxAttempts: number;
  readonly initialMs: number;
  readonly factor: number;
  readonly maxMs: number;
  /** 0 to 1: the part of the delay that is random. */
  readonly jitter: number;
  /** `start`: an empty journal. `failed-step`: outcomes before the failure are kept. */
  readonly from: 'start' | 'failed-step';
  /** Error names that are retried; null: those that can pass by themselves. */
  readonly on: readonly string[] | null;
}

export const NO_RETRY: RetryPolicy = {
  maxAttempts: 1,
  initialMs: 1_000,
  factor: 2,
  maxMs: 60_000,
  jitter: 0.2,
  from: 'start',
  on: null,
};

export interface ExecutionOptions {
  readonly trace: boolean;
  readonly logLevel: LogLevel;
  /** For one attempt, waiting without a process not counted. */
  readonly timeoutMs: number;
  readonly memoryMb: number;
  /** Higher runs first; -100 to 100. */
  readonly priority: number;
  /** ISO time before which it does not start; null: at once. */
  readonly runAt: string | null;
  readonly retry: RetryPolicy;
  /** What to do with a call whose outcome a crash hid: send it again with the same key, or fail. */
  readonly unknownSteps: 'resend' | 'fail';
}

/** Where a request came from. */
export interface ExecutionSource {
  readonly kind: 'rest' | 'graphql' | 'mcp' | 'cli' | 'task' | 'schedule' | 'batch' | 'webhook';
  readonly sessionId: string | null;
  readonly clientInfo: string | null;
}

export interface ExecutionRequest {
  readonly executionId: string;
  readonly task: { readonly id: string; readonly name: string; readonly version: number; readonly contentHash: string };
  readonly input: Payload;
  readonly source: ExecutionSource;
  readonly options: ExecutionOptions;
  /** The execution and step that asked for this one through `runTask`. */
  readonly parent: { readonly executionId: string; readonly path: string } | null;
  /** The execution that this one repeats, and why. */
  readonly lineage: { readonly originalExecution: string | null; readonly retryReason: string | null };
  /** Where it branched off another execution; absent for one of its own. */
  readonly fork?: Fork | undefined;
  /** Names of targets that its result goes to because the caller asked for it; absent where nobody did. */
  readonly resultTo?: readonly string[] | undefined;
  readonly metadata: JsonObject;
  /** W3C trace id, and the span of the caller if it sent one. */
  readonly traceId: string;
  readonly parentSpanId: string | null;
  /** Hash of the request without ids, to tell a repeated idempotency key from a misused one. */
  readonly requestHash: string;
}

/** The start of an execution that goes on from the middle of another: it begins as that one did, and inherits its first outcomes. */
export interface Fork {
  readonly executionId: string;
  readonly attempt: number;
  /** Path of the first step that is done anew. */
  readonly step: string;
  /** Outcomes kept, recorded as `StepInherited`. */
  readonly kept: number;
  /** Logical clock and seed at the start of the other. */
  readonly clock: number;
  readonly seed: string;
  /** What the other's code saw of itself: its first calls may tell it. Absent in the first forks, whose code saw their own. */
  readonly context?: { readonly executionId: string; readonly attempt: number } | undefined;
}

/** The number under which inherited outcomes stand: before the first attempt. */
export const INHERITED = 0;

export interface AttemptStart {
  /** From 1; the number is the fencing epoch. */
  readonly attempt: number;
  readonly mode: 'fresh' | 'resume';
  /** Worker session that runs it. */
  readonly worker: string;
  /** The attempt whose journal this one goes on from, {@link INHERITED} for what a fork kept; null for a fresh one. */
  readonly journalFrom: number | null;
  /** How many entries of that journal are kept; null: all. */
  readonly keep: number | null;
  readonly node: string;
  readonly journalVersion: number;
  /** Logical clock at the start, milliseconds since the epoch. */
  readonly clock: number;
  /** 32 random bytes in hex. Hidden from readers of events. */
  readonly seed: string;
}

export interface StepStart {
  readonly attempt: number;
  readonly path: string;
  readonly kind: StepKind;
  readonly name: string;
  readonly argsHash: string;
  readonly request: Payload;
  /** The turn that asked for it, and the logical clock then. */
  readonly turn: number;
  readonly clock: number;
}

export type StoredOutcome =
  | { readonly ok: true; readonly value: Payload }
  | { readonly ok: false; readonly error: TaskErrorData };

export interface StepEnd {
  readonly attempt: number;
  readonly path: string;
  readonly kind: StepKind;
  readonly name: string;
  readonly argsHash: string;
  readonly request: Payload;
  readonly outcome: StoredOutcome;
  /** Logical clock at the call. */
  readonly startedAt: number;
  /** The turn that delivered the outcome, and the logical clock then. */
  readonly turn: number;
  readonly clock: number;
}

/** How an attempt ended; turn and clock fix where timers fell after the last outcome. */
export interface AttemptEnd {
  readonly attempt: number;
  readonly turn: number;
  readonly clock: number;
  /** Wall-clock milliseconds since the first attempt began. */
  readonly durationMs: number;
}

/** Why it failed: a code of our table, and the task's own error. */
export interface Failure {
  readonly code: string;
  readonly error: TaskErrorData;
}

/** Why no process is held: a time to come, other executions, or an answer. */
export type WaitReason = 'sleep' | 'timer' | 'task' | 'input';

export type ExecutionEvent =
  | Fact<'ExecutionRequested', ExecutionRequest>
  | Fact<'ExecutionStarted', AttemptStart>
  | Fact<'StepStarted', StepStart>
  | Fact<'StepCompleted', StepEnd>
  | Fact<
      'ExecutionWaiting',
      {
        readonly attempt: number;
        readonly reason: WaitReason /** Null: until it is answered. */;
        readonly until: string | null;
      }
    >
  /** What somebody answered to an `ask` step; its outcome is recorded when the task has taken it. */
  | Fact<'QuestionAnswered', { readonly attempt: number; readonly path: string; readonly answer: Payload }>
  /** An outcome of the execution that this one branched off. */
  | Fact<'StepInherited', StepEnd>
  | Fact<'AttemptFailed', AttemptEnd & Failure & { readonly retryAt: string }>
  | Fact<'ExecutionCompleted', AttemptEnd & { readonly output: Payload }>
  | Fact<'ExecutionFailed', AttemptEnd & Failure>
  | Fact<'ExecutionCancelRequested', { readonly reason: string | null }>
  | Fact<
      'ExecutionCancelled',
      {
        readonly attempt: number | null;
        /** The turn that delivered the cancellation; null when the task never saw it. */
        readonly turn: number | null;
        readonly clock: number;
        readonly durationMs: number;
        readonly reason: string | null;
      }
    >;

export const EXECUTION_EVENT_TYPES = [
  'ExecutionRequested',
  'ExecutionStarted',
  'StepStarted',
  'StepCompleted',
  'ExecutionWaiting',
  'QuestionAnswered',
  'StepInherited',
  'AttemptFailed',
  'ExecutionCompleted',
  'ExecutionFailed',
  'ExecutionCancelRequested',
  'ExecutionCancelled',
] as const satisfies readonly ExecutionEvent['type'][];

export const TERMINAL_EVENT_TYPES = ['ExecutionCompleted', 'ExecutionFailed', 'ExecutionCancelled'] as const;
export type TerminalEvent = Extract<ExecutionEvent, { type: (typeof TERMINAL_EVENT_TYPES)[number] }>;

export type ExecutionStatus = 'pending' | 'running' | 'waiting' | 'completed' | 'failed' | 'cancelled';

export interface ExistingExecution {
  readonly status: ExecutionStatus;
  readonly request: ExecutionRequest;
  readonly attempts: readonly AttemptStart[];
  /** Calls that left, and outcomes, of all attempts in stored order. */
  readonly started: readonly StepStart[];
  readonly completed: readonly StepEnd[];
  /** Outcomes kept from the execution that this one branched off. */
  readonly inherited: readonly StepEnd[];
  readonly answers: readonly { readonly attempt: number; readonly path: string; readonly answer: Payload }[];
  /** Attempts that failed and were, or will be, tried again. */
  readonly failures: number;
  /** Earliest time to go on, while waiting; null also where only an answer lets it go on. */
  readonly waitUntil: string | null;
  /** What it waits for: a time, others, an answer, or the next attempt. */
  readonly waitingFor: WaitReason | 'retry' | null;
  readonly cancelRequested: boolean;
  readonly end: TerminalEvent | null;
}

export type ExecutionState = { readonly status: 'none' } | ExistingExecution;

export const execution: Evolution<ExecutionState, ExecutionEvent> = { initial: { status: 'none' }, evolve };

function evolve(state: ExecutionState, event: ExecutionEvent): ExecutionState {
  if (event.type === 'ExecutionRequested') return requested(event.data);
  if (state.status === 'none') return state;
  switch (event.type) {
    case 'ExecutionStarted':
      return {
        ...state,
        status: 'running',
        attempts: [...state.attempts, event.data],
        waitUntil: null,
        waitingFor: null,
      };
    case 'StepStarted':
      return { ...state, started: [...state.started, event.data] };
    case 'StepCompleted':
      return { ...state, completed: [...state.completed, event.data] };
    case 'ExecutionWaiting':
      return { ...state, status: 'waiting', waitUntil: event.data.until, waitingFor: event.data.reason };
    case 'QuestionAnswered':
      return { ...state, answers: [...state.answers, event.data] };
    case 'StepInherited':
      return { ...state, inherited: [...state.inherited, event.data] };
    case 'AttemptFailed':
      return {
        ...state,
        status: 'waiting',
        failures: state.failures + 1,
        waitUntil: event.data.retryAt,
        waitingFor: 'retry',
      };
    case 'ExecutionCompleted':
      return { ...state, status: 'completed', end: event };
    case 'ExecutionFailed':
      return { ...state, status: 'failed', end: event };
    case 'ExecutionCancelRequested':
      return { ...state, cancelRequested: true };
    case 'ExecutionCancelled':
      return { ...state, status: 'cancelled', end: event };
    default:
      return event satisfies never;
  }
}

function requested(request: ExecutionRequest): ExistingExecution {
  return {
    status: 'pending',
    request,
    attempts: [],
    started: [],
    completed: [],
    inherited: [],
    answers: [],
    failures: 0,
    waitUntil: request.options.runAt,
    waitingFor: null,
    cancelRequested: false,
    end: null,
  };
}

/** @returns true when nothing more can happen to it. */
export function isFinished(status: ExecutionStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

function attemptOf(state: ExistingExecution, attempt: number): AttemptStart | undefined {
  return state.attempts.find((start) => start.attempt === attempt);
}

/** @returns the ordered journal of an attempt: what it goes on from, then its own outcomes. */
export function journalOf(state: ExistingExecution, attempt: number): readonly StepEnd[] {
  if (attempt === INHERITED) return state.inherited;
  const start = attemptOf(state, attempt);
  if (start === undefined) return [];
  const own = state.completed.filter((step) => step.attempt === attempt);
  if (start.journalFrom === null) return own;
  const earlier = journalOf(state, start.journalFrom);
  return [...(start.keep === null ? earlier : earlier.slice(0, start.keep)), ...own];
}

/** @returns the first attempt of a chain: it fixes the clock and the seed of all that go on from it. */
export function chainRoot(state: ExistingExecution, attempt: number): AttemptStart | undefined {
  const start = attemptOf(state, attempt);
  const isRoot = start === undefined || start.journalFrom === null || start.journalFrom === INHERITED;
  return isRoot ? start : chainRoot(state, start.journalFrom);
}

/** @returns the attempts that share one telemetry numbering with `attempt`: those it resumes, and itself. */
export function telemetryChain(state: ExistingExecution, attempt: number): ReadonlySet<number> {
  const start = attemptOf(state, attempt);
  if (start === undefined || start.mode === 'fresh' || start.journalFrom === null) return new Set([attempt]);
  return new Set([...telemetryChain(state, start.journalFrom), attempt]);
}

/** @returns questions of the last attempt that nobody has answered, in the order they were asked; one that failed asks nothing. */
export function openQuestions(state: ExistingExecution): readonly StepStart[] {
  const last = state.attempts.at(-1);
  if (last === undefined || isFinished(state.status) || state.waitingFor === 'retry') return [];
  return callsWithoutOutcome(state, last.attempt).filter((call) => call.kind === 'ask' && !isAnswered(state, call));
}

function isAnswered(state: ExistingExecution, { path, argsHash }: StepStart): boolean {
  return answersOf(state).get(path)?.argsHash === argsHash;
}

/** @returns calls of an attempt's chain that left and have no stored outcome. */
export function callsWithoutOutcome(state: ExistingExecution, attempt: number): readonly StepStart[] {
  const chain = telemetryChain(state, attempt);
  const known = new Set(journalOf(state, attempt).map((step) => step.path));
  return state.started.filter((step) => chain.has(step.attempt) && !known.has(step.path));
}

/** An answer, and the hash of the question that it was given to. */
export interface GivenAnswer {
  readonly answer: Payload;
  readonly argsHash: string;
}

/**
 * @returns what was answered in this execution, by path of the question: nobody is asked twice, so a later attempt that asks the
 * same takes the same answer.
 */
export function answersOf(state: ExistingExecution): ReadonlyMap<string, GivenAnswer> {
  return new Map(
    state.answers.flatMap(({ attempt, path, answer }) => {
      const question = state.started.find((step) => step.attempt === attempt && step.path === path);
      return question === undefined ? [] : [[path, { answer, argsHash: question.argsHash }] as const];
    }),
  );
}

/** @returns true when the execution may go on now: its time has come, what it waits for may have happened, or it shall end. */
export function isDue(state: ExistingExecution, now: number): boolean {
  if (state.cancelRequested || state.waitingFor === 'task') return true;
  if (state.waitUntil !== null && timeOf(state.waitUntil) <= now) return true;
  if (state.waitingFor !== 'input') return state.waitUntil === null;
  const last = state.attempts.at(-1)?.attempt ?? INHERITED;
  return callsWithoutOutcome(state, last).some((call) => call.kind === 'ask' && isAnswered(state, call));
}

/**
 * @returns how many journal entries are kept when the step at `path` shall be done anew, and all that came after it;
 * null when the journal holds no such step.
 */
export function entriesBefore(journal: readonly StepEnd[], path: string): number | null {
  const index = journal.findIndex((step) => step.path === path || step.path.startsWith(`${path}/`));
  return index < 0 ? null : index;
}

/** @returns how many journal entries stand before the last step that failed; null when none did. */
export function entriesBeforeFailure(journal: readonly StepEnd[]): number | null {
  const index = journal.findLastIndex((step) => step.kind !== 'custom' && hasFailed(step));
  return index < 0 ? null : index;
}

/** An HTTP answer is an outcome like any other in the journal; by its status it is still a failure. */
function hasFailed({ kind, outcome }: StepEnd): boolean {
  if (!outcome.ok) return true;
  if (kind !== 'http' || !('value' in outcome.value)) return false;
  const answer = outcome.value.value;
  if (answer === null || typeof answer !== 'object' || Array.isArray(answer)) return false;
  return 'status' in answer && typeof answer.status === 'number' && answer.status >= 400;
}

/** One live attempt from claim to recorded end: prepares the sandbox, drives the attempt, decides what its result means. */
import { isRatchetError, RatchetError } from '../domain/errors.ts';
import type { Json, Position } from '../domain/event.ts';
import {
  type AttemptStart,
  answersOf,
  callsWithoutOutcome,
  chainRoot,
  type ExecutionEvent,
  type ExecutionRequest,
  type ExistingExecution,
  type Failure,
  INHERITED,
  journalOf,
  type StepEnd,
  telemetryChain,
} from '../domain/execution.ts';
import type { JournalEntry } from '../domain/journal.ts';
import type { Payload } from '../domain/payload.ts';
import { retryDelay } from '../domain/retry.ts';
import type { TaskVersion } from '../domain/task.ts';
import { isoTime } from '../domain/time.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { Sandbox, SandboxLimits, SandboxSession, TaskStart } from '../ports/sandbox.ts';
import type { Sessions } from '../ports/worker-sessions.ts';
import { runAttempt } from './attempt.ts';
import type { AttemptResult } from './attempt-plan.ts';
import { markTelemetry } from './mark-telemetry.ts';
import { type LiveWorld, liveWorld, plainError, type WorldDeps } from './perform-steps.ts';
import type { Place } from './places.ts';
import { type RecordedAttempt, Recording } from './recording.ts';

/** An execution that this worker has claimed; its start is durable. */
export interface Claimed {
  readonly request: ExecutionRequest;
  readonly version: TaskVersion;
  readonly start: AttemptStart;
  /** Null for a first attempt, which has no past. */
  readonly state: ExistingExecution | null;
  readonly streamVersion: number;
  /** How often in a row the process of this execution has died here. */
  readonly crashes: number;
}

/** A process that dies is not the task's fault, until it does so again and again: then the execution fails. */
const MAX_CRASHES = 2;

export type AttemptFact = Extract<
  ExecutionEvent,
  { type: 'ExecutionCompleted' | 'ExecutionFailed' | 'ExecutionCancelled' | 'AttemptFailed' | 'ExecutionWaiting' }
>;

export interface Running {
  /** Asks the task to end. */
  cancel(reason: string | null): void;
  /** Brings the answer to a question that it has asked. */
  answer(path: string, answer: Payload): void;
  /** Breaks the attempt off without recording an end. */
  abort(reason: Error): void;
  /** The fact that ended the attempt, durable. Rejects when it was aborted, fenced, or the store failed. */
  readonly ended: Promise<AttemptFact>;
}

export interface LiveDeps extends WorldDeps {
  readonly sandbox: Sandbox;
  readonly sessions: Pick<Sessions, 'own' | 'isHeld' | 'confirm'>;
  readonly limits: Omit<SandboxLimits, 'memoryMb'>;
}

/** Starts an attempt, which takes its place when one is free and leaves it as soon as the task has ended. */
export function runLive(deps: LiveDeps, claimed: Claimed, place: Place): Running {
  const live = new LiveAttempt(deps, claimed, place);
  return {
    cancel: (reason) => live.cancel(reason),
    answer: (path, answer) => live.answer(path, answer),
    abort: (reason) => live.abort(reason),
    ended: live.run(),
  };
}

class LiveAttempt {
  readonly #deps: LiveDeps;
  readonly #claimed: Claimed;
  readonly #place: Place;
  readonly #cancel = new AbortController();
  readonly #abort = new AbortController();
  #session: SandboxSession | null = null;
  #cancelReason: string | null = null;
  #world: LiveWorld | null = null;
  /** Those that came before there was a world to take them. */
  readonly #answers: [string, Payload][] = [];

  constructor(deps: LiveDeps, claimed: Claimed, place: Place) {
    this.#deps = deps;
    this.#claimed = claimed;
    this.#place = place;
  }

  cancel(reason: string | null): void {
    this.#cancelReason = reason;
    this.#cancel.abort();
  }

  answer(path: string, answer: Payload): void {
    this.#answers.push([path, answer]);
    this.#world?.answer(path, answer);
  }

  abort(reason: Error): void {
    this.#abort.abort(reason);
    this.#session?.kill(reason);
  }

  async run(): Promise<AttemptFact> {
    const recording = new Recording(this.#deps, await this.#recorded());
    const fact = await this.#outcome(recording).finally(() => this.#place.leave());
    this.#tell(fact, await recording.end(fact));
    return fact;
  }

  async #outcome(recording: Recording): Promise<AttemptFact> {
    try {
      return await this.#fact(await this.#drive(recording));
    } catch (error) {
      if (!isRatchetError(error) || !isTasksFault(error)) throw error;
      if (error.code === 'sandbox_crashed' && this.#claimed.crashes < MAX_CRASHES) throw error;
      return this.#failed(failureOf(error), { turn: 0, clock: this.#claimed.start.clock });
    }
  }

  async #drive(recording: Recording): Promise<AttemptResult> {
    const { request, start, state } = this.#claimed;
    const { sandbox, limits, runtime, blobs } = this.#deps;
    const taskStart = await taskStartOf(this.#deps, this.#claimed);
    const journal = state === null ? [] : await resolveJournal(blobs, journalOf(state, start.attempt));
    const unknown = new Set(state === null ? [] : callsWithoutOutcome(state, start.attempt).map(({ path }) => path));
    const answers = state === null ? new Map() : answersOf(state);
    const { worker } = start;
    const { sessions } = this.#deps;
    const lease = {
      isHeld: () => sessions.own === worker && sessions.isHeld(),
      confirm: (signal: AbortSignal) => sessions.confirm(worker, signal),
    };
    const world = liveWorld(this.#deps, { request, recording, worker, lease, unknown, answers });
    this.#world = world;
    for (const [path, answer] of this.#answers) world.answer(path, answer);
    const session = await this.#enter(request, sandbox, limits);
    if (session === null) return { kind: 'cancelled', seen: false, turn: 0, clock: start.clock };
    this.#session = session;
    const deadline = setTimeout(() => this.abort(overdue(request.options.timeoutMs)), request.options.timeoutMs);
    try {
      this.#abort.signal.throwIfAborted();
      return await runAttempt({
        session: this.#session,
        start: taskStart,
        journal,
        runtime,
        recorder: recording,
        then: { kind: 'live', world },
        cancel: this.#cancel.signal,
        abort: this.#abort.signal,
        onIdle: (isIdle) => this.#place.idle(isIdle),
      });
    } finally {
      clearTimeout(deadline);
      this.#session.release();
    }
  }

  /** Waits for a place and a process; null when it was cancelled before it had both. */
  async #enter(
    request: ExecutionRequest,
    sandbox: Sandbox,
    limits: LiveDeps['limits'],
  ): Promise<SandboxSession | null> {
    const stop = AbortSignal.any([this.#abort.signal, this.#cancel.signal]);
    try {
      stop.throwIfAborted();
      await this.#place.take(request.options.priority, stop);
      return await sandbox.open({ ...limits, memoryMb: request.options.memoryMb }, stop);
    } catch (error) {
      if (this.#cancel.signal.aborted && !this.#abort.signal.aborted) return null;
      throw error;
    }
  }

  async #fact(result: AttemptResult): Promise<AttemptFact> {
    const { attempt } = this.#claimed.start;
    switch (result.kind) {
      case 'returned':
        return this.#returned(result);
      case 'threw':
        return this.#failed({ code: codeOf(result.error), error: result.error }, result);
      case 'cancelled': {
        const { seen, turn, clock } = result;
        const data = {
          attempt,
          turn: seen ? turn : null,
          clock,
          durationMs: this.#duration(),
          reason: this.#cancelReason,
        };
        return { type: 'ExecutionCancelled', data };
      }
      case 'parked':
        return {
          type: 'ExecutionWaiting',
          data: { attempt, reason: result.reason, until: result.until === null ? null : isoTime(result.until) },
        };
      case 'exhausted':
        throw new RatchetError('internal', 'a live attempt has no record that could be exhausted');
      default:
        return result satisfies never;
    }
  }

  async #returned(result: Extract<AttemptResult, { kind: 'returned' }>): Promise<AttemptFact> {
    const { version, start } = this.#claimed;
    const output: Json = JSON.parse(result.output);
    const schema = this.#deps.schemas.compile(await this.#deps.blobs.get(version.outputSchema));
    const problem = schema.check(output)[0];
    if (problem !== undefined) {
      const message = `output${problem.path}: ${problem.message}`;
      const error = plainError('ValidationError', message, { code: 'output_schema_violation', path: problem.path });
      return this.#failed({ code: 'output_schema_violation', error }, result);
    }
    const { turn, clock } = result;
    const data = {
      attempt: start.attempt,
      turn,
      clock,
      durationMs: this.#duration(),
      output: await this.#deps.blobs.put(output),
    };
    return { type: 'ExecutionCompleted', data };
  }

  #failed(failure: Failure, { turn, clock }: { turn: number; clock: number }): AttemptFact {
    const { request, state, start } = this.#claimed;
    const data = { attempt: start.attempt, turn, clock, durationMs: this.#duration(), ...failure };
    const delay = retryDelay(request.options.retry, state?.failures ?? 0, failure, this.#deps.runtime.random());
    if (delay === null) return { type: 'ExecutionFailed', data };
    return { type: 'AttemptFailed', data: { ...data, retryAt: isoTime(this.#deps.runtime.now() + delay) } };
  }

  #duration(): number {
    const { state, start } = this.#claimed;
    return Math.max(0, this.#deps.runtime.now() - (state?.attempts[0]?.clock ?? start.clock));
  }

  #tell(fact: AttemptFact, position: Position): void {
    if (fact.type === 'ExecutionWaiting' || fact.type === 'AttemptFailed') return;
    this.#deps.completions.settle(this.#claimed.request.executionId, { event: fact, position });
  }

  async #recorded(): Promise<RecordedAttempt> {
    const { request, start, state, streamVersion } = this.#claimed;
    const base = { request, start, version: streamVersion };
    if (state === null || start.attempt === 1) {
      return { ...base, chainAttempt: start.attempt, telemetry: { version: -1, stored: 0 } };
    }
    const chain = telemetryChain(state, start.attempt);
    return {
      ...base,
      chainAttempt: Math.min(...chain),
      telemetry: await markTelemetry(this.#deps, { executionId: request.executionId, start, chain }),
    };
  }
}

function overdue(timeoutMs: number): RatchetError {
  return new RatchetError('execution_timeout', `the task did not end within ${timeoutMs / 1000} s`);
}

/** What the sandbox is started with: from the recorded start, so that every run of the attempt begins alike. */
export async function taskStartOf(
  deps: { readonly sandbox: Pick<Sandbox, 'prepare'>; readonly blobs: Blobs },
  { request, version, start, state }: Pick<Claimed, 'request' | 'version' | 'start' | 'state'>,
): Promise<TaskStart> {
  const code = await deps.blobs.get(version.code);
  if (typeof code !== 'string') throw new RatchetError('store_corrupt', `the code of ${request.task.name} is not text`);
  const root = (state === null ? undefined : chainRoot(state, start.attempt)) ?? start;
  const isForked = root.journalFrom === INHERITED;
  const self = (isForked ? request.fork?.context : undefined) ?? {
    executionId: request.executionId,
    attempt: root.attempt,
  };
  return {
    code: deps.sandbox.prepare(code, version.file),
    input: JSON.stringify(await deps.blobs.get(request.input)),
    context: {
      executionId: self.executionId,
      taskId: request.task.id,
      taskVersion: String(request.task.version),
      jobId: self.executionId,
      attempt: self.attempt,
    },
    clock: root.clock,
    seed: root.seed,
    style: version.style,
  };
}

/** @returns journal entries with their payloads read. */
export function resolveJournal(blobs: Blobs, steps: readonly StepEnd[]): Promise<readonly JournalEntry[]> {
  return Promise.all(
    steps.map(async ({ path, kind, name, argsHash, turn, clock, ...step }) => {
      const request = await blobs.get(step.request);
      const outcome = step.outcome.ok
        ? { ok: true as const, value: await blobs.get(step.outcome.value) }
        : step.outcome;
      if (request === null || typeof request !== 'object' || Array.isArray(request)) {
        throw new RatchetError('store_corrupt', `the request of step ${path} is not an object`);
      }
      return { path, kind, name, argsHash, turn, clock, request: request as JournalEntry['request'], outcome };
    }),
  );
}

/** @returns true for an error that ends an execution as failed, because its code or data brought it about. */
export function isTasksFault(error: RatchetError): boolean {
  const blamed = [
    'replay_mismatch',
    'syntax_error',
    'invalid_task',
    'invalid_entry_point',
    'sandbox_crashed',
    'task_stalled',
    'payload_too_large',
    'invalid_request',
  ];
  return blamed.includes(error.code) || /_limit_exceeded$|_too_large$|_timeout$|^sandbox_/.test(error.code);
}

/** @returns the failure that an error beside the task's own stands for. */
export function failureOf(error: RatchetError): Failure {
  const name = error.code === 'execution_timeout' ? 'TimeoutError' : 'SandboxError';
  return { code: error.code, error: plainError(name, error.message, { code: error.code }) };
}

/** @returns the code under which an error that the task threw is recorded. */
export function codeOf(error: Failure['error']): string {
  if (error.data['code'] === 'invalid_entry_point') return 'invalid_entry_point';
  // How the engine tells a task that memory outside the heap has run out.
  const isOutOfMemory = error.name === 'RangeError' && error.message === 'Array buffer allocation failed';
  return isOutOfMemory ? 'memory_limit_exceeded' : 'task_failed';
}

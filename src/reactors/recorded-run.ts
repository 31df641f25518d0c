/** Reads from the events what an ended attempt was made of, so that every kind of replay starts from the same record. */
import { isRatchetError, RatchetError } from '../domain/errors.ts';
import { type StoredEvent, streamName } from '../domain/event.ts';
import {
  type AttemptStart,
  type ExecutionEvent,
  type ExistingExecution,
  execution,
  journalOf,
  type StepEnd,
} from '../domain/execution.ts';
import { decode } from '../domain/history.ts';
import { JOURNAL_VERSION, type JournalEntry } from '../domain/journal.ts';
import type { TaskVersion } from '../domain/task.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { EventStore } from '../ports/event-store.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { Sandbox, SandboxLimits, TaskStart } from '../ports/sandbox.ts';
import type { TaskDirectory } from '../ports/task-directory.ts';
import type { Ending } from './attempt-plan.ts';
import { resolveJournal, taskStartOf } from './live-attempt.ts';

export interface RecordedRunDeps {
  readonly store: EventStore;
  readonly blobs: Blobs;
  readonly runtime: Runtime;
  readonly sandbox: Pick<Sandbox, 'prepare'>;
  readonly directory: TaskDirectory;
  readonly limits: Omit<SandboxLimits, 'memoryMb'>;
}

/** A fact that ends an attempt. */
export type AttemptEnded = Extract<
  ExecutionEvent,
  { type: 'ExecutionCompleted' | 'ExecutionFailed' | 'ExecutionCancelled' | 'AttemptFailed' }
>;

/** One ended attempt, with all that it takes to run it again. */
export interface RecordedRun {
  readonly executionId: string;
  readonly state: ExistingExecution;
  readonly start: AttemptStart;
  readonly ended: AttemptEnded;
  /** How the last turn fell; null when the attempt was ended from outside (a deadline, a killed process), so that no turn is the last. */
  readonly ending: Ending | null;
  readonly version: TaskVersion;
  readonly taskStart: TaskStart;
  /** False where other code stands in for the recorded one, which is gone. */
  readonly isRecordedCode: boolean;
  /** Journal with its payloads read, and the same entries as stored. */
  readonly journal: readonly JournalEntry[];
  readonly steps: readonly StepEnd[];
  readonly limits: SandboxLimits;
}

/**
 * @param attempt the last one that has ended when null
 * @param standIn code to take where the recorded one is gone
 * Fails with `execution_not_found`, `execution_running`, `not_replayable` (details say why), `code_gone` or `journal_too_new`.
 */
export async function recordedRun(
  deps: RecordedRunDeps,
  executionId: string,
  attempt: number | null,
  standIn: string | null = null,
): Promise<RecordedRun> {
  const events = decoded(await deps.store.readStream(streamName('execution', executionId)));
  const state = events.reduce(execution.evolve, execution.initial);
  if (state.status === 'none') {
    throw new RatchetError('execution_not_found', `there is no execution ${executionId}`, { details: { executionId } });
  }
  const ended = endOf(events, attempt);
  const start = state.attempts.find((candidate) => candidate.attempt === ended?.data.attempt);
  if (ended === undefined || start === undefined) throw noEnd(state, executionId);
  if (start.journalVersion > JOURNAL_VERSION) throw tooNew(`journal version ${start.journalVersion}`);
  const version = deps.directory
    .find(state.request.task.id)
    ?.versions.find((candidate) => candidate.version === state.request.task.version);
  if (version === undefined) throw codeGone(state);
  const steps = journalOf(state, start.attempt);
  const journal = await resolveJournal(deps.blobs, steps);
  const asked = { request: state.request, start, state };
  let isRecordedCode = true;
  const taskStart = await taskStartOf(deps, { ...asked, version }).catch((error: unknown) => {
    if (!isRatchetError(error, 'blob_not_found')) throw error;
    if (standIn === null) throw codeGone(state, error);
    isRecordedCode = false;
    return taskStartOf(deps, { ...asked, version: { ...version, code: { value: standIn } } });
  });
  const limits = { ...deps.limits, memoryMb: state.request.options.memoryMb };
  return {
    executionId,
    state,
    start,
    ended,
    ending: endingOf(ended),
    version,
    taskStart,
    isRecordedCode,
    journal,
    steps,
    limits,
  };
}

function decoded(events: readonly StoredEvent[]): readonly ExecutionEvent[] {
  try {
    return events.map((stored) => decode<ExecutionEvent>(stored));
  } catch (error) {
    throw isRatchetError(error, 'unsupported') ? tooNew(error.message, error) : error;
  }
}

function tooNew(what: string, cause?: unknown): RatchetError {
  return new RatchetError('journal_too_new', `the record is newer than this program: ${what}`, { cause });
}

function codeGone({ request }: ExistingExecution, cause?: unknown): RatchetError {
  const { name, version } = request.task;
  const details = { task: name, version, executionId: request.executionId };
  return new RatchetError('code_gone', `the code of ${name} version ${version} is not in the store`, {
    cause,
    details,
  });
}

function noEnd(state: ExistingExecution, executionId: string): RatchetError {
  const details = { executionId, status: state.status };
  if (state.status === 'running' || state.status === 'waiting' || state.status === 'pending') {
    return new RatchetError('execution_running', `execution ${executionId} is ${state.status}: no attempt has ended`, {
      details,
    });
  }
  return notReplayable(executionId, 'no such attempt of it has run and ended');
}

/** @returns the error for an execution whose record does not hold what a replay needs. */
export function notReplayable(executionId: string, why: string): RatchetError {
  return new RatchetError('not_replayable', `execution ${executionId} can not be replayed: ${why}`, {
    details: { executionId, why },
  });
}

function endOf(events: readonly ExecutionEvent[], attempt: number | null): AttemptEnded | undefined {
  return events.findLast(
    (event): event is AttemptEnded =>
      (event.type === 'ExecutionCompleted' ||
        event.type === 'ExecutionFailed' ||
        event.type === 'ExecutionCancelled' ||
        event.type === 'AttemptFailed') &&
      (attempt === null || event.data.attempt === attempt),
  );
}

function endingOf(ended: AttemptEnded): Ending | null {
  const { turn, clock } = ended.data;
  if (turn === null || turn === 0) return null;
  switch (ended.type) {
    case 'ExecutionCompleted':
      return { kind: 'returned', turn, clock };
    case 'ExecutionCancelled':
      return { kind: 'cancelled', turn, clock };
    case 'ExecutionFailed':
    case 'AttemptFailed':
      return { kind: ended.data.code === 'output_schema_violation' ? 'returned' : 'threw', turn, clock };
    default:
      return ended satisfies never;
  }
}

/** Runs an execution again on its journal, with no world at all, and says whether everything came out the same. */
import { RatchetError } from '../domain/errors.ts';
import { type Json, streamName } from '../domain/event.ts';
import {
  type ExecutionEvent,
  type ExistingExecution,
  execution,
  journalOf,
  telemetryChain,
} from '../domain/execution.ts';
import { decode } from '../domain/history.ts';
import { canonicalJson, LOG_LEVELS, type Telemetry } from '../domain/journal.ts';
import type { ReplayDifference, ReplayResult } from '../domain/replay.ts';
import type { TelemetryEvent } from '../domain/telemetry.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { EventStore } from '../ports/event-store.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { Sandbox, SandboxLimits } from '../ports/sandbox.ts';
import type { TaskDirectory } from '../ports/task-directory.ts';
import { runAttempt } from './attempt.ts';
import type { AttemptResult, Ending } from './attempt-plan.ts';
import { resolveJournal, taskStartOf } from './live-attempt.ts';
import { plainError } from './perform-steps.ts';

export interface ReplayDeps {
  readonly store: EventStore;
  readonly blobs: Blobs;
  readonly runtime: Runtime;
  readonly sandbox: Sandbox;
  readonly directory: TaskDirectory;
  readonly limits: Omit<SandboxLimits, 'memoryMb'>;
}

type Ended = Extract<
  ExecutionEvent,
  { type: 'ExecutionCompleted' | 'ExecutionFailed' | 'ExecutionCancelled' | 'AttemptFailed' }
>;

/**
 * Replays the last ended attempt of an execution, or the given one, with the recorded code.
 * Fails with `execution_not_found`, `not_replayable`, `task_not_found`, or `replay_mismatch` (details: expected, actual).
 */
export async function replayFaithfully(deps: ReplayDeps, executionId: string, attempt?: number): Promise<ReplayResult> {
  const events = (await deps.store.readStream(streamName('execution', executionId))).map((stored) =>
    decode<ExecutionEvent>(stored),
  );
  const state = events.reduce(execution.evolve, execution.initial);
  if (state.status === 'none') {
    throw new RatchetError('execution_not_found', `there is no execution ${executionId}`, { details: { executionId } });
  }
  const ended = endOf(events, attempt);
  const start = state.attempts.find((candidate) => candidate.attempt === ended?.data.attempt);
  if (ended === undefined || start === undefined) throw notReplayable(executionId, 'no attempt of it has ended');
  const ending = endingOf(ended);
  if (ending === null)
    throw notReplayable(executionId, 'the attempt was ended from outside, so its end is not in the journal');
  const version = deps.directory
    .find(state.request.task.id)
    ?.versions.find((v) => v.version === state.request.task.version);
  if (version === undefined) throw notReplayable(executionId, 'its code version is gone');

  const told: Telemetry[] = [];
  const abort = new AbortController();
  const taskStart = await taskStartOf(deps, { request: state.request, version, start, state });
  const journal = await resolveJournal(deps.blobs, journalOf(state, start.attempt));
  const session = await deps.sandbox.open({ ...deps.limits, memoryMb: state.request.options.memoryMb });
  const deadline = setTimeout(() => {
    const error = new RatchetError('execution_timeout', 'the replay did not end in time');
    abort.abort(error);
    session.kill(error);
  }, state.request.options.timeoutMs);
  try {
    const result = await runAttempt({
      session,
      start: taskStart,
      journal,
      runtime: deps.runtime,
      recorder: { stepCompleted: async () => undefined, telemetry: (records) => void told.push(...records) },
      // biome-ignore lint/suspicious/noThenProperty: a plan is data, not a promise
      then: { kind: 'replay', ending },
      cancel: new AbortController().signal,
      abort: abort.signal,
      onIdle: () => undefined,
    });
    return await compared(deps, {
      state,
      ended,
      attempt: start.attempt,
      told,
      result,
      steps: journal.length,
      node: start.node,
    });
  } finally {
    clearTimeout(deadline);
    session.release();
  }
}

function notReplayable(executionId: string, why: string): RatchetError {
  return new RatchetError('not_replayable', `execution ${executionId} can not be replayed: ${why}`, {
    details: { executionId },
  });
}

function endOf(events: readonly ExecutionEvent[], attempt: number | undefined): Ended | undefined {
  return events.findLast(
    (event): event is Ended =>
      (event.type === 'ExecutionCompleted' ||
        event.type === 'ExecutionFailed' ||
        event.type === 'ExecutionCancelled' ||
        event.type === 'AttemptFailed') &&
      (attempt === undefined || event.data.attempt === attempt),
  );
}

/** Null when the attempt was killed: then no turn is its last one. */
function endingOf(ended: Ended): Ending | null {
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

interface Replayed {
  readonly state: ExistingExecution;
  readonly ended: Ended;
  readonly attempt: number;
  readonly told: readonly Telemetry[];
  readonly result: AttemptResult;
  readonly steps: number;
  readonly node: string;
}

async function compared(deps: ReplayDeps, replayed: Replayed): Promise<ReplayResult> {
  const { state, ended, attempt, told, result, steps, node } = replayed;
  const differences: ReplayDifference[] = [];
  const compare = (what: ReplayDifference['what'], expected: Json, actual: Json): void => {
    if (canonicalJson(expected) !== canonicalJson(actual)) differences.push({ what, expected, actual });
  };
  const output: Json = result.kind === 'returned' ? JSON.parse(result.output) : null;
  const error = result.kind === 'threw' ? { name: result.error.name, message: result.error.message } : null;
  if (ended.type === 'ExecutionCompleted') compare('output', await deps.blobs.get(ended.data.output), output);
  if (error !== null && (ended.type === 'ExecutionFailed' || ended.type === 'AttemptFailed')) {
    const recorded = ended.data.error ?? plainError('Error', '');
    compare('error', { name: recorded.name, message: recorded.message }, error);
  }
  const minLevel = LOG_LEVELS.indexOf(state.request.options.logLevel);
  const actual = told
    .filter((record) => record.kind !== 'log' || LOG_LEVELS.indexOf(record.level) >= minLevel)
    .map(comparable);
  const expected = await recordedTelemetry(deps, state, attempt);
  for (let index = 0; index < Math.max(actual.length, expected.length); index += 1) {
    const [was, is] = [expected[index], actual[index]];
    compare(was?.what ?? is?.what ?? 'log', was?.value ?? null, is?.value ?? null);
  }
  const recordedOnNode = node === process.version ? null : node;
  const identical = differences.length === 0;
  return {
    executionId: state.request.executionId,
    attempt,
    identical,
    differences,
    steps,
    turns: result.turn,
    result: result.kind,
    output,
    error,
    recordedOnNode,
  };
}

interface Comparable {
  readonly what: 'log' | 'span' | 'progress';
  readonly value: Json;
}

function comparable(record: Telemetry): Comparable {
  switch (record.kind) {
    case 'log':
      return {
        what: 'log',
        value: { level: record.level, message: record.message, fields: record.fields, clock: record.clock },
      };
    case 'span': {
      const { name, startedAt, endedAt, ok } = record;
      return { what: 'span', value: { name, startedAt, endedAt, ok } };
    }
    case 'progress':
      return {
        what: 'progress',
        value: { progress: record.progress, message: record.message, data: record.data, clock: record.clock },
      };
    default:
      return record satisfies never;
  }
}

async function recordedTelemetry(
  deps: ReplayDeps,
  state: ExistingExecution,
  attempt: number,
): Promise<readonly Comparable[]> {
  const chain = telemetryChain(state, attempt);
  const stored = await deps.store.readStream(streamName('telemetry', state.request.executionId));
  return stored
    .map((event) => decode<TelemetryEvent>(event))
    .flatMap((event): readonly (Comparable & { ordinal: number })[] => {
      if (event.type === 'TelemetryAttemptMarked' || !chain.has(event.data.attempt)) return [];
      const { ordinal } = event.data;
      switch (event.type) {
        case 'LogLineWritten': {
          const { level, message, fields, clock } = event.data;
          return [{ ordinal, what: 'log', value: { level, message, fields, clock } }];
        }
        case 'SpanRecorded': {
          const { name, startedAt, endedAt, ok } = event.data;
          return [{ ordinal, what: 'span', value: { name, startedAt, endedAt, ok } }];
        }
        case 'ProgressReported': {
          const { progress, message, data, clock } = event.data;
          return [{ ordinal, what: 'progress', value: { progress, message, data, clock } }];
        }
        default:
          return event satisfies never;
      }
    })
    .sort((a, b) => a.ordinal - b.ordinal);
}

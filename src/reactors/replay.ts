/** Runs an execution again on its journal, with no world at all, and says whether everything came out the same. */
import { isRatchetError, RatchetError } from '../domain/errors.ts';
import { type Json, streamName } from '../domain/event.ts';
import { type ExistingExecution, telemetryChain } from '../domain/execution.ts';
import { decode } from '../domain/history.ts';
import { canonicalJson, LOG_LEVELS, type Telemetry } from '../domain/journal.ts';
import type { ReplayDifference, ReplayResult } from '../domain/replay.ts';
import type { TelemetryEvent } from '../domain/telemetry.ts';
import type { Delivery, Sandbox } from '../ports/sandbox.ts';
import { runAttempt } from './attempt.ts';
import type { AttemptResult } from './attempt-plan.ts';
import { placeOfMismatch, remembering } from './mismatch-line.ts';
import { plainError } from './perform-steps.ts';
import { type AttemptEnded, notReplayable, type RecordedRun, type RecordedRunDeps } from './recorded-run.ts';
import { inReplaySession } from './replay-session.ts';

export interface ReplayDeps extends RecordedRunDeps {
  readonly sandbox: Sandbox;
}

/**
 * Replays an ended attempt with the recorded code.
 * Fails with `not_replayable` for an attempt that was ended from outside, or `replay_mismatch` (details: expected, actual, and
 * line and lineText of the actual call where they can be known).
 */
export async function replayFaithfully(deps: ReplayDeps, run: RecordedRun): Promise<ReplayResult> {
  const { state, ended, ending, start, journal } = run;
  if (ending === null) {
    throw notReplayable(run.executionId, 'the attempt was ended from outside, so its end is not in the journal');
  }
  const told: Telemetry[] = [];
  const limits = { limits: run.limits, timeoutMs: state.request.options.timeoutMs, what: 'the replay' };
  const deliveries: Delivery[] = [];
  const result = await inReplaySession(deps.sandbox, limits, (session, abort) =>
    runAttempt({
      session: remembering(session, deliveries),
      start: run.taskStart,
      journal,
      runtime: deps.runtime,
      recorder: { stepCompleted: async () => undefined, telemetry: (records) => void told.push(...records) },
      // biome-ignore lint/suspicious/noThenProperty: a plan is data, not a promise
      then: { kind: 'replay', ending },
      cancel: new AbortController().signal,
      abort,
      onIdle: () => undefined,
    }),
  ).catch(async (error: unknown) => {
    if (!isRatchetError(error, 'replay_mismatch')) throw error;
    const place = await placeOfMismatch(deps, run, error, deliveries);
    if (place === null) throw error;
    throw new RatchetError(error.code, error.message, { details: { ...error.details, ...place }, cause: error });
  });
  const { attempt, node } = start;
  return compared(deps, { state, ended, attempt, told, result, steps: journal.length, node });
}

interface Replayed {
  readonly state: ExistingExecution;
  readonly ended: AttemptEnded;
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
    result: endedAs(result),
    output,
    error,
    recordedOnNode,
  };
}

/** A record with an end is never followed beyond it. */
function endedAs({ kind }: AttemptResult): ReplayResult['result'] {
  if (kind === 'exhausted') throw new RatchetError('internal', 'the record has an end, and was exhausted before it');
  return kind;
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

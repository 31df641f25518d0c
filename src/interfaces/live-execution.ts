/** One execution live: its status, its log lines or its spans, from the beginning to its end. */
import { z } from 'zod';
import { idOf, type Position, START, type StoredEvent, streamName } from '../domain/event.ts';
import { TERMINAL_EVENT_TYPES } from '../domain/execution.ts';
import { decode } from '../domain/history.ts';
import { LOG_LEVELS } from '../domain/journal.ts';
import type { TelemetryEvent } from '../domain/telemetry.ts';
import { isoTime } from '../domain/time.ts';
import type { LiveMessage, OpenLive, Watch } from './live-watch.ts';
import { parse } from './operation.ts';
import { assertPosition } from './problems.ts';
import { record } from './rest-request.ts';

const ENDED: ReadonlySet<unknown> = new Set(['completed', 'failed', 'cancelled']);
const TERMINAL: ReadonlySet<string> = new Set(TERMINAL_EVENT_TYPES);

/** Facts after which the status may be another. */
const STATUS_TYPES = [
  ...TERMINAL_EVENT_TYPES,
  'ExecutionStarted',
  'ExecutionWaiting',
  'AttemptFailed',
  'QuestionAnswered',
  'ExecutionCancelRequested',
  'StepStarted',
  'ProgressReported',
] as const;

const statusInput = z.strictObject({ execution_id: z.string().min(1).max(64) });

/** `status`: the answer of the operation, at once and after each change; `end` when it has ended. */
export const executionLive: OpenLive = async (watch, input) => {
  const { execution_id: executionId } = parse(statusInput, input);
  const { store } = watch.core.query;
  const position = await store.head();
  const first = await statusAt(watch, executionId, position);
  await refuseBadId(watch);
  if (isTold(watch, first)) return null;
  return (async function* (): AsyncGenerator<LiveMessage, void> {
    yield { id: position, event: 'status', data: first };
    if (ENDED.has(first['status'])) return yield endOf(first);
    const filter = { categories: ['execution', 'telemetry'], types: STATUS_TYPES } as const;
    for await (const page of store.subscribe(position, filter, watch.signal)) {
      const last = page.events.findLast(({ stream }) => idOf(stream) === executionId);
      if (last === undefined) continue;
      const told = await statusAt(watch, executionId, last.position);
      yield { id: last.position, event: 'status', data: told };
      if (ENDED.has(told['status'])) return yield endOf(told);
    }
  })();
};

async function statusAt({ core, operation, caller }: Watch, executionId: string, minPosition: Position) {
  return record(await operation.run(core, { execution_id: executionId }, { ...caller, minPosition }));
}

function endOf(told: Readonly<Record<string, unknown>>): LiveMessage {
  const { execution_id, status, position } = told;
  return { id: String(position), event: 'end', data: { execution_id, status, position } };
}

/** Whether the client has been told the end already. */
function isTold({ caller }: Watch, { status, position }: Readonly<Record<string, unknown>>): boolean {
  return caller.lastId !== null && ENDED.has(status) && caller.lastId >= String(position);
}

/** Fails with `invalid_request` for a last id that is no position. */
async function refuseBadId({ core, caller }: Watch): Promise<void> {
  if (caller.lastId !== null) await assertPosition(core.query.store, caller.lastId, 'last-event-id');
}

const logsInput = statusInput.extend({
  level: z.enum(LOG_LEVELS).default('trace'),
  search: z.string().max(256).optional(),
  attempt: z.coerce.number().int().positive().optional(),
});

/** `log`: each log line, from the first on; `end` when the execution has ended. */
export const logsLive: OpenLive = async (watch, input) => {
  const { execution_id, level, search, attempt } = parse(logsInput, input);
  const least = LOG_LEVELS.indexOf(level);
  const wanted = search?.toLowerCase();
  return telemetry(watch, execution_id, 'LogLineWritten', (event, { position }) => {
    if (event.type !== 'LogLineWritten') return null;
    const { data } = event;
    const isWanted =
      LOG_LEVELS.indexOf(data.level) >= least &&
      (attempt === undefined || data.attempt === attempt) &&
      (wanted === undefined || data.message.toLowerCase().includes(wanted));
    if (!isWanted) return null;
    const line = {
      timestamp: isoTime(data.clock),
      level: data.level,
      message: data.message,
      context: data.fields,
      attempt: data.attempt,
      ordinal: data.ordinal,
      span_id: data.spanId,
      trace_id: data.traceId,
      position,
    };
    return { id: position, event: 'log', data: line };
  });
};

const traceInput = statusInput.extend({ attempt: z.coerce.number().int().positive().optional() });

/** `span`: each span as it ends; `end` when the execution has ended. */
export const traceLive: OpenLive = async (watch, input) => {
  const { execution_id, attempt } = parse(traceInput, input);
  return telemetry(watch, execution_id, 'SpanRecorded', (event, { position }) => {
    if (event.type !== 'SpanRecorded' || (attempt !== undefined && event.data.attempt !== attempt)) return null;
    const { data } = event;
    const span = {
      span_id: data.spanId,
      parent_span_id: data.parentSpanId,
      name: data.name,
      kind: data.kind,
      start_time: isoTime(data.startedAt),
      duration_ms: data.endedAt - data.startedAt,
      status: data.ok ? 'ok' : 'error',
      attributes: data.attributes,
      attempt: data.attempt,
    };
    return { id: position, event: 'span', data: span };
  });
};

/** What is stored is read from its stream, what comes from the log after the head that was taken before. */
async function telemetry(
  watch: Watch,
  executionId: string,
  type: 'LogLineWritten' | 'SpanRecorded',
  tell: (event: TelemetryEvent, stored: StoredEvent) => LiveMessage | null,
): Promise<AsyncIterable<LiveMessage> | null> {
  const { core, operation, caller, signal } = watch;
  const { store } = core.query;
  await refuseBadId(watch);
  const after = caller.lastId ?? START;
  // Asked as anybody would ask, for all that is refused there.
  await operation.run(core, { execution_id: executionId, ...LEAST[operation.name] }, caller);
  const head = await store.head();
  const end = await endStored(watch, executionId);
  if (end !== null && after >= end.position) return null;
  const stream = streamName('telemetry', executionId);
  const told = (stored: StoredEvent): LiveMessage | null =>
    stored.type === type && stored.position > after ? tell(decode<TelemetryEvent>(stored), stored) : null;
  return (async function* (): AsyncGenerator<LiveMessage, void> {
    let version = -1;
    for (
      let page = await readOn(watch, stream, version);
      page.length > 0;
      page = await readOn(watch, stream, version)
    ) {
      for (const stored of page) {
        version = stored.version;
        const message = told(stored);
        if (message !== null) yield message;
      }
    }
    if (end !== null) return yield endMessage(executionId, end);
    const filter = { categories: ['execution', 'telemetry'], types: [type, ...TERMINAL_EVENT_TYPES] } as const;
    for await (const page of store.subscribe(head, filter, signal)) {
      for (const stored of page.events) {
        if (idOf(stored.stream) !== executionId) continue;
        // All telemetry of an attempt is stored before its end.
        if (TERMINAL.has(stored.type)) return yield endMessage(executionId, stored);
        const message = stored.version > version ? told(stored) : null;
        if (message !== null) yield message;
      }
    }
  })();
}

/** The smallest answer of each operation. */
const LEAST: Readonly<Record<string, object>> = {
  get_execution_logs: { limit: 1 },
  get_execution_trace: { analysis: false },
};

const PAGE = 1_000;

function readOn({ core }: Watch, stream: string, version: number): Promise<readonly StoredEvent[]> {
  return core.query.store.readStream(stream, { from: version + 1, limit: PAGE });
}

async function endStored({ core }: Watch, executionId: string): Promise<StoredEvent | null> {
  const events = await core.query.store.readStream(streamName('execution', executionId));
  return events.findLast(({ type }) => TERMINAL.has(type)) ?? null;
}

const STATUS_OF: Readonly<Record<string, string>> = {
  ExecutionCompleted: 'completed',
  ExecutionFailed: 'failed',
  ExecutionCancelled: 'cancelled',
};

function endMessage(execution_id: string, { type, position }: StoredEvent): LiveMessage {
  return { id: position, event: 'end', data: { execution_id, status: STATUS_OF[type] ?? type, position } };
}

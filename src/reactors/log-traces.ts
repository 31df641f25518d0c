/** Writes the trace of each execution that ends into the server's log, for those who watch logs rather than read models. */
import { idOf, streamName } from '../domain/event.ts';
import { TERMINAL_EVENT_TYPES, type TerminalEvent } from '../domain/execution.ts';
import { decode } from '../domain/history.ts';
import type { TelemetryEvent } from '../domain/telemetry.ts';
import type { EventPage, EventStore } from '../ports/event-store.ts';
import { keepFollowing } from './keep-following.ts';

/** Longer traces are told by their first spans; the rest is where the line says. */
const MOST_SPANS = 100;
const TELEMETRY_READ = 5_000;

export interface LoggedTrace {
  readonly executionId: string;
  readonly outcome: TerminalEvent['type'];
  readonly durationMs: number;
  readonly spans: readonly {
    readonly name: string;
    readonly kind: string;
    readonly ms: number;
    readonly ok: boolean;
  }[];
  readonly omitted: number;
  readonly trace_url: string;
}

/** @param log told each trace; from the executions that end after now, until `signal` aborts */
export async function logTraces(
  store: EventStore,
  log: (trace: LoggedTrace) => void,
  onTrouble: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const onPage = async ({ events }: EventPage): Promise<void> => {
    for (const stored of events) log(await traceOf(store, idOf(stored.stream), decode<TerminalEvent>(stored)));
  };
  const filter = { categories: ['execution'], types: TERMINAL_EVENT_TYPES } as const;
  await keepFollowing(store, { from: await store.head(), filter, onPage, onTrouble }, signal);
}

async function traceOf(store: EventStore, executionId: string, end: TerminalEvent): Promise<LoggedTrace> {
  const telemetry = await store.readStream(streamName('telemetry', executionId), { limit: TELEMETRY_READ });
  const spans = telemetry.flatMap((stored) => {
    const event = decode<TelemetryEvent>(stored);
    if (event.type !== 'SpanRecorded') return [];
    const { name, kind, startedAt, endedAt, ok } = event.data;
    return [{ name, kind, ms: endedAt - startedAt, ok }];
  });
  return {
    executionId,
    outcome: end.type,
    durationMs: end.data.durationMs,
    spans: spans.slice(0, MOST_SPANS),
    omitted: Math.max(0, spans.length - MOST_SPANS),
    trace_url: `/traces/${executionId}`,
  };
}

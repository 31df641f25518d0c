/** Stored events made into today's facts: the only place that reads payloads, and where old shapes are upcast. */
import { ACCESS_EVENT_TYPES, type AccessEvent } from './access.ts';
import { KEY_EVENT_TYPES, type KeyEvent } from './access-key.ts';
import { BATCH_EVENT_TYPES, type BatchEvent } from './batch.ts';
import { BULK_EVENT_TYPES, type BulkEvent } from './bulk.ts';
import { DELIVERY_EVENT_TYPES, type DeliveryEvent } from './delivery.ts';
import { RatchetError } from './errors.ts';
import type { Evolution, Fact, StoredEvent } from './event.ts';
import { EXECUTION_EVENT_TYPES, type ExecutionEvent } from './execution.ts';
import { LOGIN_EVENT_TYPES, type LoginEvent } from './login.ts';
import { MCP_SESSION_EVENT_TYPES, type McpSessionEvent } from './mcp-session.ts';
import { REPLAY_EVENT_TYPES, type ReplayEvent } from './replay.ts';
import { RESULT_PROGRESS_EVENT_TYPES, type ResultProgressEvent } from './result-progress.ts';
import { SCHEDULE_EVENT_TYPES, type ScheduleEvent } from './schedule.ts';
import { TASK_EVENT_TYPES, type TaskEvent } from './task.ts';
import { TELEMETRY_EVENT_TYPES, type TelemetryEvent } from './telemetry.ts';
import { TOOL_CALL_EVENT_TYPES, type ToolCallEvent } from './tool-call.ts';
import { WORKER_EVENT_TYPES, type WorkerEvent } from './worker.ts';

/** Every fact that is stored, blobs aside. */
export type KnownEvent =
  | TaskEvent
  | ExecutionEvent
  | TelemetryEvent
  | WorkerEvent
  | AccessEvent
  | KeyEvent
  | LoginEvent
  | McpSessionEvent
  | ToolCallEvent
  | ReplayEvent
  | BatchEvent
  | BulkEvent
  | ScheduleEvent
  | DeliveryEvent
  | ResultProgressEvent;

/** The schema version that new events are written with, by type; 1 where none is named. */
const CURRENT_VERSIONS: Readonly<Record<string, number>> = {};

export function schemaVersionOf(type: string): number {
  return CURRENT_VERSIONS[type] ?? 1;
}

const KNOWN_TYPES: ReadonlySet<string> = new Set([
  ...TASK_EVENT_TYPES,
  ...EXECUTION_EVENT_TYPES,
  ...TELEMETRY_EVENT_TYPES,
  ...WORKER_EVENT_TYPES,
  ...ACCESS_EVENT_TYPES,
  ...KEY_EVENT_TYPES,
  ...LOGIN_EVENT_TYPES,
  ...MCP_SESSION_EVENT_TYPES,
  ...TOOL_CALL_EVENT_TYPES,
  ...REPLAY_EVENT_TYPES,
  ...BATCH_EVENT_TYPES,
  ...BULK_EVENT_TYPES,
  ...SCHEDULE_EVENT_TYPES,
  ...DELIVERY_EVENT_TYPES,
  ...RESULT_PROGRESS_EVENT_TYPES,
]);

/**
 * The fact in a stored event, in today's shape. Payloads were written by {@link encode}, so their shape follows from type
 * and schema version.
 * Fails with `store_corrupt` for text that is not JSON, and with `unsupported` for a type or schema newer than this program.
 */
export function decode<Event extends KnownEvent>(stored: StoredEvent): Event {
  if (!KNOWN_TYPES.has(stored.type) || stored.schemaVersion > schemaVersionOf(stored.type)) {
    throw new RatchetError('unsupported', `event ${stored.type} v${stored.schemaVersion} is newer than this program`, {
      details: { position: stored.position, stream: stored.stream },
    });
  }
  try {
    const data: unknown = JSON.parse(stored.payload);
    return { type: stored.type, data } as Event;
  } catch (cause) {
    throw new RatchetError('store_corrupt', `the payload of event ${stored.eventId} is not JSON`, {
      cause,
      details: { position: stored.position, stream: stored.stream },
    });
  }
}

/** @returns the state that stored events add up to. Fails as {@link decode} does. */
export function fold<State, Event extends KnownEvent>(
  { initial, evolve }: Evolution<State, Event>,
  history: readonly StoredEvent[],
): State {
  return history.reduce((state, stored) => evolve(state, decode<Event>(stored)), initial);
}

/** @returns the payload text of a fact, exactly as it will be stored. */
export function encode(fact: Fact): string {
  return JSON.stringify(fact.data);
}

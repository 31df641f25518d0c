/** Rows of the events table as events and back; the one place that knows the order of the columns. */
import { RatchetError } from '../../src/domain/errors.ts';
import type { NewEvent, StoredEvent } from '../../src/domain/event.ts';
import { positionOf } from './positions.ts';

/** What SQLite gives for a row, by the names of {@link COLUMNS}. */
export type Row = Readonly<Record<string, unknown>>;

export const COLUMNS =
  'position, stream, version, event_id, type, schema_version, occurred_at, recorded_at, principal, command_id, ' +
  'correlation_id, causation_id, traceparent, payload';

export const INSERT = `INSERT INTO events (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

/** @returns the event of a row. Fails with `store_corrupt` when a column holds what no writer of ours puts there. */
export function eventOf(row: Row): StoredEvent {
  return {
    eventId: uuidOf(row['event_id']),
    occurredAt: text(row['occurred_at']),
    principal: text(row['principal']),
    commandId: text(row['command_id']),
    correlationId: text(row['correlation_id']),
    causationId: textOrNull(row['causation_id']),
    traceparent: textOrNull(row['traceparent']),
    type: text(row['type']),
    schemaVersion: whole(row['schema_version']),
    payload: text(row['payload']),
    stream: text(row['stream']),
    version: whole(row['version']),
    position: positionOf(whole(row['position'])),
    recordedAt: text(row['recorded_at']),
  };
}

/** @returns the 16 bytes of an eventId. */
export function bytesOf(eventId: NewEvent['eventId']): Uint8Array {
  return Buffer.from(eventId.replaceAll('-', ''), 'hex');
}

function uuidOf(value: unknown): string {
  if (!(value instanceof Uint8Array) || value.length !== 16) throw damaged('event_id');
  const hex = Buffer.from(value.buffer, value.byteOffset, 16).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** @returns a column that holds a whole number. */
export function whole(value: unknown): number {
  if (typeof value === 'number') return value;
  throw damaged('number');
}

/** @returns a column that holds text. */
export function text(value: unknown): string {
  if (typeof value === 'string') return value;
  throw damaged('text');
}

function textOrNull(value: unknown): string | null {
  return value === null ? null : text(value);
}

function damaged(what: string): RatchetError {
  return new RatchetError('store_corrupt', `a row of the event log holds no proper ${what}`);
}

/** Rows of the events table in PostgreSQL as events; the one place that knows the order of the columns. */
import { RatchetError } from '../../src/domain/errors.ts';
import type { StoredEvent } from '../../src/domain/event.ts';
import type { Row } from '../postgres/pool.ts';
import { positionOf } from './positions.ts';

export const COLUMNS =
  'position, stream, version, event_id, type, schema_version, occurred_at, recorded_at, principal, command_id, ' +
  'correlation_id, causation_id, traceparent, payload';

/** @returns the event of a row of {@link COLUMNS}. Fails with `store_corrupt` when a column holds what no writer of ours puts there. */
export function eventOf(row: Row): StoredEvent {
  return {
    eventId: text(row[3]),
    occurredAt: text(row[6]),
    principal: text(row[8]),
    commandId: text(row[9]),
    correlationId: text(row[10]),
    causationId: textOrNull(row[11]),
    traceparent: textOrNull(row[12]),
    type: text(row[4]),
    schemaVersion: whole(row[5]),
    payload: utf8(row[13]),
    stream: text(row[1]),
    version: whole(row[2]),
    position: positionOf(whole(row[0])),
    recordedAt: text(row[7]),
  };
}

/** @returns a column that holds a whole number; large ones come as text. */
export function whole(value: unknown): number {
  const number = typeof value === 'string' ? Number(value) : value;
  if (typeof number === 'number' && Number.isSafeInteger(number)) return number;
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

function utf8(value: unknown): string {
  if (value instanceof Buffer) return value.toString('utf8');
  throw damaged('payload');
}

function damaged(what: string): RatchetError {
  return new RatchetError('store_corrupt', `a row of the event log holds no proper ${what}`);
}

/** What every store demands of its callers before it touches its log, so that all adapters refuse alike. */
import { RatchetError } from '../../src/domain/errors.ts';
import type { NewEvent } from '../../src/domain/event.ts';
import type { Expected } from '../../src/ports/event-store.ts';

/** Largest payload of one event in UTF-8 bytes: 1 MiB less room for its envelope. */
export const MAX_PAYLOAD_BYTES = 1024 * 1024 - 16 * 1024;

const MAX_NAME_LENGTH = 255;
const STREAM_NAME = /^[^-\p{Cc}]+-[^\p{Cc}]+$/u;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Fails with `invalid_request` or `payload_too_large` when no store could take this append. */
export function checkAppend(stream: string, expected: Expected, events: readonly NewEvent[]): void {
  if (stream.length > MAX_NAME_LENGTH || !STREAM_NAME.test(stream) || !stream.isWellFormed()) {
    throw invalid('a stream is named category-id, in at most 255 characters without control characters', { stream });
  }
  if (typeof expected === 'number' && (!Number.isSafeInteger(expected) || expected < 0)) {
    throw invalid('an expected version is a whole number from 0', { stream, expected });
  }
  if (events.length === 0) throw invalid('an append needs at least one event', { stream });
  for (const event of events) checkEvent(stream, event);
  if (events.length > 1 && new Set(events.map((event) => event.eventId)).size < events.length) {
    throw invalid('an append names an eventId twice', { stream });
  }
}

/** Fails with `invalid_request` when `limit` is no whole number from 1. */
export function checkLimit(limit: number | undefined): void {
  if (limit === undefined || (Number.isSafeInteger(limit) && limit >= 1)) return;
  throw invalid('a limit is a whole number from 1', { limit });
}

function checkEvent(stream: string, event: NewEvent): void {
  if (!UUID.test(event.eventId)) {
    throw invalid('an eventId is a UUID in lower case', { stream, eventId: event.eventId });
  }
  if (event.type.length === 0 || event.type.length > MAX_NAME_LENGTH) {
    throw invalid('an event type has 1 to 255 characters', { stream, eventId: event.eventId });
  }
  if (event.recordedAt !== undefined && !TIME.test(event.recordedAt)) {
    throw invalid('a recordedAt is ISO 8601 in UTC with milliseconds', { stream, eventId: event.eventId });
  }
  const texts = textsOf(event);
  if (texts.some((text) => text.includes('\0'))) {
    // Not every database can keep one; those that can would be alone with it.
    throw invalid('only the payload of an event may hold a NUL character', { stream, eventId: event.eventId });
  }
  for (const text of [...texts, event.payload]) {
    // Half a surrogate pair has no UTF-8 form: a store would give back other text than it was given.
    if (!text.isWellFormed()) throw invalid('an event holds half a surrogate pair', { stream, eventId: event.eventId });
  }
  const bytes = utf8Bytes(event.payload);
  if (bytes > MAX_PAYLOAD_BYTES) {
    throw new RatchetError('payload_too_large', `a payload of ${bytes} bytes is more than an event can hold`, {
      details: { stream, type: event.type, bytes, limit: MAX_PAYLOAD_BYTES },
    });
  }
}

/** All text but the payload. */
function textsOf(event: NewEvent): string[] {
  const { type, occurredAt, principal, commandId, correlationId, causationId, traceparent } = event;
  return [type, occurredAt, principal, commandId, correlationId, causationId ?? '', traceparent ?? ''];
}

/** Exact only where it matters: a UTF-16 unit takes at most three bytes, so short texts need no count. */
function utf8Bytes(text: string): number {
  return text.length * 3 <= MAX_PAYLOAD_BYTES ? text.length : Buffer.byteLength(text);
}

function invalid(message: string, details: Record<string, unknown>): RatchetError {
  return new RatchetError('invalid_request', message, { details });
}

/** @returns the time at which an event is told to be recorded, when the one before it in the log was recorded at `before`. */
export function notBefore(before: string | undefined, recordedAt: string): string {
  return before !== undefined && before > recordedAt ? before : recordedAt;
}

/** @returns whether a stream whose last event has version `actual` (-1: no events) is what the caller expected. */
export function isAsExpected(expected: Expected, actual: number): boolean {
  switch (expected) {
    case 'any':
      return true;
    case 'no-stream':
      return actual < 0;
    case 'stream-exists':
      return actual >= 0;
    default:
      return expected === actual;
  }
}

/** @returns the error of an append whose expectation does not hold; `actual` as in {@link isAsExpected}. */
export function versionConflict(stream: string, expected: Expected, actual: number): RatchetError {
  const found = actual < 0 ? 'no-stream' : actual;
  const is = actual < 0 ? 'has no events' : `is at version ${actual}`;
  return new RatchetError('version_conflict', `stream ${stream} ${is}, expected was ${expected}`, {
    details: { stream, expected, actual: found },
  });
}

/** Where an event that is stored already was found. */
export interface StoredAt {
  readonly stream: string;
  readonly version: number;
  /** The number that stands for the position. */
  readonly at: number;
}

/**
 * Tells a retried append from a new one by what is stored under its eventIds (in their order, undefined where nothing is).
 * @returns where its last event was stored the first time, or null when none was. Fails with `idempotency_mismatch`.
 */
export function earlierAppend(stream: string, found: readonly (StoredAt | undefined)[]): StoredAt | null {
  if (found.every((stored) => stored === undefined)) return null;
  const first = found[0];
  const last = found.at(-1);
  const same = found.every(
    (stored, index) => stored?.stream === stream && stored.version === (first?.version ?? 0) + index,
  );
  if (same && last !== undefined) return last;
  throw new RatchetError('idempotency_mismatch', `some events of this append to ${stream} are stored differently`, {
    details: { stream },
  });
}

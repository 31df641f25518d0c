/** Tells whether two logs hold the same events, whichever stores keep them: what of an event counts, and one hash over all. */
import type { StoredEvent } from './event.ts';

/** What an event takes along wherever it is stored, in the order in which it is hashed. */
export const LASTING_FIELDS = [
  'stream',
  'version',
  'eventId',
  'type',
  'schemaVersion',
  'occurredAt',
  'principal',
  'commandId',
  'correlationId',
  'causationId',
  'traceparent',
  'payload',
] as const;

export type LastingField = (typeof LASTING_FIELDS)[number];

/** The part of an event that is the same in each store that holds it. */
export type LastingEvent = Pick<StoredEvent, LastingField>;

/** How many events, and the hash chained over them. */
export interface LogDigest {
  readonly count: number;
  /** 64 hex digits. */
  readonly hash: string;
}

/** The digest of a log without events. */
export const EMPTY_DIGEST: LogDigest = { count: 0, hash: '0'.repeat(64) };

const encoder = new TextEncoder();

/**
 * @returns values as one text that no other values give: each as the number of its UTF-8 bytes, a colon and itself;
 * null as a dash.
 */
export function unambiguous(values: readonly (string | number | null)[]): string {
  return values.map((value) => (value === null ? '-' : `${bytesIn(String(value))}:${value}`)).join('');
}

function bytesIn(text: string): number {
  return encoder.encode(text).length;
}

/**
 * @param sha256 SHA-256 of UTF-8 text in hex
 * @returns the digest of a log after its next event: the hash of the hash before, and of the event's lasting fields
 */
export function withEvent(digest: LogDigest, event: LastingEvent, sha256: (text: string) => string): LogDigest {
  const fields = unambiguous(LASTING_FIELDS.map((field) => event[field]));
  return { count: digest.count + 1, hash: sha256(digest.hash + fields) };
}

/** @returns the fields in which two events differ; none for one event in two stores. */
export function differingFields(a: LastingEvent, b: LastingEvent): readonly LastingField[] {
  return LASTING_FIELDS.filter((field) => a[field] !== b[field]);
}

/** What the core asks of a log of events; one strict contract suite (`test/contracts/event-store.ts`) holds every adapter to it. */
import type { Category, NewEvent, Position, StoredEvent } from '../domain/event.ts';

/** What the caller believes about a stream: anything, that it is empty, that it has events, or the version of its last event. */
export type Expected = 'any' | 'no-stream' | 'stream-exists' | number;

/** Result of an append: the version and position of the last event appended. */
export interface Appended {
  readonly version: number;
  readonly position: Position;
}

/** Which events are wanted; an absent list means all. Both lists must match. */
export interface EventFilter {
  readonly categories?: readonly Category[];
  readonly types?: readonly string[];
}

/** A stretch of the log: the wanted events in it, and the position up to which the log was read. */
export interface EventPage {
  readonly events: readonly StoredEvent[];
  /** Read on after this position. At or after the last event of `events`. */
  readonly position: Position;
  /** True when nothing was stored after `position` at the time of reading. */
  readonly atHead: boolean;
}

export interface EventStore {
  /**
   * Appends `events` to `stream`, all or none, and answers once they are durable.
   *
   * The same eventIds again (a retry) store nothing and answer as the first time, whatever `expected` says now; only a
   * part of them already stored, or stored in another stream, is `idempotency_mismatch`.
   *
   * An event that names its `recordedAt` keeps it, so that a moved log tells the same times; yet along the log these never
   * go back: where it lies before that of the event before it, it gets that one's.
   *
   * Fails with `version_conflict` (details: stream, expected, actual) and stores nothing, `store_full`, `store_unavailable`,
   * `payload_too_large` (over 1 MiB minus overhead for one event: use blobs), `invalid_request` for an empty list or a bad name.
   */
  append(stream: string, expected: Expected, events: readonly NewEvent[]): Promise<Appended>;

  /** Events of a stream in order, from version `from` (default 0), at most `limit` (default: all). Empty for an unknown stream. */
  readStream(stream: string, options?: { from?: number; limit?: number }): Promise<readonly StoredEvent[]>;

  /** The event at this very position; null when there is none. Fails with `invalid_request` for text that is no position. */
  readAt(position: Position): Promise<StoredEvent | null>;

  /** One page of the log after a position, at most `limit` matching events. May return fewer and still not be at the head. */
  readAll(after: Position, filter: EventFilter, limit: number): Promise<EventPage>;

  /**
   * All matching events after a position: first those stored, then new ones as they come, each exactly once and in order,
   * also those appended by other processes. The next page is read only when the consumer asks (back-pressure).
   * A page may hold no events: it then tells how far the log was searched, and that the head was reached.
   * Ends when `signal` aborts or the store closes; throws `store_unavailable` only when reconnecting is hopeless.
   */
  subscribe(after: Position, filter: EventFilter, signal: AbortSignal): AsyncIterable<EventPage>;

  /** Position of the last event, or {@link START} of an empty log. */
  head(): Promise<Position>;

  /** Lets appends under way end, then frees everything. Later calls fail with `store_unavailable`. */
  close(): Promise<void>;
}

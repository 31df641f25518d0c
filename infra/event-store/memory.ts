/** An event store that forgets: the whole contract without a database, for tests of everything that uses a store. */
import { RatchetError } from '../../src/domain/errors.ts';
import type { NewEvent, Position, StoredEvent } from '../../src/domain/event.ts';
import { START } from '../../src/domain/event.ts';
import type { Appended, EventFilter, EventPage, EventStore, Expected } from '../../src/ports/event-store.ts';
import { matcher } from './filters.ts';
import { numberOf, positionOf } from './positions.ts';
import {
  checkAppend,
  checkLimit,
  earlierAppend,
  isAsExpected,
  notBefore,
  type StoredAt,
  versionConflict,
} from './rules.ts';
import { Tail } from './tail.ts';

export interface MemoryOptions {
  /** Milliseconds since the epoch; the system's clock by default. */
  readonly now?: () => number;
}

/** @returns an empty store in the memory of this process. */
export function memoryEventStore(options: MemoryOptions = {}): EventStore {
  const now = options.now ?? Date.now;
  const log: StoredEvent[] = [];
  const streams = new Map<string, StoredEvent[]>();
  const places = new Map<string, StoredAt>();
  let closed = false;
  const tail = new Tail({ readAll });

  function assertOpen(): void {
    if (closed) throw new RatchetError('store_unavailable', 'the event store is closed');
  }

  function append(stream: string, expected: Expected, events: readonly NewEvent[]): Appended {
    const earlier = earlierAppend(
      stream,
      events.map((event) => places.get(event.eventId)),
    );
    if (earlier !== null) return { version: earlier.version, position: positionOf(earlier.at) };
    const stored = streams.get(stream) ?? [];
    const head = stored.length - 1;
    if (!isAsExpected(expected, head)) throw versionConflict(stream, expected, head);
    const present = new Date(now()).toISOString();
    for (const event of events) {
      const recordedAt = notBefore(log.at(-1)?.recordedAt, event.recordedAt ?? present);
      const place: StoredAt = { stream, version: stored.length, at: log.length + 1 };
      const one = { ...event, stream, version: place.version, position: positionOf(place.at), recordedAt };
      stored.push(one);
      log.push(one);
      places.set(event.eventId, place);
    }
    streams.set(stream, stored);
    return { version: stored.length - 1, position: positionOf(log.length) };
  }

  async function readAll(after: Position, filter: EventFilter, limit: number): Promise<EventPage> {
    assertOpen();
    checkLimit(limit);
    const matches = matcher(filter);
    const events: StoredEvent[] = [];
    let at = numberOf(after);
    for (; at < log.length && events.length < limit; at += 1) {
      const event = log[at];
      if (event !== undefined && matches(event)) events.push(event);
    }
    return { events, position: positionOf(at), atHead: at >= log.length };
  }

  return {
    async append(stream, expected, events) {
      assertOpen();
      checkAppend(stream, expected, events);
      const appended = append(stream, expected, events);
      tail.notify();
      return appended;
    },
    async readStream(stream, { from = 0, limit } = {}) {
      assertOpen();
      checkLimit(limit);
      const events = streams.get(stream) ?? [];
      return events.slice(from, limit === undefined ? undefined : from + limit);
    },
    async readAt(position) {
      assertOpen();
      return log[numberOf(position) - 1] ?? null;
    },
    readAll,
    subscribe(after, filter, signal) {
      assertOpen();
      return tail.subscribe(after, filter, signal);
    },
    async head() {
      assertOpen();
      return log.at(-1)?.position ?? START;
    },
    async close() {
      closed = true;
      tail.close();
    },
  };
}

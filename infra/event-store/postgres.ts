/** The event store on PostgreSQL: one log, written and read by many processes on many machines. */
import { setTimeout as pause } from 'node:timers/promises';
import { RatchetError } from '../../src/domain/errors.ts';
import type { Position } from '../../src/domain/event.ts';
import type { EventFilter, EventPage, EventStore } from '../../src/ports/event-store.ts';
import { isPassing, storeError } from '../postgres/errors.ts';
import { assertMigrated, migrate } from '../postgres/migrations.ts';
import { assertReachable, type Connections, connections, type PostgresOptions } from '../postgres/pool.ts';
import { numberOf, positionOf } from './positions.ts';
import { PostgresNews } from './postgres-news.ts';
import { PostgresReader } from './postgres-read.ts';
import { EVENT_LOG_MIGRATIONS } from './postgres-schema.ts';
import { PostgresWriter } from './postgres-writer.ts';
import { checkAppend, checkLimit } from './rules.ts';
import { Tail } from './tail.ts';

export interface PostgresStoreOptions extends PostgresOptions {
  /** Whether missing tables are made at start; else it fails where any are missing. True by default. */
  readonly autoMigrate?: boolean;
  /** How long an append waits while other processes append, in milliseconds; 10,000 by default. */
  readonly lockTimeoutMs?: number;
}

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Opens the event log in the database of a `postgresql://` URL.
 * Fails with `store_unavailable` when it can not be used; its message begins with "Database connection failed".
 */
export async function postgresEventStore(url: string, options: PostgresStoreOptions = {}): Promise<EventStore> {
  const pool = connections(url, options);
  try {
    await assertReachable(pool);
    if (options.autoMigrate ?? true) await migrate(pool, EVENT_LOG_MIGRATIONS);
    else await assertMigrated(pool, EVENT_LOG_MIGRATIONS);
  } catch (error) {
    await pool.close();
    throw error;
  }
  return eventStore(pool, options);
}

function eventStore(pool: Connections, { lockTimeoutMs }: PostgresStoreOptions): EventStore {
  const reader = new PostgresReader(pool);
  const closed = new AbortController();
  const news = new PostgresNews(pool, () => tail.notify());
  const tail = new Tail({ readAll: readPatiently, onWaiting: (isWaiting) => news.waiting(isWaiting) });
  const writer = new PostgresWriter(pool, {
    lockTimeoutMs,
    onCommit: (at) => {
      news.committed(at);
      tail.notify();
    },
  });
  let closing: Promise<void> | null = null;

  function assertOpen(): void {
    if (closing !== null) throw new RatchetError('store_unavailable', 'the event store is closed');
  }

  async function read<Result>(query: () => Promise<Result>): Promise<Result> {
    assertOpen();
    try {
      return await query();
    } catch (error) {
      throw storeError(error, pool.place);
    }
  }

  /** For subscriptions, which outlast a lost connection: only the end of the store, or a damaged log, ends them. */
  async function readPatiently(after: Position, filter: EventFilter, limit: number): Promise<EventPage> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      if (closed.signal.aborted) return { events: [], position: after, atHead: true };
      try {
        const page = await reader.readAll(after, filter, limit);
        news.saw(numberOf(page.position));
        return page;
      } catch (error) {
        if (!isPassing(error)) throw storeError(error, pool.place);
      }
      await pause(pauseMs, undefined, { signal: closed.signal }).catch(() => {});
    }
  }

  async function close(): Promise<void> {
    tail.close();
    closed.abort();
    await writer.close();
    await news.close();
    await pool.close();
  }

  return {
    async append(stream, expected, events) {
      assertOpen();
      checkAppend(stream, expected, events);
      const { version, at } = await writer.append({ stream, expected, events });
      return { version, position: positionOf(at) };
    },
    async readStream(stream, { from = 0, limit } = {}) {
      checkLimit(limit);
      return read(() => reader.readStream(stream, from, limit));
    },
    async readAt(position) {
      return read(() => reader.readAt(position));
    },
    async readAll(after, filter, limit) {
      checkLimit(limit);
      return read(() => reader.readAll(after, filter, limit));
    },
    subscribe(after, filter, signal) {
      assertOpen();
      return endedBy(signal, tail.subscribe(after, filter, signal));
    },
    async head() {
      return read(() => reader.head());
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** Ends the reading at once when `signal` aborts, though a page that waits for the database can not be called back. */
async function* endedBy(signal: AbortSignal, pages: AsyncGenerator<EventPage, void>): AsyncGenerator<EventPage, void> {
  const { promise: aborted, resolve } = Promise.withResolvers<null>();
  const onAbort = (): void => resolve(null);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    for (;;) {
      const next = pages.next();
      const page = await Promise.race([next, aborted]);
      if (page === null) {
        next.catch(() => {});
        return;
      }
      if (page.done === true) return;
      yield page.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    // It ends with the page under way, which nobody waits for.
    pages.return().catch(() => {});
  }
}

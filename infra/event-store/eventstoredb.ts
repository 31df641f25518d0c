/** The event store on EventStoreDB or KurrentDB: the log lives on a server or cluster that other programs may share. */
import { RatchetError } from '../../src/domain/errors.ts';
import { type Position, START } from '../../src/domain/event.ts';
import type { EventPage, EventStore } from '../../src/ports/event-store.ts';
import { EventStoreDbAppender } from './eventstoredb-append.ts';
import { EventStoreDbConnection } from './eventstoredb-connection.ts';
import { openError } from './eventstoredb-errors.ts';
import { EventStoreDbFeed } from './eventstoredb-feed.ts';
import { EventStoreDbReader } from './eventstoredb-read.ts';
import { parseEventStoreDbUrl } from './eventstoredb-url.ts';
import { checkAppend, checkLimit } from './rules.ts';
import { Tail } from './tail.ts';
import { untilAborted } from './until-aborted.ts';

export interface EventStoreDbOptions {
  /** Milliseconds for which an append is tried again while the server can not be reached; 20,000 by default. */
  readonly appendPatienceMs?: number;
  /** The same for reads; 3,000 by default. Subscriptions never give up. */
  readonly readPatienceMs?: number;
}

const EVER = { ms: Number.POSITIVE_INFINITY };

/**
 * Opens the log that a connection string names. Fails with `configuration_invalid` for a string that is none, and with
 * `store_unavailable` when the server can not be used; its message begins with "Database connection failed".
 */
export async function eventStoreDbEventStore(url: string, options: EventStoreDbOptions = {}): Promise<EventStore> {
  const { appendPatienceMs = 20_000, readPatienceMs = 3_000 } = options;
  const settings = parseEventStoreDbUrl(url);
  const connection = new EventStoreDbConnection(settings);
  const reader = new EventStoreDbReader(connection);
  try {
    await connection.once((client) => reader.probe(client));
  } catch (error) {
    await connection.close();
    throw await openError(error, settings);
  }
  const appender = new EventStoreDbAppender(connection, reader, { ms: appendPatienceMs });
  return eventStore({ connection, reader, appender, patience: { ms: readPatienceMs } });
}

interface Parts {
  readonly connection: EventStoreDbConnection;
  readonly reader: EventStoreDbReader;
  readonly appender: EventStoreDbAppender;
  readonly patience: { readonly ms: number };
}

function eventStore({ connection, reader, appender, patience }: Parts): EventStore {
  let closing: Promise<void> | null = null;
  const feed = new EventStoreDbFeed(connection, () => tail.notify());
  const tail = new Tail({
    readAll: async (after, filter, limit) => {
      const isAll = filter.categories === undefined && filter.types === undefined;
      const page = isAll ? feed.page(after, limit) : null;
      return page ?? reader.readAll(after, filter, limit, EVER).catch((error: unknown) => whenOpen(error, after));
    },
  });

  /** A subscription that reads while the store closes ends as the others do. */
  function whenOpen(error: unknown, after: Position): EventPage {
    if (closing === null) throw error;
    return { events: [], position: after, atHead: true };
  }

  function assertOpen(): void {
    if (closing !== null) throw new RatchetError('store_unavailable', 'the event store is closed');
  }

  async function close(): Promise<void> {
    tail.close();
    feed.stop();
    await appender.settled();
    await connection.close();
  }

  return {
    async append(stream, expected, events) {
      assertOpen();
      checkAppend(stream, expected, events);
      return appender.append(stream, expected, events);
    },
    async readStream(stream, { from = 0, limit } = {}) {
      assertOpen();
      checkLimit(limit);
      return reader.readStream(stream, from, limit, patience);
    },
    async readAt(position) {
      assertOpen();
      return reader.readAt(position, patience);
    },
    async readAll(after, filter, limit) {
      assertOpen();
      checkLimit(limit);
      return reader.readAll(after, filter, limit, patience);
    },
    subscribe(after, filter, signal) {
      assertOpen();
      return untilAborted(tail.subscribe(after, filter, signal), signal);
    },
    async head() {
      assertOpen();
      return (await reader.last(patience))?.position ?? START;
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** The event store on SQLite: one file, written by a thread, read here, shared by the processes of one machine. */
import { resolve } from 'node:path';
import { RatchetError } from '../../src/domain/errors.ts';
import type { EventStore } from '../../src/ports/event-store.ts';
import { positionOf } from './positions.ts';
import { checkAppend, checkLimit } from './rules.ts';
import { SqliteAppender } from './sqlite-append.ts';
import { storeError } from './sqlite-errors.ts';
import { IN_MEMORY, openReader, openWriter } from './sqlite-file.ts';
import { Poll } from './sqlite-poll.ts';
import { SqliteReader } from './sqlite-read.ts';
import { startWriter, type Writer } from './sqlite-thread.ts';
import { Tail } from './tail.ts';

export interface SqliteOptions {
  /** Largest size of the file in pages of 4 KiB; unlimited by default. */
  readonly maxPages?: number;
  /** How long an append tries for the write lock while other processes hold it; 10,000 ms by default. */
  readonly lockTimeoutMs?: number;
  /** For a log that exists and is written elsewhere: saves the thread that writes, and appends fail. False by default. */
  readonly readOnly?: boolean;
}

/** What an open log is made of. */
interface Parts {
  readonly path: string;
  readonly reader: SqliteReader;
  readonly writer: Writer;
  readonly tail: Tail;
}

/**
 * Opens the event log in a file, or `:memory:` for one that ends with this process.
 * Fails with `store_unavailable` when the file can not be used; its message begins with "Database connection failed".
 */
export async function sqliteEventStore(path: string, options: SqliteOptions = {}): Promise<EventStore> {
  if (path === IN_MEMORY) return eventStore(inMemory(options));
  const file = resolve(path);
  return eventStore(options.readOnly === true ? readOnly(file) : await inFile(file, options));
}

function inMemory(options: SqliteOptions): Parts {
  const db = openWriter(IN_MEMORY, options);
  const appender = new SqliteAppender(db, IN_MEMORY);
  const reader = new SqliteReader(db);
  const tail = tailOf(reader);
  const writer: Writer = {
    async append(request) {
      const placed = appender.append(request);
      tail.notify();
      return placed;
    },
    async close() {
      db.close();
    },
  };
  return { path: IN_MEMORY, reader, writer, tail };
}

async function inFile(path: string, options: SqliteOptions): Promise<Parts> {
  const thread = await startWriter({ path, maxPages: options.maxPages, lockTimeoutMs: options.lockTimeoutMs });
  const { poll, tail, reader, close } = reading(path);
  thread.onCommit(() => {
    poll.ownCommit();
    tail.notify();
  });
  const writer: Writer = {
    append: (request) => thread.append(request),
    async close() {
      poll.stop();
      await thread.close();
      close();
    },
  };
  return { path, reader, writer, tail };
}

function readOnly(path: string): Parts {
  const { reader, tail, close } = reading(path);
  const writer: Writer = {
    async append() {
      throw new RatchetError('store_unavailable', 'the event store was opened for reading only');
    },
    async close() {
      close();
    },
  };
  return { path, reader, writer, tail };
}

/** Reads a log that somebody writes, of whom nothing but the file tells. */
function reading(path: string) {
  const db = openReader(path);
  const reader = new SqliteReader(db);
  const poll = new Poll(
    () => reader.dataVersion(),
    () => tail.notify(),
  );
  const tail = tailOf(reader, (waiting) => (waiting ? poll.start() : poll.stop()));
  const close = (): void => {
    poll.stop();
    db.close();
  };
  return { reader, poll, tail, close };
}

function tailOf(reader: SqliteReader, onWaiting: (waiting: boolean) => void = () => {}): Tail {
  return new Tail({ readAll: async (after, filter, limit) => reader.readAll(after, filter, limit), onWaiting });
}

function eventStore({ path, reader, writer, tail }: Parts): EventStore {
  let closing: Promise<void> | null = null;

  function read<Result>(query: () => Result): Result {
    assertOpen();
    try {
      return query();
    } catch (error) {
      throw storeError(error, path);
    }
  }

  function assertOpen(): void {
    if (closing !== null) throw new RatchetError('store_unavailable', 'the event store is closed');
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
      return tail.subscribe(after, filter, signal);
    },
    async head() {
      return read(() => reader.head());
    },
    close() {
      tail.close();
      closing ??= writer.close();
      return closing;
    },
  };
}

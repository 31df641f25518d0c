/** Appends to EventStoreDB at explicit revisions only: with them the server itself tells a repeated append from a new one. */
import { WrongExpectedVersionError } from '@eventstore/db-client';
import { RatchetError } from '../../src/domain/errors.ts';
import type { NewEvent, Position } from '../../src/domain/event.ts';
import type { Appended, Expected } from '../../src/ports/event-store.ts';
import type { EventStoreDbConnection, Patience } from './eventstoredb-connection.ts';
import { positionText, proposedEvent, sizeOf } from './eventstoredb-events.ts';
import { KnownEvents } from './eventstoredb-known.ts';
import type { EventStoreDbReader } from './eventstoredb-read.ts';
import { earlierAppend, isAsExpected, notBefore, versionConflict } from './rules.ts';

/** What the server takes in one append unless it is configured otherwise. */
const MAX_APPEND_BYTES = 1024 * 1024;

/** One append as it goes from try to try. */
interface Append {
  readonly stream: string;
  readonly expected: Expected;
  readonly events: readonly NewEvent[];
}

/** A place on the server; the position is null where its answer does not tell that of the last event for sure. */
interface Written {
  readonly version: number;
  readonly position: Position | null;
}

export class EventStoreDbAppender {
  readonly #connection: EventStoreDbConnection;
  readonly #reader: EventStoreDbReader;
  readonly #patience: Patience;
  readonly #known = new KnownEvents();
  /** The last append of each stream that has one under way. */
  readonly #queues = new Map<string, Promise<unknown>>();

  constructor(connection: EventStoreDbConnection, reader: EventStoreDbReader, patience: Patience) {
    this.#connection = connection;
    this.#reader = reader;
    this.#patience = patience;
  }

  /** See `EventStore.append`. Appends to one stream are made one after the other. */
  append(stream: string, expected: Expected, events: readonly NewEvent[]): Promise<Appended> {
    const before = this.#queues.get(stream) ?? Promise.resolve();
    const mine = before.then(async () => this.#append({ stream, expected, events: await this.#timed(events) }));
    const settled = mine
      .catch(() => undefined)
      .then(() => {
        if (this.#queues.get(stream) === settled) this.#queues.delete(stream);
      });
    this.#queues.set(stream, settled);
    return mine;
  }

  /** Resolves when no append is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#queues.values());
  }

  /** Events recorded elsewhere keep their time, but not against the order of the log; the server's own times follow it. */
  async #timed(events: readonly NewEvent[]): Promise<readonly NewEvent[]> {
    if (events.every((event) => event.recordedAt === undefined)) return events;
    const now = new Date().toISOString();
    let before = (await this.#reader.last(this.#patience))?.recordedAt;
    return events.map((event) => {
      before = notBefore(before, event.recordedAt ?? now);
      return { ...event, recordedAt: before };
    });
  }

  async #append(append: Append): Promise<Appended> {
    const { stream, expected } = append;
    const since = performance.now();
    for (;;) {
      const last = await this.#lastBefore(append);
      const version = this.#earlier(append);
      if (version !== null) return { version, position: await this.#positionAt(stream, version) };
      const written = await this.#write(append, last);
      if (written !== null) {
        const position = written.position ?? (await this.#positionAt(stream, written.version));
        return { version: written.version, position };
      }
      const actual = await this.#catchUp(stream);
      const found = this.#earlier(append);
      if (found !== null) return { version: found, position: await this.#positionAt(stream, found) };
      const goesOn = expected === 'any' || (expected === 'stream-exists' && actual >= 0);
      // Others were faster. Each time somebody succeeds, but a stream whose reads and appends disagree must end it.
      if (!goesOn || performance.now() - since > this.#patience.ms) throw versionConflict(stream, expected, actual);
    }
  }

  /** @returns the revision that the stream must be at, -1 for none; all before it is known then, so that no id is stored twice. */
  async #lastBefore({ stream, expected }: Append): Promise<number> {
    if (expected === 'no-stream') return -1;
    const known = this.#known.lastOf(stream);
    if (typeof expected === 'number') {
      if (known === null || known < expected) await this.#catchUp(stream);
      return expected;
    }
    const last = known ?? (await this.#catchUp(stream));
    if (!isAsExpected(expected, last)) {
      const now = await this.#catchUp(stream);
      if (!isAsExpected(expected, now)) throw versionConflict(stream, expected, now);
      return now;
    }
    return last;
  }

  /** @returns the version of the last of these events when they are stored already, else null. */
  #earlier({ stream, events }: Append): number | null {
    const found = events.map(({ eventId }) => this.#known.find(eventId));
    return earlierAppend(stream, found)?.version ?? null;
  }

  /** Reads what a stream has beyond what is known of it. @returns the revision of its last event, -1 for none. */
  async #catchUp(stream: string): Promise<number> {
    const known = this.#known.lastOf(stream);
    const { first, ids } = await this.#reader.readIds(stream, (known ?? -1) + 1, this.#patience);
    if (ids.length > 0) this.#known.add(stream, first, ids, known === null);
    return this.#known.lastOf(stream) ?? -1;
  }

  /** @returns where the last event is, or null when the stream is elsewhere. A repeated try is answered as the first. */
  async #write({ stream, events }: Append, last: number): Promise<Written | null> {
    const { streamPrefix, deadlineMs } = this.#connection.settings;
    const proposed = events.map((event) => proposedEvent(event, streamPrefix));
    const bytes = proposed.reduce((sum, event) => sum + sizeOf(event), 0);
    if (bytes > MAX_APPEND_BYTES) throw tooLarge(stream, bytes);
    const expectedRevision = last < 0 ? ('no_stream' as const) : BigInt(last);
    const options = { expectedRevision, requiresLeader: true, deadline: deadlineMs };
    const answer = await this.#connection.call(async (client) => {
      try {
        return await client.appendToStream(streamPrefix + stream, proposed, options);
      } catch (error) {
        if (error instanceof WrongExpectedVersionError) return null;
        throw error;
      }
    }, this.#patience);
    if (answer === null) return null;
    const ids = events.map((event) => event.eventId);
    this.#known.add(stream, last + 1, ids, last < 0);
    const { position } = answer;
    // Of several events the server tells one position; whose, differs between versions.
    const isSure = events.length === 1 && position !== undefined && position.commit === position.prepare;
    return { version: last + events.length, position: isSure ? positionText(position) : null };
  }

  async #positionAt(stream: string, version: number): Promise<Position> {
    const [event] = await this.#reader.readStream(stream, version, 1, this.#patience);
    if (event !== undefined) return event.position;
    throw new RatchetError('store_corrupt', `event ${version} of ${stream} was appended and can not be read`, {
      details: { stream, version },
    });
  }
}

function tooLarge(stream: string, bytes: number): RatchetError {
  return new RatchetError('payload_too_large', `an append of ${bytes} bytes is more than EventStoreDB takes at once`, {
    details: { stream, bytes, limit: MAX_APPEND_BYTES },
  });
}

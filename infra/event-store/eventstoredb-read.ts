/** Reads a log in EventStoreDB in bounded pieces; what the server and other programs wrote there is passed over. */
import type { ReadAllOptions, ResolvedEvent, StreamingRead } from '@eventstore/db-client';
import { BACKWARDS, END, START as FIRST, FORWARDS, StreamNotFoundError } from '@eventstore/db-client';
import { type Position, START, type StoredEvent } from '../../src/domain/event.ts';
import type { EventFilter, EventPage } from '../../src/ports/event-store.ts';
import type { SingleConnectionClient } from './eventstoredb-client.ts';
import type { EventStoreDbConnection, Patience } from './eventstoredb-connection.ts';
import { StalledError } from './eventstoredb-errors.ts';
import { positionOfText, positionText, storedEvent } from './eventstoredb-events.ts';
import { matcher } from './filters.ts';

/** Events looked at for one page when few of them match. */
const SCANNED_EVENTS = 4096;
/** A page ends early once the payloads looked at have so many characters. */
const PAGE_CHARACTERS = 4 * 1024 * 1024;
/** Events asked for at once, at least and at most: those passed over need no round trip each. */
const LEAST_ASKED = 32;
const MOST_ASKED = 1024;
/** A read of which nothing comes for so long is made again. */
const STALL_MS = 10_000;

/** An event with its place on the server, whoever wrote it. */
interface Seen {
  readonly position: Position;
  /** Null: not of this log. */
  readonly event: StoredEvent | null;
}

export class EventStoreDbReader {
  readonly #connection: EventStoreDbConnection;
  readonly #prefix: string;
  /** All up to `searched` was looked through for the last event of this log, which is `last`. */
  #tip: { readonly searched: Position; readonly last: StoredEvent | null } = { searched: START, last: null };

  /** Before this the server has nothing of this log, as far as it was looked: reads begin behind it. */
  #emptyUpTo: Position = START;

  constructor(connection: EventStoreDbConnection) {
    this.#connection = connection;
    this.#prefix = connection.settings.streamPrefix;
  }

  /** Reads as all reads do, so that whatever stands against it is found at the start. */
  async probe(client: SingleConnectionClient): Promise<void> {
    const options: ReadAllOptions = { fromPosition: END, maxCount: 1, direction: BACKWARDS, requiresLeader: true };
    for await (const _ of received(client, client.readAll(options))) return;
  }

  /** See `EventStore.readStream`. */
  async readStream(
    stream: string,
    from: number,
    limit: number | undefined,
    patience: Patience,
  ): Promise<StoredEvent[]> {
    const events: StoredEvent[] = [];
    await this.#connection.call(async (client) => {
      events.length = 0;
      const options = {
        fromRevision: BigInt(from),
        requiresLeader: true,
        ...(limit === undefined ? {} : { maxCount: limit }),
      };
      for await (const resolved of streamEvents(client, this.#prefix + stream, options)) {
        const event = storedEvent(resolved, this.#prefix);
        if (event !== null) events.push(event);
      }
    }, patience);
    return events;
  }

  /** @returns the ids of a stream's events from a revision on, also of those that others wrote, and the first one's revision. */
  async readIds(
    stream: string,
    from: number,
    patience: Patience,
  ): Promise<{ readonly first: number; readonly ids: string[] }> {
    return this.#connection.call(async (client) => {
      const ids: string[] = [];
      let first = from;
      const options = { fromRevision: BigInt(from), requiresLeader: true };
      for await (const { event } of streamEvents(client, this.#prefix + stream, options)) {
        if (event === undefined) continue;
        if (ids.length === 0) first = Number(event.revision);
        ids.push(event.id);
      }
      return { first, ids };
    }, patience);
  }

  /** See `EventStore.readAt`. */
  async readAt(position: Position, patience: Patience): Promise<StoredEvent | null> {
    const fromPosition = positionOfText(position);
    if (fromPosition === null) return null;
    return this.#connection.call(async (client) => {
      const options: ReadAllOptions = { fromPosition, maxCount: 1, direction: FORWARDS, requiresLeader: true };
      for await (const { event, position: found } of this.#seen(client, options)) {
        if (found === position) return event;
      }
      return null;
    }, patience);
  }

  /** See `EventStore.readAll`. */
  async readAll(after: Position, filter: EventFilter, limit: number, patience: Patience): Promise<EventPage> {
    positionOfText(after);
    const from = after < this.#emptyUpTo ? this.#emptyUpTo : after;
    return this.#connection.call((client) => this.#page(client, from, filter, limit), patience);
  }

  /** @returns the last event of this log, null for none: what the server and others wrote behind it does not count. */
  async last(patience: Patience): Promise<StoredEvent | null> {
    return this.#connection.call(async (client) => {
      const { searched, last } = this.#tip;
      let newest: Position = START;
      let from: Position = START;
      for (let asked = 1; ; asked = Math.min(asked * LEAST_ASKED, MOST_ASKED)) {
        const fromPosition: ReadAllOptions['fromPosition'] = positionOfText(from) ?? END;
        const options: ReadAllOptions = { fromPosition, maxCount: asked, direction: BACKWARDS, requiresLeader: true };
        let came = 0;
        for await (const { event, position } of this.#seen(client, options)) {
          came += 1;
          if (newest === START) newest = position;
          from = position;
          if (event !== null) return this.#remember(newest, event);
          if (position <= searched) return this.#remember(newest, last);
        }
        if (came < asked) return this.#remember(newest, last);
      }
    }, patience);
  }

  #remember(searched: Position, last: StoredEvent | null): StoredEvent | null {
    if (searched >= this.#tip.searched) this.#tip = { searched, last };
    if (last === null && searched > this.#emptyUpTo) this.#emptyUpTo = searched;
    return last;
  }

  async #page(client: SingleConnectionClient, after: Position, filter: EventFilter, limit: number): Promise<EventPage> {
    const matches = matcher(filter);
    const events: StoredEvent[] = [];
    let position = after;
    let scanned = 0;
    let characters = 0;
    while (scanned < SCANNED_EVENTS && characters < PAGE_CHARACTERS) {
      // One more than is wanted, and the one that was read last, with which a read begins.
      const asked = Math.min(Math.max(limit - events.length + 2, LEAST_ASKED), MOST_ASKED);
      const fromPosition = positionOfText(position) ?? FIRST;
      const options: ReadAllOptions = { fromPosition, maxCount: asked, direction: FORWARDS, requiresLeader: true };
      let came = 0;
      for await (const seen of this.#seen(client, options)) {
        came += 1;
        if (seen.position <= position) continue;
        if (seen.event !== null && events.length === limit) return { events, position, atHead: false };
        position = seen.position;
        scanned += 1;
        characters += seen.event?.payload.length ?? 0;
        if (seen.event !== null && matches(seen.event)) events.push(seen.event);
        if (characters >= PAGE_CHARACTERS) return { events, position, atHead: false };
      }
      if (came < asked) return { events, position, atHead: true };
    }
    return { events, position, atHead: false };
  }

  async *#seen(client: SingleConnectionClient, options: ReadAllOptions): AsyncGenerator<Seen> {
    for await (const resolved of received(client, client.readAll(options))) {
      const at = resolved.event?.position;
      if (at !== undefined) yield { position: positionText(at), event: storedEvent(resolved, this.#prefix) };
    }
  }
}

async function* streamEvents(
  client: SingleConnectionClient,
  stream: string,
  options: { fromRevision: bigint; requiresLeader: boolean; maxCount?: number },
): AsyncGenerator<ResolvedEvent> {
  try {
    yield* received(client, client.readStream(stream, options));
  } catch (error) {
    if (!(error instanceof StreamNotFoundError)) throw error;
  }
}

/** What a read brings; whoever stops early ends the read on the server too. */
async function* received<Event>({ ended }: SingleConnectionClient, read: StreamingRead<Event>): AsyncGenerator<Event> {
  // An error that comes after the end of our interest would end the process.
  read.on('error', () => undefined);
  const breakOff = (why: string) => () => read.destroy(new StalledError(why));
  const stall = setTimeout(breakOff('the server does not go on with a read'), STALL_MS);
  // The client tells a read that it cancels itself nothing.
  const end = breakOff('the connection was closed');
  ended.addEventListener('abort', end, { once: true });
  try {
    for await (const event of read.iterator({ destroyOnReturn: false })) {
      stall.refresh();
      yield event;
    }
  } finally {
    clearTimeout(stall);
    ended.removeEventListener('abort', end);
    await read.cancel().catch(() => undefined);
    // What came already is read to its end, or the client would hold it for ever.
    read.resume();
  }
}

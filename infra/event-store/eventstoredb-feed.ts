/** A subscription to the server that the live end of the log reads from: it never ends by itself, and holds only so much. */
import { setTimeout as pause } from 'node:timers/promises';
import { type AllStreamSubscription, START as FIRST } from '@eventstore/db-client';
import { type Position, START, type StoredEvent } from '../../src/domain/event.ts';
import type { EventPage } from '../../src/ports/event-store.ts';
import type { SingleConnectionClient } from './eventstoredb-client.ts';
import type { EventStoreDbConnection } from './eventstoredb-connection.ts';
import { isPassing, StalledError } from './eventstoredb-errors.ts';
import { positionOfText, positionText, storedEvent } from './eventstoredb-events.ts';

/** What is held before the server is made to wait. */
const MOST_EVENTS = 1000;
const MOST_CHARACTERS = 8 * 1024 * 1024;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

export class EventStoreDbFeed {
  readonly #connection: EventStoreDbConnection;
  readonly #onNews: () => void;
  /** Events of this log after `#from` up to `#to`, in order. */
  #held: StoredEvent[] = [];
  #heldCharacters = 0;
  #from: Position = START;
  #to: Position = START;
  /** Ends the run that is under way; null while there is none. */
  #run: AbortController | null = null;
  #subscription: AllStreamSubscription | null = null;

  /** @param onNews called when events have come */
  constructor(connection: EventStoreDbConnection, onNews: () => void) {
    this.#connection = connection;
    this.#onNews = onNews;
  }

  /** @returns what came after a position, or null when only the log itself can tell. Begins to listen after it then. */
  page(after: Position, limit: number): EventPage | null {
    if (this.#run === null || (after > this.#to && this.#isFull())) {
      this.#start(after);
      return null;
    }
    if (after < this.#from) return null;
    this.#drop(after);
    if (this.#held.length === 0) return null;
    const events = this.#held.slice(0, limit);
    const isAll = events.length === this.#held.length;
    const position = isAll ? this.#to : (events.at(-1)?.position ?? after);
    return { events, position, atHead: isAll && this.#subscription?.isPaused() !== true };
  }

  stop(): void {
    this.#run?.abort();
    this.#run = null;
  }

  #start(after: Position): void {
    this.stop();
    this.#held = [];
    this.#heldCharacters = 0;
    this.#from = after;
    this.#to = after;
    const run = new AbortController();
    this.#run = run;
    void this.#listen(run);
  }

  #drop(upTo: Position): void {
    let dropped = 0;
    for (const event of this.#held) {
      if (event.position > upTo) break;
      this.#heldCharacters -= event.payload.length;
      dropped += 1;
    }
    this.#held.splice(0, dropped);
    this.#from = upTo;
    if (!this.#isFull()) this.#subscription?.resume();
  }

  #isFull(): boolean {
    return this.#held.length >= MOST_EVENTS || this.#heldCharacters >= MOST_CHARACTERS;
  }

  /** Subscribes, again and again from what came last, until it is stopped or can not go on. */
  async #listen(run: AbortController): Promise<void> {
    const ended = AbortSignal.any([run.signal, this.#connection.closing]);
    let pauseMs = FIRST_PAUSE_MS;
    while (!ended.aborted) {
      const before = this.#to;
      const error = await this.#connection
        .once((client) => this.#subscribe(client, ended))
        .catch((cause: unknown) => cause);
      if (ended.aborted) return;
      if (!isPassing(error)) break;
      pauseMs = this.#to > before ? FIRST_PAUSE_MS : Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      await pause(pauseMs, undefined, { signal: ended }).catch(() => undefined);
    }
    if (this.#run !== run) return;
    this.#run = null;
    // Who waits reads the log itself, and is told what is wrong.
    this.#onNews();
  }

  /** Fails when the subscription breaks off; resolves when it is to end. */
  async #subscribe(client: SingleConnectionClient, ended: AbortSignal): Promise<void> {
    const { streamPrefix } = this.#connection.settings;
    const fromPosition = positionOfText(this.#to) ?? FIRST;
    const subscription = client.subscribeToAll({ fromPosition, requiresLeader: true });
    this.#subscription = subscription;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const end = (): void => resolve();
    ended.addEventListener('abort', end, { once: true });
    subscription.on('error', reject);
    subscription.on('end', () => reject(new StalledError('the server ended a subscription')));
    subscription.on('data', (resolved) => {
      const at = resolved.event?.position;
      if (at !== undefined && !ended.aborted) this.#take(positionText(at), storedEvent(resolved, streamPrefix));
    });
    try {
      await promise;
    } finally {
      ended.removeEventListener('abort', end);
      if (this.#subscription === subscription) this.#subscription = null;
      subscription.unsubscribe().catch(() => undefined);
    }
  }

  #take(position: Position, event: StoredEvent | null): void {
    if (position <= this.#to) return;
    this.#to = position;
    if (event === null) return;
    this.#held.push(event);
    this.#heldCharacters += event.payload.length;
    if (this.#isFull()) this.#subscription?.pause();
    this.#onNews();
  }
}

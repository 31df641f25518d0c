/** Events and subscriptions for the tests of event stores. */
import { hash, randomUUID } from 'node:crypto';
import type { NewEvent, Position, StoredEvent } from '../../src/domain/event.ts';
import { START } from '../../src/domain/event.ts';
import type { EventFilter, EventStore } from '../../src/ports/event-store.ts';

/** @returns an event with its own id; what matters to a test is given. */
export function newEvent(fields: Partial<NewEvent> = {}): NewEvent {
  return {
    eventId: randomUUID(),
    type: 'ThingHappened',
    schemaVersion: 1,
    payload: '{"a":1}',
    occurredAt: '2026-11-21T10:00:00.000Z',
    principal: 'local:admin',
    commandId: 'command-1',
    correlationId: 'command-1',
    causationId: null,
    traceparent: null,
    ...fields,
  };
}

/** @returns the event with a number: the same one each time, in whichever process. */
export function eventNumbered(stream: string, number: number): NewEvent {
  const hex = hash('sha256', `${stream} ${number}`, 'hex');
  const eventId = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  );
  return newEvent({ eventId, payload: JSON.stringify({ number }) });
}

/** @returns that many events. */
export function newEvents(count: number, fields: Partial<NewEvent> = {}): NewEvent[] {
  return Array.from({ length: count }, () => newEvent(fields));
}

/** @returns the whole log, read in pages of `limit`. */
export async function readEverything(
  store: EventStore,
  filter: EventFilter = {},
  limit = 100,
  after: Position = START,
): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for (let position = after; ; ) {
    const page = await store.readAll(position, filter, limit);
    events.push(...page.events);
    position = page.position;
    if (page.atHead) return events;
  }
}

/** A subscription that gathers what comes, and can be waited for. */
export class Collector {
  readonly events: StoredEvent[] = [];
  readonly positions: Position[] = [];
  readonly #abort = new AbortController();
  readonly #done: Promise<void>;
  #changed = Promise.withResolvers<void>();
  ended = false;

  constructor(store: EventStore, filter: EventFilter = {}, after: Position = START) {
    this.#done = this.#run(store, filter, after);
    this.#done.catch(() => {});
  }

  async #run(store: EventStore, filter: EventFilter, after: Position): Promise<void> {
    for await (const page of store.subscribe(after, filter, this.#abort.signal)) {
      this.events.push(...page.events);
      this.positions.push(page.position);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
    this.ended = true;
  }

  /** Waits until something holds of what has come. */
  async until(holds: (events: readonly StoredEvent[]) => boolean): Promise<void> {
    while (!holds(this.events)) await this.#changed.promise;
  }

  /** Waits until the subscription has told of a position or a later one. */
  async reaches(position: Position): Promise<void> {
    while ((this.positions.at(-1) ?? START) < position) await this.#changed.promise;
  }

  /** Resolves when the subscription has ended, whoever ended it. */
  get done(): Promise<void> {
    return this.#done;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#done;
  }
}

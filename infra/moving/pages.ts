/** Reads a whole log in pieces that fit in memory, so that logs of any size can be moved and compared. */
import { type Position, START, type StoredEvent } from '../../src/domain/event.ts';
import type { EventStore } from '../../src/ports/event-store.ts';

/** Events of a log in its order, some at a time. */
export type EventPages = AsyncIterable<readonly StoredEvent[]>;

const PAGE = 500;

/** The events of a store after a position, up to what was its last one when the reading began. */
export async function* storedPages(store: EventStore, after: Position = START): EventPages {
  const head = await store.head();
  for (let position = after; position < head; ) {
    const page = await store.readAll(position, {}, PAGE);
    const events = page.events.filter((event) => event.position <= head);
    if (events.length > 0) yield events;
    if (page.atHead) return;
    position = page.position;
  }
}

/** The events of a store from its first, and then those that come, until `signal` aborts. */
export async function* followedPages(store: EventStore, signal: AbortSignal): EventPages {
  for await (const { events } of store.subscribe(START, {}, signal)) if (events.length > 0) yield events;
}

/** One event after the other. */
export class EventCursor {
  readonly #pages: AsyncIterator<readonly StoredEvent[]>;
  #page: readonly StoredEvent[] = [];
  #index = 0;
  #ended = false;

  constructor(pages: EventPages) {
    this.#pages = pages[Symbol.asyncIterator]();
  }

  /** @returns the next event, or null for good after the last. */
  async next(): Promise<StoredEvent | null> {
    for (;;) {
      const event = this.#page[this.#index];
      if (event !== undefined) {
        this.#index += 1;
        return event;
      }
      if (this.#ended) return null;
      const page = await this.#pages.next();
      this.#ended = page.done === true;
      this.#page = page.done === true ? [] : page.value;
      this.#index = 0;
    }
  }

  /** Reads no further. */
  async close(): Promise<void> {
    this.#ended = true;
    this.#page = [];
    await this.#pages.return?.();
  }
}

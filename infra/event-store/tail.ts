/**
 * The live end of a log, shared by all subscriptions of a store: new events are read once and handed to everyone who
 * waits, so that thousands of idle subscribers cost one read and not thousands.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Position, START, type StoredEvent } from '../../src/domain/event.ts';
import type { EventFilter, EventPage } from '../../src/ports/event-store.ts';
import { type Matcher, matcher } from './filters.ts';

export interface TailOptions {
  /** Reads a page of the log, as `EventStore.readAll` does. */
  readonly readAll: (after: Position, filter: EventFilter, limit: number) => Promise<EventPage>;
  /** Told when the first subscriber begins to wait for news, and when none waits any more. */
  readonly onWaiting?: ((waiting: boolean) => void) | undefined;
}

/** Events read at once. */
const PAGE = 1000;
/** What is kept, so that a subscriber a little behind needs no read of its own. */
const KEPT_EVENTS = 4096;
const KEPT_CHARACTERS = 8 * 1024 * 1024;
/** Up to this many waiting subscribers are told at once how far the log was searched, even if nothing was for them. */
const FEW = 64;
const PROGRESS_MS = 1000;

interface Waiter {
  readonly wake: () => void;
  readonly fail: (error: unknown) => void;
}

/** All who wait with one filter: the filter is tried once for them all. */
interface Group {
  readonly matches: Matcher;
  readonly waiters: Set<Waiter>;
}

export class Tail {
  readonly #options: TailOptions;
  readonly #groups = new Map<string, Group>();
  #waiting = 0;
  #closed = false;
  /** All events after `#from` up to `#to`, in order. */
  #kept: StoredEvent[] = [];
  #keptCharacters = 0;
  #from: Position = START;
  /** Null until somebody first waits. */
  #to: Position | null = null;
  /** Whether the log may hold events after `#to`. */
  #stale = true;
  #reading: Promise<void> | null = null;
  #progressTimer: NodeJS.Timeout | null = null;

  constructor(options: TailOptions) {
    this.#options = options;
  }

  /** To be called when there may be new events. Cheap while nobody waits. */
  notify(): void {
    this.#stale = true;
    // A failed read is told to those who wait.
    if (this.#waiting > 0) this.#readNews().catch(() => {});
  }

  /** Ends all subscriptions. */
  close(): void {
    this.#closed = true;
    if (this.#progressTimer !== null) clearTimeout(this.#progressTimer);
    this.#kept = [];
    this.#to = null;
    this.#wakeAll();
  }

  /** See `EventStore.subscribe`. */
  async *subscribe(after: Position, filter: EventFilter, signal: AbortSignal): AsyncGenerator<EventPage, void> {
    const matches = matcher(filter);
    const group = JSON.stringify([filter.categories ?? null, filter.types ?? null]);
    let position = after;
    let reachedHead = false;
    while (!this.#closed && !signal.aborted) {
      if (this.#stale && position === this.#to) await this.#readNews();
      const page = this.#keptPage(position, matches) ?? (await this.#options.readAll(position, filter, PAGE));
      if (this.#closed || signal.aborted) return;
      const isNews = page.position > position || (page.atHead && !reachedHead);
      position = page.position;
      reachedHead ||= page.atHead;
      if (isNews) yield page;
      // Reading may never really wait; a long catch-up must not keep everything else of the process from running.
      if (!page.atHead) await nextTurn();
      else await this.#newsAfter(position, group, matches, signal);
    }
  }

  /** A page out of the kept events, or null when they do not reach back to `after`. */
  #keptPage(after: Position, matches: Matcher): EventPage | null {
    if (this.#to === null || after < this.#from || after > this.#to) return null;
    const events: StoredEvent[] = [];
    let index = firstAfter(this.#kept, after);
    for (; index < this.#kept.length && events.length < PAGE; index += 1) {
      const event = this.#kept[index];
      if (event !== undefined && matches(event)) events.push(event);
    }
    if (index < this.#kept.length) return { events, position: events.at(-1)?.position ?? after, atHead: false };
    return { events, position: this.#to, atHead: !this.#stale };
  }

  /** Resolves when there may be something after `after`, or the subscription is to end. */
  async #newsAfter(after: Position, key: string, matches: Matcher, signal: AbortSignal): Promise<void> {
    if (this.#closed || signal.aborted) return;
    this.#reachTo(after);
    if (this.#to !== after) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { wake: resolve, fail: reject };
    const group = this.#groups.get(key) ?? { matches, waiters: new Set() };
    this.#groups.set(key, group);
    group.waiters.add(waiter);
    this.#waiting += 1;
    if (this.#waiting === 1) this.#options.onWaiting?.(true);
    signal.addEventListener('abort', waiter.wake, { once: true });
    if (this.#stale) this.notify();
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', waiter.wake);
      group.waiters.delete(waiter);
      if (group.waiters.size === 0 && this.#groups.get(key) === group) this.#groups.delete(key);
      this.#waiting -= 1;
      if (this.#waiting === 0) this.#options.onWaiting?.(false);
    }
  }

  /** While nobody waited the kept events were not brought up to date: begin anew at a position known to be later. */
  #reachTo(position: Position): void {
    if (this.#to !== null && this.#to >= position) return;
    this.#kept = [];
    this.#keptCharacters = 0;
    this.#from = position;
    this.#to = position;
    this.#stale = true;
    this.#wakeAll();
  }

  /** Reads one page of news, once for all who ask meanwhile. */
  #readNews(): Promise<void> {
    this.#reading ??= this.#readPage().finally(() => {
      this.#reading = null;
      if (this.#stale && this.#waiting > 0) setImmediate(() => this.notify());
    });
    return this.#reading;
  }

  async #readPage(): Promise<void> {
    const after = this.#to;
    if (after === null || this.#closed) return;
    this.#stale = false;
    try {
      const page = await this.#options.readAll(after, {}, PAGE);
      if (this.#to !== after) return;
      if (!page.atHead) this.#stale = true;
      this.#keep(page);
      this.#wakeFor(page);
    } catch (error) {
      for (const group of this.#groups.values()) for (const waiter of group.waiters) waiter.fail(error);
      throw error;
    }
  }

  #keep(page: EventPage): void {
    this.#to = page.position;
    for (const event of page.events) {
      this.#kept.push(event);
      this.#keptCharacters += event.payload.length;
    }
    let dropped = 0;
    while (this.#kept.length - dropped > KEPT_EVENTS || this.#keptCharacters > KEPT_CHARACTERS) {
      const event = this.#kept[dropped];
      if (event === undefined) break;
      this.#keptCharacters -= event.payload.length;
      this.#from = event.position;
      dropped += 1;
    }
    if (dropped > 0) this.#kept.splice(0, dropped);
  }

  #wakeFor(page: EventPage): void {
    if (page.events.length === 0) return;
    if (this.#waiting <= FEW) {
      this.#wakeAll();
      return;
    }
    for (const group of this.#groups.values()) {
      if (!page.events.some(group.matches)) continue;
      for (const waiter of group.waiters) waiter.wake();
    }
    this.#progressTimer ??= setTimeout(() => {
      this.#progressTimer = null;
      this.#wakeAll();
    }, PROGRESS_MS);
  }

  #wakeAll(): void {
    for (const group of this.#groups.values()) for (const waiter of group.waiters) waiter.wake();
  }
}

/** Index of the first event after a position; the events are in order. */
function firstAfter(events: readonly StoredEvent[], after: Position): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const event = events[middle];
    if (event !== undefined && event.position <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}

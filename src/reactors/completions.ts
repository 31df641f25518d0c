/** Tells those who wait when an execution has ended, whichever process ran it. */

import { idOf, type Position, type StoredEvent } from '../domain/event.ts';
import { type ExecutionEvent, TERMINAL_EVENT_TYPES, type TerminalEvent } from '../domain/execution.ts';
import { decode } from '../domain/history.ts';
import type { EventPage, EventStore } from '../ports/event-store.ts';
import { keepFollowing } from './keep-following.ts';

/** How an execution ended, and the position up to which a reader must be to see it. */
export interface End {
  readonly event: TerminalEvent;
  readonly position: Position;
}

export interface Awaited {
  readonly promise: Promise<End>;
  /** Stops waiting; the promise then stays unsettled. */
  cancel(): void;
}

interface Waiter {
  readonly resolve: (end: End) => void;
}

const TERMINAL: ReadonlySet<string> = new Set(TERMINAL_EVENT_TYPES);
const ENDS = { categories: ['execution'], types: TERMINAL_EVENT_TYPES } as const;

export class Completions {
  readonly #store: EventStore;
  readonly #waiters = new Map<string, Set<Waiter>>();

  constructor(store: EventStore) {
    this.#store = store;
  }

  /** Waits for the end of an execution that has not ended yet; ask {@link look} for one that may have. */
  next(executionId: string, signal?: AbortSignal): Awaited {
    const { promise, resolve, reject } = Promise.withResolvers<End>();
    const waiter = { resolve };
    const waiters = this.#waiters.get(executionId) ?? new Set<Waiter>();
    this.#waiters.set(executionId, waiters.add(waiter));
    const cancel = (): void => {
      waiters.delete(waiter);
      if (waiters.size === 0 && this.#waiters.get(executionId) === waiters) this.#waiters.delete(executionId);
    };
    signal?.addEventListener(
      'abort',
      () => {
        cancel();
        reject(signal.reason);
      },
      { once: true },
    );
    promise.catch(() => undefined);
    return { promise, cancel };
  }

  settle(executionId: string, end: End): void {
    const waiters = this.#waiters.get(executionId);
    this.#waiters.delete(executionId);
    for (const waiter of waiters ?? []) waiter.resolve(end);
  }

  /** Settles those who wait for an execution that has ended before they asked. */
  async look(stream: string): Promise<void> {
    const events = await this.#store.readStream(stream);
    const last = events.findLast((event) => TERMINAL.has(event.type));
    if (last !== undefined) this.settle(idOf(stream), endOf(last));
  }

  /** Follows the log after `from` until `signal` aborts, so that ends in other processes are told here too. */
  follow(from: Position, onTrouble: (error: unknown) => void, signal: AbortSignal): Promise<void> {
    const onPage = (page: EventPage): void => {
      for (const event of page.events) {
        const executionId = idOf(event.stream);
        if (this.#waiters.has(executionId)) this.settle(executionId, endOf(event));
      }
    };
    return keepFollowing(this.#store, { from, filter: ENDS, onPage, onTrouble }, signal);
  }
}

function endOf(stored: StoredEvent): End {
  const event = decode<ExecutionEvent>(stored);
  switch (event.type) {
    case 'ExecutionCompleted':
    case 'ExecutionFailed':
    case 'ExecutionCancelled':
      return { event, position: stored.position };
    default:
      throw new Error(`${event.type} does not end an execution`);
  }
}

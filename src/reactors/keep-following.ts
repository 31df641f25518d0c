/** Follows the log through errors of the store, so that one failed read does not make a process deaf for the rest of its life. */
import type { Position } from '../domain/event.ts';
import type { EventFilter, EventPage, EventStore } from '../ports/event-store.ts';

export interface Following {
  /** Pages begin after this position. */
  readonly from: Position;
  readonly filter: EventFilter;
  /** Called with each page in order, the next one when it is done with the last; one that throws is brought again. */
  readonly onPage: (page: EventPage) => void | Promise<void>;
  /** Told each time the following has broken off, before it is taken up again. */
  readonly onTrouble: (error: unknown) => void;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Brings all pages after a position until `signal` aborts or the store closes. After an error it goes on where it was,
 * 100 ms later, then after twice as long each time up to 5 s, as long as it gets no further. Never rejects.
 */
export async function keepFollowing(
  store: EventStore,
  { from, filter, onPage, onTrouble }: Following,
  signal: AbortSignal,
): Promise<void> {
  let position = from;
  let pauseMs = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      for await (const page of store.subscribe(position, filter, signal)) {
        await onPage(page);
        if (page.position > position) pauseMs = FIRST_PAUSE_MS;
        position = page.position;
      }
      return;
    } catch (error) {
      if (signal.aborted) return;
      onTrouble(error);
    }
    await pause(pauseMs, signal);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** Resolves after `ms` milliseconds, or when `signal` aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}

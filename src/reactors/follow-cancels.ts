/** Brings requests to cancel to the worker that runs the execution, whichever process took the request. */
import { idOf, type Position } from '../domain/event.ts';
import type { ExecutionEvent } from '../domain/execution.ts';
import { decode } from '../domain/history.ts';
import type { EventPage, EventStore } from '../ports/event-store.ts';
import { keepFollowing } from './keep-following.ts';

const FILTER = { categories: ['execution'], types: ['ExecutionCancelRequested'] } as const;

/** Calls `cancel` for each request after `from`, until `signal` aborts. Errors are told, and it goes on. */
export function followCancels(
  store: EventStore,
  from: Position,
  cancel: (executionId: string, reason: string | null) => void,
  onTrouble: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const onPage = (page: EventPage): void => {
    for (const stored of page.events) {
      const event = decode<ExecutionEvent>(stored);
      if (event.type === 'ExecutionCancelRequested') cancel(idOf(stored.stream), event.data.reason);
    }
  };
  return keepFollowing(store, { from, filter: FILTER, onPage, onTrouble }, signal);
}

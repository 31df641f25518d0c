/** Brings what others want of a running execution to the worker that runs it, whichever process took the request: that it ends, or an answer. */
import { idOf, type Position } from '../domain/event.ts';
import type { ExecutionEvent } from '../domain/execution.ts';
import { decode } from '../domain/history.ts';
import type { Payload } from '../domain/payload.ts';
import type { EventPage, EventStore } from '../ports/event-store.ts';
import { keepFollowing } from './keep-following.ts';

const FILTER = {
  categories: ['execution'],
  types: ['ExecutionCancelRequested', 'QuestionAnswered', 'ExecutionCancelled'],
} as const;

/** Who runs executions. */
export interface Worker {
  cancel(executionId: string, reason: string | null): void;
  answer(executionId: string, path: string, answer: Payload): void;
}

/** Tells `worker` of each wish after `from`, until `signal` aborts. Errors are told, and it goes on. */
export function followWishes(
  store: EventStore,
  from: Position,
  worker: Worker,
  onTrouble: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const onPage = (page: EventPage): void => {
    // What did not run when it was asked to end has ended with that.
    const ended = new Set(page.events.filter(({ type }) => type === 'ExecutionCancelled').map(({ stream }) => stream));
    for (const stored of page.events.filter(({ stream }) => !ended.has(stream))) {
      const event = decode<ExecutionEvent>(stored);
      const executionId = idOf(stored.stream);
      if (event.type === 'ExecutionCancelRequested') worker.cancel(executionId, event.data.reason);
      if (event.type === 'QuestionAnswered') worker.answer(executionId, event.data.path, event.data.answer);
    }
  };
  return keepFollowing(store, { from, filter: FILTER, onPage, onTrouble }, signal);
}

/** Brings requests to cancel to the worker that runs the execution, whichever process took the request. */
import { idOf } from '../domain/event.ts';
import type { ExecutionEvent } from '../domain/execution.ts';
import { decode } from '../domain/history.ts';
import type { EventStore } from '../ports/event-store.ts';

/** Calls `cancel` for each request from now on, until `signal` aborts. */
export async function followCancels(
  store: EventStore,
  cancel: (executionId: string, reason: string | null) => void,
  signal: AbortSignal,
): Promise<void> {
  const filter = { categories: ['execution'] as const, types: ['ExecutionCancelRequested'] };
  for await (const page of store.subscribe(await store.head(), filter, signal)) {
    for (const stored of page.events) {
      const event = decode<ExecutionEvent>(stored);
      if (event.type === 'ExecutionCancelRequested') cancel(idOf(stored.stream), event.data.reason);
    }
  }
}

/** What can be watched: for each operation that has a live form, what it tells, from a position on and without a gap. */
import { z } from 'zod';
import { eventFilter, eventFilterInput, shownEvent } from '../../queries/event.ts';
import { eventSight } from '../../queries/task-scope.ts';
import { authorize } from '../domain/access.ts';
import { batchLive } from './live-batch.ts';
import { executionLive, logsLive, traceLive } from './live-execution.ts';
import { schedulesLive, tasksLive } from './live-lists.ts';
import type { LiveMessage, OpenLive } from './live-watch.ts';
import { parse } from './operation.ts';
import { assertPosition } from './problems.ts';

const eventsInput = z.strictObject({
  ...eventFilterInput,
  after: z.string().max(64).optional().describe('Position to go on after; the head when left out.'),
});

const eventsLive: OpenLive = async ({ core, operation, caller, signal }, input) => {
  authorize(caller.principal, operation.permission, operation.name);
  const { after: asked, ...filter } = parse(eventsInput, input);
  const { store } = core.query;
  const isSeen = eventSight(store, caller.principal.tasks);
  const after = caller.lastId ?? asked ?? (await store.head());
  // A position that is none is refused here, while there still is an answer to refuse with.
  await assertPosition(store, after, caller.lastId === null ? 'after' : 'last-event-id');
  return (async function* (): AsyncGenerator<LiveMessage, void> {
    for await (const page of store.subscribe(after, eventFilter(filter), signal)) {
      for (const event of page.events) {
        if (await isSeen(event)) yield { id: event.position, event: event.type, data: shownEvent(event) };
      }
    }
  })();
};

/** By the operation whose route also answers with a stream. */
export const LIVE: ReadonlyMap<string, OpenLive> = new Map([
  ['list_events', eventsLive],
  ['get_execution_status', executionLive],
  ['get_execution_logs', logsLive],
  ['get_execution_trace', traceLive],
  ['get_batch', batchLive],
  ['list_available_tasks', tasksLive],
  ['list_schedules', schedulesLive],
]);

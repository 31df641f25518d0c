/** One batch live: how far it is and what has become of its items, from the beginning to its end. */
import { z } from 'zod';
import { BATCH_EVENT_TYPES, type BatchEvent } from '../domain/batch.ts';
import { idOf, type StoredEvent } from '../domain/event.ts';
import { decode } from '../domain/history.ts';
import type { LiveMessage, OpenLive, Watch } from './live-watch.ts';
import { parse } from './operation.ts';
import { assertPosition } from './problems.ts';
import { record } from './rest-request.ts';

const input = z.strictObject({ batch_id: z.string().min(1).max(64) });

/**
 * `status`: the answer of the operation, at once; `change`: the batch without its items, and what has become of some;
 * `end` when it has ended.
 */
export const batchLive: OpenLive = async (watch, given) => {
  const { batch_id: batchId } = parse(input, given);
  const { caller, signal } = watch;
  const { store } = watch.core.query;
  const after = caller.lastId ?? (await store.head());
  await assertPosition(store, after, 'last-event-id');
  const first = await batchAt(watch, batchId, after);
  const isKnown = caller.lastId !== null && caller.lastId >= String(first['position']);
  if (isKnown && first['ended_at'] !== null) return null;
  return (async function* (): AsyncGenerator<LiveMessage, void> {
    if (!isKnown) yield { id: after, event: 'status', data: first };
    if (first['ended_at'] !== null) return yield endOf(first, String(first['position']));
    const filter = { categories: ['batch'], types: BATCH_EVENT_TYPES } as const;
    for await (const page of store.subscribe(after, filter, signal)) {
      const own = page.events.filter(({ stream }) => idOf(stream) === batchId);
      const last = own.at(-1);
      if (last === undefined) continue;
      const { items: _, next_cursor: __, ...told } = await batchAt(watch, batchId, last.position);
      yield { id: last.position, event: 'change', data: { ...told, changes: own.map(changeOf) } };
      if (last.type === 'BatchEnded') return yield endOf(told, last.position);
    }
  })();
};

async function batchAt({ core, operation, caller }: Watch, batchId: string, minPosition: string) {
  return record(await operation.run(core, { batch_id: batchId }, { ...caller, minPosition }));
}

/** @returns what a fact says about a batch, or about one of its items. */
export function changeOf(stored: StoredEvent): {
  readonly type: string;
  readonly item: string | null;
  readonly execution_id: string | null;
  readonly status: string | null;
} {
  const event = decode<BatchEvent>(stored);
  const { type } = event;
  switch (type) {
    case 'BatchItemStarted':
      return { type, item: event.data.item, execution_id: event.data.executionId, status: 'running' };
    case 'BatchItemEnded':
      return { type, item: event.data.item, execution_id: event.data.executionId, status: event.data.outcome };
    case 'BatchRequested':
    case 'BatchCancelRequested':
    case 'BatchEnded':
      return { type, item: null, execution_id: null, status: null };
    default:
      return type satisfies never;
  }
}

function endOf({ batch_id, status }: Readonly<Record<string, unknown>>, position: string): LiveMessage {
  return { id: position, event: 'end', data: { batch_id, status, position } };
}

/** What may be asked of a batch: request it, cancel it, and move it on when items have ended; the answer as facts. */
import { z } from 'zod';
import {
  type BatchEvent,
  type BatchItem,
  type BatchRequest,
  type BatchState,
  batch,
  countsOf,
  type ExistingBatch,
  type ItemEnd,
  isStopping,
  type LaterBatchEvent,
  pendingItems,
} from '../src/domain/batch.ts';
import { RatchetError } from '../src/domain/errors.ts';
import { streamName } from '../src/domain/event.ts';
import { defineCommand } from './command.ts';

/** Requests made by our own code are typed; what users send is parsed where it comes in. */
const trusted = <T>(): z.ZodType<T> => z.custom<T>((value) => typeof value === 'object' && value !== null);

const common = {
  permission: 'execute_tasks',
  stream: ({ batchId }: { readonly batchId: string }) => streamName('batch', batchId),
  evolution: batch,
} as const;

export const requestBatch = defineCommand<BatchRequest, BatchState, BatchEvent>({
  ...common,
  name: 'batch_execute',
  input: trusted(),
  decide: (state, request) => {
    if (state.status === 'none') return [{ type: 'BatchRequested', data: request }];
    const { batchId } = request;
    throw new RatchetError('already_exists', `the batch ${batchId} exists`, { details: { batchId } });
  },
});

const cancelInput = z.strictObject({ batchId: z.string(), reason: z.string().max(1_024).nullable() });

/** Nothing more of it starts, and what runs is cancelled. Asking twice changes nothing. */
export const cancelBatch = defineCommand<z.infer<typeof cancelInput>, BatchState, BatchEvent>({
  ...common,
  name: 'cancel_batch',
  input: cancelInput,
  decide: (state, { batchId, reason }) => {
    const existing = knownBatch(state, batchId);
    if (existing.status === 'running') {
      return existing.cancelRequested ? [] : [{ type: 'BatchCancelRequested', data: { reason } }];
    }
    if (existing.status === 'cancelled') return [];
    throw new RatchetError('batch_finished', `batch ${batchId} has already ${existing.status}`, {
      details: { batchId, status: existing.status },
    });
  },
});

export interface MoveBatchInput {
  readonly batchId: string;
  /** What is known to have ended; what was recorded before, or never started, changes nothing. */
  readonly ends: readonly ItemEnd[];
  /** Items that may be started by this decision. */
  readonly most: number;
}

/** Records ends, passes over what can no longer run, starts what is due, and ends the batch with its last item. */
export const moveBatch = defineCommand<MoveBatchInput, BatchState, BatchEvent>({
  ...common,
  name: 'move_batch',
  input: trusted(),
  decide: (state, { ends, most }) => {
    if (state.status !== 'running') return [];
    const facts: LaterBatchEvent[] = [];
    // One copy for all facts of this decision: there can be a thousand.
    const statuses = new Map(state.statuses);
    const after: ExistingBatch = { ...state, statuses };
    const end = (ended: ItemEnd, { executionId }: BatchItem): void => {
      facts.push({ type: 'BatchItemEnded', data: { ...ended, executionId } });
      statuses.set(ended.item, ended.outcome);
    };
    const items = new Map(state.request.items.map((item) => [item.id, item]));
    for (const ended of ends) {
      const item = items.get(ended.item);
      if (item !== undefined && statuses.get(ended.item) === 'running') end(ended, item);
    }
    skipUnreachable(after, end);
    for (const { id, executionId } of due(after, most)) {
      facts.push({ type: 'BatchItemStarted', data: { item: id, executionId } });
      statuses.set(id, 'running');
    }
    const { pending, running, ...counts } = countsOf(after);
    if (pending + running > 0) return facts;
    const isWhole = counts.completed === items.size;
    const outcome = isWhole ? 'completed' : after.cancelRequested ? 'cancelled' : 'failed';
    return [...facts, { type: 'BatchEnded', data: { outcome, counts } }];
  },
});

type End = (ended: ItemEnd, item: BatchItem) => void;

/** Ends all items that will never start: first those whose dependencies have ended otherwise, then those that wait for these. */
function skipUnreachable(state: ExistingBatch, end: End): void {
  const stopping = isStopping(state) ? stopReason(state) : null;
  const waiting = pendingItems(state);
  const dependents = Map.groupBy(
    waiting.flatMap(({ item }) => item.dependsOn.map((id) => ({ id, item }))),
    ({ id }) => id,
  );
  for (let next = waiting.map(({ item }) => item); next.length > 0; ) {
    const left = next.flatMap((item) => {
      const error = stopping ?? missingOf(state, item);
      return error === null || state.statuses.get(item.id) !== 'pending' ? [] : [{ item, error }];
    });
    for (const { item, error } of left) end({ item: item.id, outcome: 'skipped', error }, item);
    next = [...new Set(left.flatMap(({ item: { id } }) => (dependents.get(id) ?? []).map(({ item }) => item)))];
  }
}

/** @returns which dependency of an item did not complete; null while all still can. */
function missingOf({ statuses }: ExistingBatch, { dependsOn }: BatchItem): ItemEnd['error'] {
  for (const id of dependsOn) {
    const status = statuses.get(id) ?? 'pending';
    if (status !== 'failed' && status !== 'cancelled' && status !== 'skipped') continue;
    return { code: 'dependency_not_completed', message: `item ${id}, which it depends on, was ${status}` };
  }
  return null;
}

/** @returns why what has not begun in a batch that is stopping never will. */
export function stopReason({ cancelRequested }: ExistingBatch): { readonly code: string; readonly message: string } {
  const why = cancelRequested ? 'the batch was cancelled' : 'another item did not complete, and fail_fast is set';
  return { code: 'cancelled', message: why };
}

/** Items to start now: those with the highest priority, and among equals those that were asked for first. */
function due(state: ExistingBatch, most: number): readonly BatchItem[] {
  const { maxParallel, items } = state.request;
  const room = (maxParallel ?? items.length) - countsOf(state).running;
  return pendingItems(state)
    .filter(({ dependencies }) => dependencies.every((status) => status === 'completed'))
    .map(({ item }) => item)
    .toSorted((one, other) => other.priority - one.priority)
    .slice(0, Math.max(0, Math.min(room, most)));
}

/** @returns the state of a batch that exists. Fails with `batch_not_found`. */
export function knownBatch(state: BatchState, batchId: string): ExistingBatch {
  if (state.status !== 'none') return state;
  throw new RatchetError('batch_not_found', `there is no batch ${batchId}`, { details: { batchId } });
}

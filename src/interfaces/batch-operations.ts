/** What can be asked about batches: request, watch and cancel them. */
import { z } from 'zod';
import { cancelBatch } from '../../commands/batch.ts';
import {
  batchInput,
  batchStoredBefore,
  batchWish,
  defineBatch,
  type RequestedBatch,
} from '../../commands/define-batch.ts';
import { handle } from '../../commands/handle.ts';
import { getBatch, listBatches } from '../../queries/batch.ts';
import { RatchetError } from '../domain/errors.ts';
import { type Caller, type Core, command, metaOf, type Operation, query } from './operation.ts';
import { countOperation } from './operation-limits.ts';

const permission = 'execute_tasks';

async function request(core: Core, written: z.infer<typeof batchInput>, caller: Caller) {
  const { idempotency_key: key = caller.idempotencyKey, ...input } = written;
  const wish = batchWish(input);
  const meta = metaOf(core, { ...caller, idempotencyKey: key }, 'batch_execute', input);
  const known = key === null ? null : await batchStoredBefore(core.execute, meta);
  if (known !== null) return told(known);
  // Each item is an execution like any other, and counts as one.
  await countOperation(core.rateLimits, caller.principal, 'execute_task', caller.onCounted, wish.items.length);
  return told(await defineBatch(core.execute, wish, caller.source, meta));
}

function told({ batchId, request: { items }, position, created }: RequestedBatch) {
  return {
    batch_id: batchId,
    status: 'running',
    total: items.length,
    items: items.map(({ id, executionId, task, dependsOn }) => ({
      id,
      execution_id: executionId,
      task_id: task.id,
      task_name: task.name,
      depends_on: dependsOn,
    })),
    created,
    position,
  };
}

export const BATCH_OPERATIONS: readonly Operation[] = [
  command({
    name: 'batch_execute',
    permission,
    description:
      'Run many tasks, some of which may wait for the outputs of others; answers at once with the id of each execution.',
    input: batchInput,
    about: ({ tasks = [], requests = [] }) =>
      [...new Set([...tasks, ...requests].map(({ task_id }) => task_id))].map((id) => ({ kind: 'task', id })),
    run: request,
  }),
  command({
    name: 'cancel_batch',
    permission,
    description: 'End a batch that has not ended: what runs is cancelled, the rest is skipped.',
    input: z.strictObject({ batch_id: z.string().min(1).max(64), reason: z.string().max(1_024).optional() }),
    run: async (core, input, caller) => {
      const given = { batchId: input.batch_id, reason: input.reason ?? null };
      const meta = { ...metaOf(core, caller, 'cancel_batch', input), correlationId: input.batch_id };
      const { state, changed, position } = await handle(core.execute, cancelBatch, given, meta);
      if (state.status === 'none') throw new RatchetError('internal', 'a command left no batch');
      const status = state.status === 'running' ? 'cancelling' : state.status;
      return { batch_id: input.batch_id, status, changed, position };
    },
  }),
  query(listBatches),
  query(getBatch),
];

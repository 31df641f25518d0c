/** Tells about executions that a batch has promised and that do not exist yet, or never will: their ids were given with the batch. */
import { z } from 'zod';
import type { ReadModels } from '../projections/read-models.ts';
import { isAllowedTask, type TaskPatterns } from '../src/domain/access.ts';
import { batch, type ExistingBatch } from '../src/domain/batch.ts';
import { isRatchetError, RatchetError } from '../src/domain/errors.ts';
import { type Json, type StoredEvent, streamName } from '../src/domain/event.ts';
import { type Explained, explain } from '../src/domain/explain.ts';
import { fold } from '../src/domain/history.ts';
import { type QueryDeps, stored } from './query.ts';

const NOTHING_YET = {
  attempt: 0,
  source: 'batch',
  progress: null,
  fingerprint: null,
  steps: 0,
  log_lines: 0,
  trace_id: '',
  parent_id: null,
  original_execution: null,
  retry_reason: null,
  fork_step: null,
  started_at: null,
  wait_until: null,
  duration_ms: null,
  output: null,
  questions: [],
  options: null,
  session_id: null,
  client_info: null,
  worker: null,
  mode: null,
} as const;

/**
 * @returns the answer of `read`, or in its place what is known of an item whose execution has not been made. Fails as `read`
 * does where there is no such item, or none that the caller may see.
 */
export async function orPlanned<Told>(
  deps: QueryDeps,
  executionId: string,
  patterns: TaskPatterns | undefined,
  read: () => Promise<Told>,
): Promise<Told | Awaited<ReturnType<typeof toldPlan>>> {
  try {
    return await read();
  } catch (error) {
    if (!isRatchetError(error, 'execution_not_found')) throw error;
    const item = await deps.db
      .selectFrom('batch_items')
      .selectAll()
      .where('execution_id', '=', executionId)
      .executeTakeFirst();
    if (item === undefined || (patterns !== undefined && !isAllowedTask(patterns, item.task_name))) throw error;
    return toldPlan(deps, item);
  }
}

/** As an execution is told. `waiting_for` says `batch`; `input` is as written, with its references. */
async function toldPlan(deps: QueryDeps, item: ReadModels['batch_items']) {
  const history = await deps.store.readStream(streamName('batch', item.batch_id), { limit: 1 });
  const { request } = knownBatchOf(history, item.batch_id);
  const inputs = await deps.blobs.get(request.inputs);
  const input: Json = Array.isArray(inputs) ? (inputs[item.ordinal] ?? null) : null;
  const hasEnded = item.ended_at !== null;
  return {
    execution_id: item.execution_id,
    task_id: item.task_id,
    task_name: item.task_name,
    task_version: item.task_version,
    status: statusOf(item),
    priority: item.priority,
    principal: request.caller.id,
    ...NOTHING_YET,
    error: errorOf(item),
    waiting_for: hasEnded ? null : 'batch',
    requested_at: history[0]?.recordedAt ?? '',
    finished_at: item.ended_at,
    input,
    metadata: { ...request.metadata, batch_id: item.batch_id, batch_item: item.item },
    trace_url: `/traces/${item.execution_id}`,
    logs_url: `/logs/${item.execution_id}`,
    position: item.position,
  };
}

/** An item that was skipped is an execution that was cancelled before it began. */
function statusOf({ status }: ReadModels['batch_items']): 'pending' | 'failed' | 'cancelled' {
  if (status === 'skipped' || status === 'cancelled') return 'cancelled';
  return status === 'failed' ? 'failed' : 'pending';
}

function knownBatchOf(history: readonly StoredEvent[], batchId: string): ExistingBatch {
  const state = fold(batch, history);
  if (state.status !== 'none') return state;
  throw new RatchetError('batch_not_found', `there is no batch ${batchId}`, { details: { batchId } });
}

const errorForm = z.object({ code: z.string(), message: z.string() });

function errorOf({ error }: ReadModels['batch_items']): Explained | null {
  if (error === null) return null;
  const { code, message } = errorForm.parse(stored(error));
  return explain(code, { name: 'BatchError', message, stack: null, data: {}, cause: null });
}

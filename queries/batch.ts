/** Tells about batches: how far each is, and what became of its items. */
import { z } from 'zod';
import type { ReadModels } from '../projections/read-models.ts';
import { RatchetError } from '../src/domain/errors.ts';
import { instant } from './execution.ts';
import { cursor, decodeCursor, defineQuery, limit, pageOf, type QueryDeps, stored } from './query.ts';
import { allowedTaskIds } from './task-scope.ts';

const BATCH_STATUSES = ['running', 'cancelling', 'completed', 'failed', 'cancelled'] as const;
const ITEM_STATUSES = ['pending', 'running', 'completed', 'failed', 'cancelled', 'skipped'] as const;

const listInput = z.strictObject({
  status: z.enum(BATCH_STATUSES).optional(),
  since: instant.optional().describe('Requested at or after this time.'),
  principal: z.string().max(128).optional(),
  limit: limit(50),
  cursor,
});

/** Batches, the newest first; only those of whose tasks the caller may see every one. */
export const listBatches = defineQuery({
  name: 'list_batches',
  permission: 'read',
  description: 'Batches, the newest first, with how many of their items are in each state.',
  input: listInput,
  read: async (deps, input, patterns) => {
    let query = deps.db
      .selectFrom('batches')
      .selectAll()
      .orderBy('requested_at', 'desc')
      .orderBy('batch_id', 'desc')
      .limit(input.limit + 1);
    const allowed = await allowedTaskIds(deps.db, patterns);
    if (allowed !== null) {
      query = query.where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('batch_items')
              .select('batch_items.item')
              .whereRef('batch_items.batch_id', '=', 'batches.batch_id')
              .where('batch_items.task_id', 'not in', [...allowed]),
          ),
        ),
      );
    }
    if (input.status !== undefined) query = query.where('status', '=', input.status);
    if (input.principal !== undefined) query = query.where('principal', '=', input.principal);
    if (input.since !== undefined) query = query.where('requested_at', '>=', new Date(input.since).toISOString());
    if (input.cursor !== undefined) {
      const [at, id] = decodeCursor(input.cursor, z.tuple([z.string(), z.string()]));
      query = query
        .where('requested_at', '<=', at)
        .where((is) => is.or([is('requested_at', '<', at), is('batch_id', '<', id)]));
    }
    const page = pageOf(await query.execute(), input.limit, (row) => [row.requested_at, row.batch_id]);
    return { batches: page.rows.map(batchSummary), next_cursor: page.next_cursor };
  },
});

/** One batch with a page of its items, in the order they were asked for. */
export const getBatch = defineQuery({
  name: 'get_batch',
  permission: 'read',
  description: 'Status, counts and progress of a batch, and its items with the id and the state of each execution.',
  input: z.strictObject({
    batch_id: z.string().min(1).max(64),
    item_status: z.enum(ITEM_STATUSES).optional().describe('Only items in this state.'),
    limit: limit(100),
    cursor,
  }),
  read: async (deps, input) => {
    const row = await batchRow(deps, input.batch_id);
    let query = deps.db
      .selectFrom('batch_items')
      .selectAll()
      .where('batch_id', '=', input.batch_id)
      .orderBy('ordinal')
      .limit(input.limit + 1);
    if (input.item_status !== undefined) query = query.where('status', '=', input.item_status);
    if (input.cursor !== undefined) {
      query = query.where('ordinal', '>', decodeCursor(input.cursor, z.tuple([z.number()]))[0]);
    }
    const page = pageOf(await query.execute(), input.limit, ({ ordinal }) => [ordinal]);
    return { ...batchSummary(row), items: page.rows.map(toldItem), next_cursor: page.next_cursor };
  },
});

/** Fails with `batch_not_found`. */
export async function batchRow({ db }: QueryDeps, id: string): Promise<ReadModels['batches']> {
  const row = await db.selectFrom('batches').selectAll().where('batch_id', '=', id).executeTakeFirst();
  if (row !== undefined) return row;
  throw new RatchetError('batch_not_found', `there is no batch ${id}`, { details: { batchId: id } });
}

/** @returns the ids of batches that have not ended. */
export async function openBatches({ db }: Pick<QueryDeps, 'db'>): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('batches')
    .select('batch_id')
    .where('status', 'in', ['running', 'cancelling'])
    .execute();
  return rows.map(({ batch_id }) => batch_id);
}

/** A batch as lists tell it. */
export function batchSummary(row: ReadModels['batches']) {
  const { pending, running, completed, failed, cancelled, skipped } = row;
  const ended = completed + failed + cancelled + skipped;
  return {
    batch_id: row.batch_id,
    status: row.status,
    total: row.items,
    counts: { pending, running, completed, failed, cancelled, skipped },
    progress_percent: Math.round((ended / row.items) * 1_000) / 10,
    max_parallel: row.max_parallel,
    fail_fast: row.fail_fast === 1,
    metadata: stored(row.metadata),
    principal: row.principal,
    requested_at: row.requested_at,
    ended_at: row.ended_at,
    position: row.position,
  };
}

function toldItem(row: ReadModels['batch_items']) {
  return {
    id: row.item,
    ordinal: row.ordinal,
    execution_id: row.execution_id,
    task_id: row.task_id,
    task_name: row.task_name,
    task_version: row.task_version,
    depends_on: stored(row.depends_on),
    priority: row.priority,
    status: row.status,
    error: row.error === null ? null : stored(row.error),
    started_at: row.started_at,
    ended_at: row.ended_at,
  };
}

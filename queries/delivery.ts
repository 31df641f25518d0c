/** Tells about deliveries: what went where, what came of it, and what is due. */
import type { Kysely } from 'kysely';
import { z } from 'zod';
import type { ReadModels } from '../projections/read-models.ts';
import { DELIVERY_STATUSES, type DeliveryAttempt, delivery } from '../src/domain/delivery.ts';
import { RatchetError } from '../src/domain/errors.ts';
import { streamName } from '../src/domain/event.ts';
import { fold } from '../src/domain/history.ts';
import { isoTime } from '../src/domain/time.ts';
import type { DeliveryTable } from '../src/ports/delivery-table.ts';
import { taskIds } from './execution.ts';
import { cursor, decodeCursor, defineQuery, limit, pageOf } from './query.ts';
import { allowedTaskIds } from './task-scope.ts';

/** Ids of deliveries name execution and target. */
export const deliveryId: z.ZodType<string> = z.string().min(1).max(160);

const listInput = z.strictObject({
  status: z.enum(DELIVERY_STATUSES).optional(),
  target: z.string().min(1).max(64).optional().describe('Name of the target.'),
  execution_id: z.string().min(1).max(64).optional(),
  task_id: z.string().min(1).max(256).optional().describe('Name or id of the task.'),
  limit: limit(50),
  cursor,
});

const keyForm = z.tuple([z.string(), z.string()]);

export const listDeliveries = defineQuery({
  name: 'list_deliveries',
  permission: 'read_logs',
  description: 'Results on their way to targets, newest first, with what came of them.',
  input: listInput,
  read: async (deps, input, patterns) => {
    const named = input.task_id === undefined ? null : await taskIds(deps, input.task_id);
    const allowed = await allowedTaskIds(deps.db, patterns);
    let query = deps.db
      .selectFrom('deliveries')
      .selectAll()
      .orderBy('requested_at', 'desc')
      .orderBy('delivery_id', 'desc')
      .limit(input.limit + 1);
    for (const column of ['status', 'target', 'execution_id'] as const) {
      const wanted = input[column];
      if (wanted !== undefined) query = query.where(column, '=', wanted);
    }
    if (named !== null) query = query.where('task_id', 'in', [...named]);
    if (allowed !== null) query = query.where('task_id', 'in', [...allowed]);
    if (input.cursor !== undefined) {
      const [time, id] = decodeCursor(input.cursor, keyForm);
      query = query
        .where('requested_at', '<=', time)
        .where((is) => is.or([is('requested_at', '<', time), is('delivery_id', '<', id)]));
    }
    const page = pageOf(await query.execute(), input.limit, (row) => [row.requested_at, row.delivery_id]);
    return { deliveries: page.rows.map(told), next_cursor: page.next_cursor };
  },
});

export const getDelivery = defineQuery({
  name: 'get_delivery',
  permission: 'read_logs',
  description: 'One delivery with all its attempts.',
  input: z.strictObject({ delivery_id: deliveryId }),
  read: async ({ db, store }, input) => {
    const id = input.delivery_id;
    const row = await db.selectFrom('deliveries').selectAll().where('delivery_id', '=', id).executeTakeFirst();
    const state = row === undefined ? null : fold(delivery, await store.readStream(streamName('delivery', id)));
    if (row === undefined || state === null || state.status === 'none') {
      throw new RatchetError('delivery_not_found', `there is no delivery ${id}`, { details: { deliveryId: id } });
    }
    return { ...told(row), attempts: state.attempts.map(toldAttempt) };
  },
});

function told(row: ReadModels['deliveries']) {
  return {
    delivery_id: row.delivery_id,
    execution_id: row.execution_id,
    task_id: row.task_id,
    task_name: row.task_name,
    target: row.target,
    kind: row.kind,
    result: row.result,
    status: row.status,
    attempt_count: row.attempts,
    last_status: row.last_status,
    last_error: row.last_error,
    next_attempt_at: row.next_attempt_at,
    requested_at: row.requested_at,
    ended_at: row.ended_at,
    position: row.position,
  };
}

function toldAttempt({ attempt, ok, status, error, durationMs, nextAttemptAt }: DeliveryAttempt) {
  return { attempt, ok, status, error, duration_ms: durationMs, next_attempt_at: nextAttemptAt };
}

/** The table of deliveries as the deliverer reads it. */
export function deliveryTable(db: Kysely<ReadModels>): DeliveryTable {
  return {
    due: async (target, now, most) => {
      const rows = await db
        .selectFrom('deliveries')
        .select('delivery_id')
        .where('target', '=', target)
        .where('status', '=', 'pending')
        .where('next_attempt_at', '<=', isoTime(now))
        .orderBy('next_attempt_at')
        .limit(most)
        .execute();
      return rows.map((row) => row.delivery_id);
    },
    sentElsewhere: async (target, liveSessions, most) => {
      let query = db
        .selectFrom('deliveries')
        .select(['delivery_id', 'worker'])
        .where('target', '=', target)
        .where('status', '=', 'sending')
        .limit(most);
      if (liveSessions.length > 0) query = query.where('worker', 'not in', [...liveSessions]);
      const rows = await query.execute();
      return rows.map((row) => ({ deliveryId: row.delivery_id, worker: row.worker ?? '' }));
    },
  };
}

/** How many deliveries are still on their way, and how many were given up. */
export async function countDeliveries(
  db: Kysely<ReadModels>,
): Promise<{ readonly open: number; readonly dead_lettered: number }> {
  const rows = await db
    .selectFrom('deliveries')
    .select(['status', (is) => is.fn.countAll<number>().as('count')])
    .where('status', 'in', ['pending', 'sending', 'dead_lettered'])
    .groupBy('status')
    .execute();
  const of = (status: string): number => Number(rows.find((row) => row.status === status)?.count ?? 0);
  return { open: of('pending') + of('sending'), dead_lettered: of('dead_lettered') };
}

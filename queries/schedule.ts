/** Tells about schedules: what they run, when they come next, and what came of them. */
import { z } from 'zod';
import type { ReadModels } from '../projections/read-models.ts';
import { isAllowedTask, type TaskPatterns } from '../src/domain/access.ts';
import { RatchetError } from '../src/domain/errors.ts';
import { taskIds } from './execution.ts';
import { cursor, decodeCursor, defineQuery, limit, pageOf, payload, type QueryDeps, stored } from './query.ts';
import { allowedTaskIds } from './task-scope.ts';

const listInput = z.strictObject({
  task_id: z.string().max(256).optional().describe('Name or id of the task.'),
  status: z.enum(['enabled', 'disabled', 'deleted']).optional(),
  limit: limit(50),
  cursor,
});

const keyForm = z.tuple([z.string(), z.string()]);

/** Schedules by name. Deleted ones are told only when asked for. */
export const listSchedules = defineQuery({
  name: 'list_schedules',
  permission: 'read',
  description: 'Schedules by name, with the time at which each comes next.',
  input: listInput,
  read: async (deps, input, patterns) => {
    const named = input.task_id === undefined ? null : await taskIds(deps, input.task_id);
    const allowed = await allowedTaskIds(deps.db, patterns);
    let query = deps.db
      .selectFrom('schedules')
      .selectAll()
      .orderBy('name')
      .orderBy('schedule_id')
      .limit(input.limit + 1);
    query =
      input.status === undefined ? query.where('status', '!=', 'deleted') : query.where('status', '=', input.status);
    if (named !== null) query = query.where('task_id', 'in', [...named]);
    if (allowed !== null) query = query.where('task_id', 'in', [...allowed]);
    if (input.cursor !== undefined) {
      const [name, id] = decodeCursor(input.cursor, keyForm);
      query = query.where('name', '>=', name).where((is) => is.or([is('name', '>', name), is('schedule_id', '>', id)]));
    }
    const page = pageOf(await query.execute(), input.limit, (row) => [row.name, row.schedule_id]);
    return { schedules: page.rows.map(told), next_cursor: page.next_cursor };
  },
});

export const getSchedule = defineQuery({
  name: 'get_schedule',
  permission: 'read',
  description: 'One schedule with its input, its next time, and its last execution.',
  input: z.strictObject({ schedule_id: z.string().min(1).max(64) }),
  read: async (deps, input, patterns) => {
    const row = await scheduleRow(deps, input.schedule_id, patterns);
    return { ...told(row), input: await payload(deps.blobs, row.input) };
  },
});

/** Schedules as lists tell them, by id; those that are not there are left out. */
export async function schedulesById({ db }: QueryDeps, ids: readonly string[]) {
  const rows = await db
    .selectFrom('schedules')
    .selectAll()
    .where('schedule_id', 'in', [...ids])
    .execute();
  return new Map(rows.map((row) => [row.schedule_id, told(row)]));
}

/** Fails with `schedule_not_found`, also for one of a task that the caller may not see. */
async function scheduleRow(deps: QueryDeps, id: string, patterns?: TaskPatterns): Promise<ReadModels['schedules']> {
  const row = await deps.db.selectFrom('schedules').selectAll().where('schedule_id', '=', id).executeTakeFirst();
  if (row !== undefined && (patterns === undefined || isAllowedTask(patterns, row.task_name))) return row;
  throw new RatchetError('schedule_not_found', `there is no schedule ${id}`, { details: { scheduleId: id } });
}

function told(row: ReadModels['schedules']) {
  const { priority, timeout, retry, trace } = optionsForm.parse(stored(row.options));
  return {
    id: row.schedule_id,
    name: row.name,
    description: row.description,
    status: row.status,
    version: row.version,
    task_id: row.task_id,
    task_name: row.task_name,
    task_version: row.task_version,
    cron: row.cron,
    timezone: row.timezone,
    priority,
    timeout,
    retry,
    trace,
    catch_up: row.catch_up,
    start_at: row.start_at,
    end_at: row.end_at,
    next_run_at: row.next_run_at,
    last_run_at: row.last_run_at,
    last_execution_id: row.last_execution_id,
    last_skip: row.last_skip === null ? null : stored(row.last_skip),
    fired: row.fired,
    skipped: row.skipped,
    created_by: row.created_by,
    created_at: row.created_at,
    updated_at: row.updated_at,
    position: row.position,
  };
}

const optionsForm = z.object({
  priority: z.number(),
  timeout: z.number().nullable(),
  retry: z.json(),
  trace: z.boolean(),
});

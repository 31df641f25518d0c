/** Tells about failures: grouped by fingerprint, how often one happens, and what last went well. */
import { z } from 'zod';
import { instant, taskIds } from './execution.ts';
import { defineQuery, limit, type QueryDeps } from './query.ts';
import { allowedTaskIds } from './task-scope.ts';

/** Executions of a task that a history looks back on. */
const RECENT = 100;
/** Executions of a task among which a success is looked for. */
const LOOK_BACK = 1_000;
const MAX_VERSIONS = 50;

export const listFailures = defineQuery({
  name: 'list_failures',
  permission: 'read_traces',
  description: 'Failed executions grouped by fingerprint, that is by cause, the newest first.',
  input: z.strictObject({
    task_id: z.string().max(256).optional().describe('Name or id of the task.'),
    since: instant.optional().describe('Requested at or after this time.'),
    limit: limit(50),
  }),
  read: async (deps, input, patterns) => {
    const named = input.task_id === undefined ? null : await taskIds(deps, input.task_id);
    const tasks = named ?? (await allowedTaskIds(deps.db, patterns));
    if (tasks?.length === 0) return { failures: [] };
    let query = deps.db
      .selectFrom('executions')
      .select((of) => [
        'fingerprint',
        of.fn.countAll<number | string>().as('count'),
        of.fn.min('requested_at').as('first_seen'),
        of.fn.max('requested_at').as('last_seen'),
        of.fn.count('task_id').distinct().as('tasks'),
      ])
      .where('status', '=', 'failed')
      .where('fingerprint', 'is not', null)
      .groupBy('fingerprint')
      .orderBy('last_seen', 'desc')
      .orderBy('fingerprint')
      .limit(input.limit);
    if (tasks !== null) query = query.where('task_id', 'in', [...tasks]);
    if (input.since !== undefined) query = query.where('requested_at', '>=', new Date(input.since).toISOString());
    const groups = await query.execute();
    const failures = await Promise.all(
      groups.map(async ({ fingerprint, count, first_seen, last_seen, tasks: taskCount }) => ({
        fingerprint,
        count: Number(count),
        tasks: Number(taskCount),
        first_seen,
        last_seen,
        sample: await sampleOf(deps, fingerprint ?? '', tasks),
      })),
    );
    return { failures };
  },
});

/** The newest execution of a group. */
async function sampleOf({ db }: QueryDeps, fingerprint: string, tasks: readonly string[] | null) {
  let query = db
    .selectFrom('executions')
    .select(['execution_id', 'task_id', 'task_name', 'task_version', 'error_code', 'error_name', 'error_message'])
    .where('fingerprint', '=', fingerprint)
    .where('status', '=', 'failed')
    .orderBy('requested_at', 'desc')
    .orderBy('execution_id', 'desc')
    .limit(1);
  if (tasks !== null) query = query.where('task_id', 'in', [...tasks]);
  const row = await query.executeTakeFirst();
  if (row === undefined) return null;
  const { error_code, error_name, error_message, ...execution } = row;
  return { ...execution, code: error_code, error_type: error_name, message: error_message };
}

export interface HistoryRows {
  readonly count: number;
  readonly firstSeen: string;
  readonly lastSeen: string;
  readonly versions: readonly number[];
  readonly recent: { readonly executions: number; readonly withThisFailure: number; readonly completed: number };
}

/** @returns how often a failure happened in a task, and lately; null before the read models hold it. */
export async function failureHistory(
  { db }: QueryDeps,
  taskId: string,
  fingerprint: string,
): Promise<HistoryRows | null> {
  const of = db.selectFrom('executions').where('fingerprint', '=', fingerprint).where('task_id', '=', taskId);
  const [total, versions, recent] = await Promise.all([
    of
      .select((row) => [
        row.fn.countAll<number | string>().as('count'),
        row.fn.min('requested_at').as('first'),
        row.fn.max('requested_at').as('last'),
      ])
      .executeTakeFirst(),
    of.select('task_version').distinct().orderBy('task_version').limit(MAX_VERSIONS).execute(),
    db
      .selectFrom('executions')
      .select(['status', 'fingerprint'])
      .where('task_id', '=', taskId)
      .orderBy('requested_at', 'desc')
      .orderBy('execution_id', 'desc')
      .limit(RECENT)
      .execute(),
  ]);
  if (total === undefined || Number(total.count) === 0) return null;
  return {
    count: Number(total.count),
    firstSeen: total.first,
    lastSeen: total.last,
    versions: versions.map(({ task_version }) => task_version),
    recent: {
      executions: recent.length,
      withThisFailure: recent.filter((row) => row.fingerprint === fingerprint).length,
      completed: recent.filter((row) => row.status === 'completed').length,
    },
  };
}

/** @returns the newest execution of the task that was requested before `before` and completed; null without one among the last thousand. */
export async function lastSuccess({ db }: QueryDeps, taskId: string, before: string): Promise<string | null> {
  const row = await db
    .selectFrom(
      db
        .selectFrom('executions')
        .select(['execution_id', 'status', 'requested_at'])
        .where('task_id', '=', taskId)
        .where('requested_at', '<', before)
        .orderBy('requested_at', 'desc')
        .orderBy('execution_id', 'desc')
        .limit(LOOK_BACK)
        .as('earlier'),
    )
    .select('execution_id')
    .where('status', '=', 'completed')
    .orderBy('requested_at', 'desc')
    .orderBy('execution_id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.execution_id ?? null;
}

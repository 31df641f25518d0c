/** Tells the audit trail: who did what to which, when, refusals included. */
import type { Kysely } from 'kysely';
import { z } from 'zod';
import type { ReadModels } from '../projections/read-models.ts';
import { cursor, decodeCursor, defineQuery, limit, pageOf, stored } from './query.ts';
import { allowedTaskIds } from './task-scope.ts';

export const getAuditTrail = defineQuery({
  name: 'get_audit_trail',
  permission: 'read_logs',
  description: 'Decisions and refusals, newest first.',
  input: z.strictObject({
    principal: z.string().max(128).optional(),
    action: z.string().max(64).optional(),
    subject_id: z.string().max(128).optional(),
    since: z.iso.datetime({ offset: true }).optional(),
    limit: limit(100),
    cursor,
  }),
  read: async ({ db }, input, patterns) => {
    const allowed = await allowedTaskIds(db, patterns);
    let query = db
      .selectFrom('audit')
      .selectAll()
      .orderBy('position', 'desc')
      .limit(input.limit + 1);
    for (const column of ['principal', 'action', 'subject_id'] as const) {
      const wanted = input[column];
      if (wanted !== undefined) query = query.where(column, '=', wanted);
    }
    if (allowed !== null) {
      const { task, execution, replay } = aboutTasks(db, [...allowed]);
      query = query.where((is) =>
        is.or([
          is.and([is('subject', '=', 'task'), is('subject_id', 'in', task)]),
          is.and([is('subject', '=', 'execution'), is('subject_id', 'in', execution)]),
          is.and([is('subject', '=', 'replay'), is('subject_id', 'in', replay)]),
        ]),
      );
    }
    if (input.since !== undefined) query = query.where('occurred_at', '>=', new Date(input.since).toISOString());
    if (input.cursor !== undefined)
      query = query.where('position', '<', decodeCursor(input.cursor, z.tuple([z.string()]))[0]);
    const page = pageOf(await query.execute(), input.limit, (row) => [row.position]);
    return {
      entries: page.rows.map(({ details, ...row }) => ({ ...row, details: stored(details) })),
      next_cursor: page.next_cursor,
    };
  },
});

/** What a trail of some tasks is made of; entries about no task belong to none of them. */
function aboutTasks(db: Kysely<ReadModels>, tasks: string[]) {
  const executions = db.selectFrom('executions').select('execution_id').where('task_id', 'in', tasks);
  const replays = db.selectFrom('replays').select('replay_id').where('task_id', 'in', tasks);
  return { task: tasks, execution: executions, replay: replays };
}

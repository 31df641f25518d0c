/** Tells about replays, and which past failures have the same cause. */
import { z } from 'zod';
import type { ReadModels } from '../projections/read-models.ts';
import { RatchetError } from '../src/domain/errors.ts';
import { cursor, decodeCursor, defineQuery, limit, pageOf, payload, type QueryDeps } from './query.ts';
import { allowedTaskIds } from './task-scope.ts';

const id = z.string().min(1).max(64);

const listInput = z.strictObject({
  execution_id: id.optional(),
  task_id: z.string().max(256).optional().describe('Name or id of the task.'),
  mode: z.enum(['faithful', 'patched', 'debug', 'profile']).optional(),
  limit: limit(50),
  cursor,
});

const keyForm = z.tuple([z.string(), z.string()]);

export const listReplays = defineQuery({
  name: 'list_replays',
  permission: 'read_traces',
  description: 'Replays, newest first: who ran which execution again, in which mode, and what came of it.',
  input: listInput,
  read: async ({ db }, input, patterns) => {
    const allowed = await allowedTaskIds(db, patterns);
    let query = db
      .selectFrom('replays')
      .selectAll()
      .orderBy('started_at', 'desc')
      .orderBy('replay_id', 'desc')
      .limit(input.limit + 1);
    const { execution_id, task_id, mode } = input;
    if (execution_id !== undefined) query = query.where('execution_id', '=', execution_id);
    if (allowed !== null) query = query.where('task_id', 'in', [...allowed]);
    if (mode !== undefined) query = query.where('mode', '=', mode);
    if (task_id !== undefined) {
      query = query.where((is) => is.or([is('task_id', '=', task_id), is('task_name', '=', task_id)]));
    }
    if (input.cursor !== undefined) {
      const [at, replayId] = decodeCursor(input.cursor, keyForm);
      query = query
        .where('started_at', '<=', at)
        .where((is) => is.or([is('started_at', '<', at), is('replay_id', '<', replayId)]));
    }
    const page = pageOf(await query.execute(), input.limit, (row) => [row.started_at, row.replay_id]);
    return { replays: page.rows.map(replaySummary), next_cursor: page.next_cursor };
  },
});

/** A replay as lists tell it. */
export function replaySummary(row: ReadModels['replays']) {
  return {
    replay_id: row.replay_id,
    execution_id: row.execution_id,
    attempt: row.attempt,
    mode: row.mode,
    status: row.status,
    verdict: row.verdict,
    principal: row.principal,
    task_id: row.task_id,
    task_name: row.task_name,
    task_version: row.task_version,
    patched_code: row.patched_code === 1,
    patched_input: row.patched_input === 1,
    stubs: row.stubs,
    allow_live: row.allow_live === 1,
    error: row.error_code === null ? null : { code: row.error_code, message: row.error_message },
    started_at: row.started_at,
    duration_ms: row.duration_ms,
  };
}

/** One replay by id. */
export const getReplay = defineQuery({
  name: 'get_replay',
  permission: 'read_traces',
  description:
    'One replay with what its caller was told; the result of a faithful one that found no difference is null.',
  input: z.strictObject({ replay_id: id }),
  read: async (deps, input) => {
    const row = await deps.db
      .selectFrom('replays')
      .selectAll()
      .where('replay_id', '=', input.replay_id)
      .executeTakeFirst();
    if (row === undefined) {
      const details = { replayId: input.replay_id };
      throw new RatchetError('replay_not_found', `there is no replay ${input.replay_id}`, { details });
    }
    return { ...replaySummary(row), result: row.result === null ? null : await payload(deps.blobs, row.result) };
  },
});

/** @returns ids of failed executions of a task with this fingerprint, the newest request first. */
export async function failuresAlike(
  { db }: Pick<QueryDeps, 'db'>,
  failure: { readonly taskId: string; readonly fingerprint: string },
  most: number,
): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('executions')
    .select('execution_id')
    .where('fingerprint', '=', failure.fingerprint)
    .where('task_id', '=', failure.taskId)
    .where('status', '=', 'failed')
    .orderBy('requested_at', 'desc')
    .orderBy('execution_id', 'desc')
    .limit(most)
    .execute();
  return rows.map(({ execution_id }) => execution_id);
}

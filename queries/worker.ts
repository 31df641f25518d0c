/** Tells who runs executions, and who has gone. */
import type { Kysely } from 'kysely';
import { z } from 'zod';
import type { ReadModels } from '../projections/read-models.ts';
import { defineQuery, limit } from './query.ts';

export const listWorkers = defineQuery({
  name: 'list_workers',
  permission: 'access_system_info',
  description: 'Worker sessions, those seen last first; one that has missed its lease is told as lapsed.',
  input: z.strictObject({
    status: z.enum(['alive', 'closed', 'lapsed']).optional(),
    limit: limit(100),
  }),
  read: async ({ db }, input) => {
    const rows = await db
      .selectFrom('workers')
      .selectAll()
      .orderBy('seen_at', 'desc')
      .orderBy('session_id')
      .limit(MOST)
      .execute();
    const now = Date.now();
    const workers = rows.map((row) => told(row, now));
    const wanted = workers.filter(({ status }) => input.status === undefined || status === input.status);
    return { workers: wanted.slice(0, input.limit) };
  },
});

/** Sessions of long ago are of no interest. */
const MOST = 1_000;

function told({ lease_ms, ...row }: ReadModels['workers'], now: number) {
  const isOverdue = row.status === 'alive' && now - Date.parse(row.seen_at) > lease_ms;
  return { ...row, status: isOverdue ? 'lapsed' : row.status, lease_seconds: lease_ms / 1_000 };
}

/** @returns ids of the sessions of which no end is recorded. */
export async function sessionsTakenForAlive(db: Kysely<ReadModels>): Promise<readonly string[]> {
  const rows = await db.selectFrom('workers').select('session_id').where('status', '=', 'alive').limit(MOST).execute();
  return rows.map((row) => row.session_id);
}

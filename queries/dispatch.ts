/** Tells the runner what is due, and the health page who works. */
import type { Kysely } from 'kysely';
import type { ReadModels } from '../projections/read-models.ts';
import { isoTime } from '../src/domain/time.ts';
import type { DispatchTable } from '../src/ports/dispatch-table.ts';

/** The dispatch table as the runner reads it. */
export function dispatchTable(db: Kysely<ReadModels>): DispatchTable {
  return {
    due: async (now, limit) => {
      const rows = await db
        .selectFrom('dispatch')
        .select(['execution_id', 'priority'])
        .where('state', '=', 'pending')
        .where('run_at', '<=', isoTime(now))
        .orderBy('priority', 'desc')
        .orderBy('requested')
        .limit(limit)
        .execute();
      return rows.map((row) => ({ executionId: row.execution_id, priority: row.priority }));
    },
    runningElsewhere: async (liveSessions, limit) => {
      let query = db
        .selectFrom('dispatch')
        .select(['execution_id', 'worker'])
        .where('state', '=', 'running')
        .limit(limit);
      if (liveSessions.length > 0) query = query.where('worker', 'not in', [...liveSessions]);
      const rows = await query.execute();
      return rows.map((row) => ({ executionId: row.execution_id, worker: row.worker ?? '' }));
    },
  };
}

export interface Counts {
  readonly pending: number;
  readonly running: number;
}

/** How many executions wait and run, over all workers. */
export async function countWork(db: Kysely<ReadModels>): Promise<Counts> {
  const rows = await db
    .selectFrom('dispatch')
    .select(['state', (is) => is.fn.countAll<number>().as('count')])
    .groupBy('state')
    .execute();
  const of = (state: string): number => Number(rows.find((row) => row.state === state)?.count ?? 0);
  return { pending: of('pending'), running: of('running') };
}

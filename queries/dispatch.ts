/** Tells the runner what to do next, and readers how much there is to do. */
import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { ReadModels } from '../projections/read-models.ts';
import { isoTime } from '../src/domain/time.ts';
import type { DispatchTable, Due } from '../src/ports/dispatch-table.ts';

/** Clients are told apart up to this many for one look; of more, those who have waited longest come in by their age. */
export const MOST_LINES = 1_000;

/** The dispatch table as the runner reads it. */
export function dispatchTable(db: Kysely<ReadModels>): DispatchTable {
  return {
    due: (now, limit) => due(db, now, limit),
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

interface Candidate extends Due {
  readonly runAt: string;
  readonly requested: string;
}

/**
 * A line is the waiting executions of one client with one priority. The lines are found by hops over an index, and of each
 * only the first few are read, so that what stands behind them costs nothing.
 */
async function due(db: Kysely<ReadModels>, now: number, limit: number): Promise<readonly Due[]> {
  const { rows: lines } = await sql`with recursive ${LINES} select n from line`.execute(db);
  const each = Math.min(limit, Math.max(2, Math.ceil((4 * limit) / Math.max(1, lines.length))));
  const heads = lines.length === 0 ? [] : (await headsOf(each).execute(db)).rows;
  const oldest = lines.length < MOST_LINES ? [] : await candidates(db, 'pending', now, limit);
  const delayed = await candidates(db, 'delayed', now, limit);
  const all = new Map([...heads, ...oldest, ...delayed].map((found) => [found.executionId, found]));
  return ranked([...all.values()], await placesOf(db))
    .slice(0, limit)
    .map(({ executionId, client, priority }) => ({ executionId, client, priority }));
}

/** Hops within a priority and between priorities are apart, because SQLite finds no pair by an index. */
const LINES = sql`line(priority, client, n) as (
  select * from (
    select priority, client, 1 as n from dispatch where state = 'pending' order by priority desc, client desc limit 1
  ) first
  union all
  select d.priority, d.client, line.n + 1 from line join dispatch d on d.execution_id = coalesce(
    (select e.execution_id from dispatch e
      where e.state = 'pending' and e.priority = line.priority and e.client < line.client
      order by e.client desc limit 1),
    (select e.execution_id from dispatch e where e.state = 'pending' and e.priority < line.priority
      order by e.priority desc, e.client desc limit 1)
  ) where line.n < ${sql.lit(MOST_LINES)}
)`;

function headsOf(each: number): RawBuilder<Candidate> {
  return sql<Candidate>`with recursive ${LINES}
    select d.execution_id as "executionId", d.client, d.priority, d.run_at as "runAt", d.requested
    from line join dispatch d on d.execution_id in (
      select e.execution_id from dispatch e
      where e.state = 'pending' and e.priority = line.priority and e.client = line.client
      order by e.run_at, e.requested limit ${each}
    )`;
}

async function candidates(
  db: Kysely<ReadModels>,
  state: 'pending' | 'delayed',
  now: number,
  limit: number,
): Promise<readonly Candidate[]> {
  const query = db
    .selectFrom('dispatch')
    .select(['execution_id as executionId', 'client', 'priority', 'run_at as runAt', 'requested'])
    .where('state', '=', state)
    .where('run_at', '<=', isoTime(now));
  const isDelayed = state === 'delayed';
  return await (isDelayed ? query.orderBy('priority', 'desc') : query).orderBy('run_at').limit(limit).execute();
}

/** Places that each client has. */
async function placesOf(db: Kysely<ReadModels>): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('dispatch')
    .select(['client', (is) => is.fn.countAll<number>().as('count')])
    .where('state', '=', 'running')
    .groupBy('client')
    .execute();
  return new Map(rows.map(({ client, count }) => [client, Number(count)]));
}

/** By priority; then by the how-manieth place of its client each would take; then by age. */
function ranked(found: readonly Candidate[], places: Map<string, number>): readonly Candidate[] {
  const inOrder = found.toSorted((one, other) => other.priority - one.priority || byAge(one, other));
  const placed = inOrder.map((candidate) => {
    const place = candidate.client === '' ? 0 : (places.get(candidate.client) ?? 0) + 1;
    places.set(candidate.client, place);
    return { candidate, place };
  });
  // What is equal stays in order.
  return placed
    .toSorted((one, other) => other.candidate.priority - one.candidate.priority || one.place - other.place)
    .map(({ candidate }) => candidate);
}

function byAge(one: Candidate, other: Candidate): number {
  if (one.runAt !== other.runAt) return one.runAt < other.runAt ? -1 : 1;
  return one.requested < other.requested ? -1 : 1;
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
  const counts: { pending: number; running: number } = { pending: 0, running: 0 };
  for (const { state, count } of rows) counts[state === 'running' ? 'running' : 'pending'] += Number(count);
  return counts;
}

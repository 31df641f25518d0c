/** Hands work to the nodes that share a PostgreSQL read store, each execution to one of them, and holds the limit of clients over all. */
import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { ReadModels } from '../projections/read-models.ts';
import type { Due, SharedWork } from '../src/ports/dispatch-table.ts';
import { MOST_LINES } from './dispatch.ts';

/** What was picked is claimed soon or not at all; the rest of the time is for the claim to be seen in the table. */
const CLAIM_MS = 5_000;
const KEPT_MS = 30_000;
/** Delays that end, and picks that were not claimed in time, are taken back in with one pick up to this many. */
const MOST_TAKEN_BACK = 1_000;

interface Picked extends Due {
  /** Which of those picked it is, in order. */
  readonly place: number;
}

/**
 * The dispatch table as nodes pick from it. Times are those of the database, so that clocks of nodes do not matter.
 *
 * @param maxPerClient executions of one client at once, counted over all nodes: those that run and those that are picked;
 *   subtasks do not count; null: no limit
 */
export function pickedDispatchTable(db: Kysely<ReadModels>, maxPerClient: number | null): SharedWork {
  return {
    claimMs: CLAIM_MS,
    limitsClients: maxPerClient !== null,
    pick: async (session, limit) => {
      await TAKE_BACK.execute(db);
      const wanted = { session, limit, maxPerClient };
      const rows = maxPerClient === null ? (await pickStatement(wanted).execute(db)).rows : await inTurn(db, wanted);
      return rows
        .toSorted((one, other) => one.place - other.place)
        .map(({ executionId, client, priority }) => ({ executionId, client, priority }));
    },
    wake: async (session, executionIds) => {
      await wakeStatement(session, executionIds).execute(db);
      const rows = await db
        .selectFrom('dispatch')
        .select('execution_id')
        .where('execution_id', 'in', [...executionIds])
        .where('state', '=', 'pending')
        .execute();
      return rows.map((row) => row.execution_id);
    },
    waiting: async (atMost) => {
      const rows = await db
        .selectFrom('dispatch')
        .select('execution_id')
        .where('state', '=', 'pending')
        .limit(atMost)
        .execute();
      return rows.length;
    },
  };
}

/** What is wanted of one pick. */
export interface Pick {
  readonly session: string;
  readonly limit: number;
  readonly maxPerClient: number | null;
}

/** One node at a time, so that nobody counts places that another is just giving away. */
async function inTurn(db: Kysely<ReadModels>, wanted: Pick): Promise<readonly Picked[]> {
  return await db.transaction().execute(async (transaction) => {
    await sql`select pg_advisory_xact_lock(hashtextextended(current_schema() || ' picks', 0))`.execute(transaction);
    return (await pickStatement(wanted).execute(transaction)).rows;
  });
}

const NOW_MS = sql`(extract(epoch from statement_timestamp()) * 1000)::bigint`;
const NOW_TEXT = sql`to_char(statement_timestamp() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** Rows that the projector or another node is just changing are left out: nobody here waits for a row while holding one. */
export const TAKE_BACK: RawBuilder<unknown> = sql`
  with late as materialized (
    select execution_id from dispatch where state = 'delayed' and run_at <= ${NOW_TEXT}
    order by run_at limit ${sql.lit(MOST_TAKEN_BACK)} for update skip locked
  ),
  unclaimed as materialized (
    select execution_id from dispatch where state = 'picked' and picked_until <= ${NOW_MS}
    limit ${sql.lit(MOST_TAKEN_BACK)} for update skip locked
  )
  update dispatch set state = 'pending', picked_by = null, picked_until = null
  where execution_id = any(array(select execution_id from late union all select execution_id from unclaimed))`;

function wakeStatement(session: string, executionIds: readonly string[]): RawBuilder<unknown> {
  return sql`
    with waiting as materialized (
      select execution_id from dispatch where execution_id = any(${[...executionIds]}::text[])
        and (state = 'delayed' or (state = 'picked' and picked_by = ${session}))
      for update skip locked
    )
    update dispatch set state = 'pending', picked_by = null, picked_until = null, run_at = least(run_at, ${NOW_TEXT})
    where execution_id = any(array(select execution_id from waiting))`;
}

/**
 * A line is the waiting executions of one client with one priority. The lines are found by hops over an index, and of each
 * only the first few are read, so that what stands behind them costs nothing; of few lines more are read, because others
 * may be picking the first of them.
 */
export function pickStatement({ session, limit, maxPerClient }: Pick): RawBuilder<Picked> {
  const isBelow = (places: RawBuilder<unknown>): RawBuilder<unknown> =>
    maxPerClient === null ? sql`true` : sql`(client = '' or ${places} <= ${maxPerClient})`;
  return sql<Picked>`
    with recursive line as (
      (select priority, client, 1 as n from dispatch where state = 'pending'
        order by priority desc, client desc limit 1)
      union all
      select next.priority, next.client, line.n + 1 from line cross join lateral (
        select d.priority, d.client from dispatch d
        where d.state = 'pending' and (d.priority, d.client) < (line.priority, line.client)
        order by d.priority desc, d.client desc limit 1
      ) next where line.n < ${sql.lit(MOST_LINES)}
    ),
    taken as materialized (
      select client, count(*) as places from dispatch where state in ('running', 'picked') group by client
    ),
    open as materialized (
      select line.priority, line.client, count(*) over () as lines from line left join taken using (client)
      where ${isBelow(sql`coalesce(taken.places, 0) + 1`)}
    ),
    due as (
      select head.* from open cross join lateral (
        select d.execution_id, d.priority, d.client, d.run_at, d.requested from dispatch d
        where d.state = 'pending' and d.priority = open.priority and d.client = open.client
        order by d.run_at, d.requested
        limit least(2 * ${limit}::bigint, greatest(2, 4 * ${limit}::bigint / open.lines))
      ) head
      union
      (select d.execution_id, d.priority, d.client, d.run_at, d.requested from dispatch d
        where d.state = 'pending' and exists (select from line where n = ${sql.lit(MOST_LINES)})
        order by d.run_at limit 2 * ${limit}::bigint)
    ),
    placed as (
      select due.*, case when due.client = '' then 0 else coalesce(taken.places, 0)
        + row_number() over (partition by due.client order by priority desc, run_at, requested) end as place
      from due left join taken on taken.client = due.client
    ),
    wanted as materialized (
      select array_agg(execution_id order by priority desc, place, run_at, requested) as ids from (
        select * from placed where ${isBelow(sql`place`)}
        order by priority desc, place, run_at, requested limit 2 * ${limit}::bigint
      ) first
    ),
    chosen as materialized (
      select execution_id from dispatch
      where execution_id = any(array(select unnest(ids) from wanted)) and state = 'pending'
      order by array_position((select ids from wanted), execution_id) limit ${limit}
      for update skip locked
    )
    update dispatch set state = 'picked', picked_by = ${session}, picked_until = ${NOW_MS} + ${sql.lit(KEPT_MS)}
    where execution_id = any(array(select execution_id from chosen))
    returning execution_id as "executionId", client, priority,
      array_position((select ids from wanted), execution_id) as place`;
}

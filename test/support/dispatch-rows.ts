/** Rows of the dispatch table as the projector would have left them, and what a database does to read them. */
import { type Kysely, type RawBuilder, sql } from 'kysely';
import { createIndexes, createTable, type ReadModels } from '../../projections/read-models.ts';
import { isoTime } from '../../src/domain/time.ts';

export const HOUR_MS = 3_600_000;
/** A time that is over. */
export const PAST = Date.parse('2026-01-01T00:00:00Z');

type State = 'pending' | 'delayed' | 'running';

export interface WorkRow {
  readonly id: string;
  readonly client?: string;
  readonly state?: State;
  readonly priority?: number;
  readonly runAt?: number;
}

export async function createDispatch(db: Kysely<ReadModels>): Promise<void> {
  await createTable(db as Kysely<unknown>, 'dispatch');
  await createIndexes(db as Kysely<unknown>, 'dispatch');
}

/** In the order in which they were requested. */
export async function putWork(db: Kysely<ReadModels>, rows: readonly WorkRow[]): Promise<void> {
  const values = rows.map(({ id, client = 'someone', state = 'pending', priority = 0, runAt = PAST }, order) => ({
    execution_id: id,
    client,
    state,
    run_at: isoTime(runAt),
    priority,
    worker: state === 'running' ? 'worker' : null,
    picked_by: null,
    picked_until: null,
    answered: 0,
    waits_for: null,
    requested: String(order).padStart(16, '0'),
  }));
  await db.insertInto('dispatch').values(values).execute();
}

export interface Filling {
  readonly count: number;
  /** Number of the first. */
  readonly from?: number;
  /** How many clients share them; where left out each has its own. */
  readonly clients?: number;
  readonly state?: State;
  readonly runAt?: number;
}

/** Many rows at once, named by numbers. */
export async function fillDispatch(
  db: Kysely<ReadModels>,
  { count, from = 0, clients = count, state = 'pending', runAt = PAST }: Filling,
): Promise<void> {
  await sql`
    with recursive numbers(n) as (select ${sql.lit(from)} union all select n + 1 from numbers where n < ${sql.lit(from + count - 1)})
    insert into dispatch (execution_id, client, state, run_at, priority, answered, requested)
    select 'e' || n, 'client ' || (n % ${sql.lit(clients)}), ${state}, ${isoTime(runAt)}, 0, 0, 'p' || (1000000 + n)
    from numbers`.execute(db);
}

export async function stateOf(db: Kysely<ReadModels>, id: string): Promise<string | undefined> {
  const row = await db.selectFrom('dispatch').select('state').where('execution_id', '=', id).executeTakeFirst();
  return row?.state;
}

export interface Scan {
  /** As PostgreSQL names it: `Seq Scan`, `Index Scan` and others. */
  readonly type: string;
  /** Rows read, those that were thrown away among them. */
  readonly rows: number;
}

/** Carries a statement out, and tells how PostgreSQL read the tables for it. */
export async function scansOf(db: Kysely<ReadModels>, statement: RawBuilder<unknown>): Promise<readonly Scan[]> {
  const { rows } = await sql<{ 'QUERY PLAN': readonly { readonly Plan: unknown }[] }>`
    explain (analyze, timing off, format json) ${statement}`.execute(db);
  return scansIn(rows[0]?.['QUERY PLAN'][0]?.Plan);
}

function scansIn(node: unknown): readonly Scan[] {
  if (typeof node !== 'object' || node === null) return [];
  const facts = new Map<string, unknown>(Object.entries(node));
  const below = facts.get('Plans');
  const scans = Array.isArray(below) ? below.flatMap(scansIn) : [];
  if (facts.get('Relation Name') === undefined || facts.get('Node Type') === 'ModifyTable') return scans;
  const loops = Number(facts.get('Actual Loops') ?? 0);
  const each = Number(facts.get('Actual Rows') ?? 0) + Number(facts.get('Rows Removed by Filter') ?? 0);
  return [{ type: String(facts.get('Node Type')), rows: loops * each }, ...scans];
}

/** The order of work, as one process is told it from SQLite and as nodes pick it from PostgreSQL: the same for both. */
import fc from 'fast-check';
import { type RawBuilder, sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openPostgresReadStore } from '../../infra/read-store/postgres.ts';
import type { ReadStore } from '../../infra/read-store/read-store.ts';
import { openSqliteReadStore } from '../../infra/read-store/sqlite.ts';
import type { ReadModels } from '../../projections/read-models.ts';
import { dispatchTable } from '../../queries/dispatch.ts';
import { pickedDispatchTable, pickStatement, TAKE_BACK } from '../../queries/picked-dispatch.ts';
import { createDispatch, fillDispatch, HOUR_MS, PAST, putWork, scansOf, stateOf } from '../support/dispatch-rows.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';

interface Work {
  readonly rows: ReadStore<ReadModels>;
  /** Ids of what comes next. */
  next(limit: number): Promise<readonly string[]>;
}

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await server.close();
});

const tables: readonly (readonly [string, () => Promise<Work>])[] = [
  [
    'told from SQLite',
    async () => {
      const rows = openSqliteReadStore<ReadModels>(':memory:');
      const table = dispatchTable(rows.db);
      return {
        rows,
        next: async (limit) => (await table.due(Date.now(), limit)).map(({ executionId }) => executionId),
      };
    },
  ],
  [
    'picked from PostgreSQL',
    async () => {
      const rows = await openPostgresReadStore<ReadModels>(await server.newSchema(), { poolSize: 4 });
      const work = pickedDispatchTable(rows.db, null);
      return { rows, next: async (limit) => (await work.pick('one', limit)).map(({ executionId }) => executionId) };
    },
  ],
];

describe.each(tables)('work %s', (_, open) => {
  let work: Work;
  beforeEach(async () => {
    work = await open();
    await createDispatch(work.rows.db);
    return () => work.rows.close();
  });

  it('comes by priority, then by age', async () => {
    await putWork(work.rows.db, [
      { id: 'low', priority: -3 },
      { id: 'second', runAt: PAST + 2 },
      { id: 'first', runAt: PAST + 1 },
      { id: 'high', priority: 7, runAt: PAST + 3 },
    ]);
    expect(await work.next(10)).toEqual(['high', 'first', 'second', 'low']);
  });

  it('comes from each client in turn, and first from whom has least', async () => {
    await putWork(work.rows.db, [
      ...['a1', 'a2', 'a3'].map((id) => ({ id, client: 'a' })),
      ...['b1', 'b2'].map((id) => ({ id, client: 'b' })),
      { id: 'c1', client: 'c' },
      { id: 'a0', client: 'a', state: 'running' },
      { id: 'x1', client: 'a', priority: 1 },
    ]);
    // One of a runs, and x1 is to: its next would be the third.
    expect(await work.next(10)).toEqual(['x1', 'b1', 'c1', 'b2', 'a1', 'a2', 'a3']);
  });

  it('of subtasks goes before equals, however many run', async () => {
    await putWork(work.rows.db, [
      { id: 'request', client: 'a' },
      { id: 'subtask', client: '' },
      { id: 'high', client: 'b', priority: 1 },
      { id: 'runs', client: '', state: 'running' },
    ]);
    expect(await work.next(10)).toEqual(['high', 'subtask', 'request']);
  });

  it('waits for its time, and comes by priority from then on', async () => {
    await putWork(work.rows.db, [
      { id: 'later', state: 'delayed', runAt: Date.now() + HOUR_MS, priority: 100 },
      { id: 'now' },
      { id: 'delayed', state: 'delayed', priority: 1 },
      { id: 'runs', state: 'running' },
    ]);
    expect(await work.next(10)).toEqual(['delayed', 'now']);
  });

  it('is no more than what is asked for, and the best of it', async () => {
    await putWork(work.rows.db, [
      ...Array.from({ length: 40 }, (_none, n) => ({ id: `a${n}`, client: 'a' })),
      { id: 'b', client: 'b' },
      { id: 'high', client: 'a', priority: 1, runAt: PAST + 1 },
    ]);
    expect(await work.next(3)).toEqual(['high', 'b', 'a0']);
  });

  it('of more clients than are told apart at once leaves nobody waiting for ever', async () => {
    await fillDispatch(work.rows.db, { count: 1_500 });
    // The last by name has waited longest.
    await putWork(work.rows.db, [{ id: 'oldest', client: '!', runAt: PAST - 1 }]);
    expect(await work.next(5)).toContain('oldest');
  });
});

describe('work picked from PostgreSQL', () => {
  let rows: ReadStore<ReadModels>;
  beforeEach(async () => {
    rows = await openPostgresReadStore<ReadModels>(await server.newSchema(), { poolSize: 8 });
    await createDispatch(rows.db);
    return () => rows.close();
  });

  /** Picks with several sessions at the same time until nothing comes any more. */
  async function pickAll(sessions: readonly string[], limit: number, maxPerClient: number | null = null) {
    const picked: string[] = [];
    const work = pickedDispatchTable(rows.db, maxPerClient);
    await Promise.all(
      sessions.map(async (session) => {
        for (let found = await work.pick(session, limit); found.length > 0; found = await work.pick(session, limit)) {
          picked.push(...found.map(({ executionId }) => executionId));
        }
      }),
    );
    return picked;
  }

  it('goes to one of the nodes that pick at the same time, and all of it goes', async () => {
    await fillDispatch(rows.db, { count: 600, clients: 7 });
    const picked = await pickAll(['one', 'two', 'three'], 16);
    expect(new Set(picked).size).toBe(picked.length);
    expect(picked.length + (await pickAll(['one'], 16)).length).toBe(600);
  });

  it('that a node picked and never claimed comes to another one when its time has run out', async () => {
    await putWork(rows.db, [{ id: 'left' }]);
    const work = pickedDispatchTable(rows.db, null);
    expect(await work.pick('dead', 1)).toMatchObject([{ executionId: 'left' }]);
    expect(await work.pick('other', 1)).toEqual([]);
    await sql`update dispatch set picked_until = picked_until - ${HOUR_MS}`.execute(rows.db);
    expect(await work.pick('other', 1)).toMatchObject([{ executionId: 'left' }]);
  });

  it('is given back by who picked it, and by nobody else', async () => {
    await putWork(rows.db, [{ id: 'mine' }]);
    const work = pickedDispatchTable(rows.db, null);
    await work.pick('one', 1);
    expect(await work.wake('other', ['mine'])).toEqual([]);
    expect(await work.pick('other', 1)).toEqual([]);
    expect(await work.wake('one', ['mine'])).toEqual(['mine']);
    expect(await work.pick('other', 1)).toHaveLength(1);
  });

  it('that waits for a time can be woken before it', async () => {
    await putWork(rows.db, [
      { id: 'parked', state: 'delayed', runAt: Date.now() + HOUR_MS },
      { id: 'runs', state: 'running' },
    ]);
    const work = pickedDispatchTable(rows.db, null);
    expect(await work.waiting(10)).toBe(0);
    expect(await work.wake('one', ['parked', 'runs', 'unknown'])).toEqual(['parked']);
    expect(await work.waiting(10)).toBe(1);
    expect(await work.pick('one', 10)).toMatchObject([{ executionId: 'parked' }]);
  });

  it('does not wait for rows that the projector is changing, nor keeps it waiting', async () => {
    await putWork(rows.db, [{ id: 'changing' }, { id: 'free' }]);
    const work = pickedDispatchTable(rows.db, 5);
    await rows.db.transaction().execute(async (transaction) => {
      await sql`update dispatch set priority = 1 where execution_id = 'changing'`.execute(transaction);
      expect(await work.pick('one', 10)).toMatchObject([{ executionId: 'free' }]);
    });
    expect(await work.pick('one', 10)).toMatchObject([{ executionId: 'changing', priority: 1 }]);
  });

  it('never gives a client more places than it may have, whoever picks, ends and dies', async () => {
    const scenario = fc.record({
      max: fc.integer({ min: 1, max: 4 }),
      clients: fc.integer({ min: 1, max: 4 }),
      count: fc.integer({ min: 1, max: 40 }),
      limits: fc.tuple(...Array.from({ length: 3 }, () => fc.integer({ min: 1, max: 8 }))),
      // What is picked by a node that dies is claimed by nobody, and its time runs out.
      dies: fc.infiniteStream(fc.integer({ min: 0, max: 7 }).map((n) => n === 0)),
    });
    await fc.assert(
      fc.asyncProperty(scenario, async ({ max, clients, count, limits, dies }) => {
        await fillDispatch(rows.db, { count, clients });
        await putWork(rows.db, [{ id: 'subtask', client: '' }]);
        const work = pickedDispatchTable(rows.db, max);
        const done: string[] = [];
        let most = 0;
        const change = async (set: RawBuilder<unknown>, id: string): Promise<void> => {
          most = Math.max(most, await mostPlaces());
          await sql`${set} where execution_id = ${id}`.execute(rows.db);
        };
        const node = async (session: string, limit: number): Promise<void> => {
          while (done.length < count + 1) {
            for (const { executionId } of await work.pick(session, limit)) {
              if (dies.next().value === true) {
                await change(sql`update dispatch set picked_until = 0`, executionId);
                continue;
              }
              await change(
                sql`update dispatch set state = 'running', picked_by = null, picked_until = null`,
                executionId,
              );
              await change(sql`delete from dispatch`, executionId);
              done.push(executionId);
            }
          }
        };
        await Promise.all(limits.map((limit, n) => node(`node ${n}`, limit)));
        expect(most).toBeLessThanOrEqual(max);
        expect(new Set(done).size).toBe(count + 1);
        expect(done).toHaveLength(count + 1);
      }),
      { numRuns: 15 },
    );
  });

  async function mostPlaces(): Promise<number> {
    const counts = await sql<{ places: number }>`select count(*) as places from dispatch
      where state in ('running', 'picked') and client <> '' group by client`.execute(rows.db);
    return Math.max(0, ...counts.rows.map(({ places }) => places));
  }

  it('passes over clients that have all they may, on whichever node, but not over subtasks', async () => {
    await putWork(rows.db, [
      { id: 'a0', client: 'a', state: 'running' },
      { id: 'a1', client: 'a', priority: 9 },
      { id: 'a2', client: 'a' },
      { id: 'b1', client: 'b' },
      ...['s1', 's2', 's3'].map((id) => ({ id, client: '' })),
    ]);
    const picked = await pickAll(['one', 'two'], 5, 2);
    expect(picked.toSorted()).toEqual(['a1', 'b1', 's1', 's2', 's3']);
    expect(await stateOf(rows.db, 'a2')).toBe('pending');
  });

  it.each([
    ['before statistics are gathered', false],
    ['with statistics', true],
  ])('costs no more where 100,000 wait behind it, %s', async (_, isAnalyzed) => {
    await fillDispatch(rows.db, { count: 100_000, clients: 20 });
    await fillDispatch(rows.db, { count: 20_000, from: 100_000, state: 'delayed', runAt: Date.now() + HOUR_MS });
    if (isAnalyzed) await sql`analyze dispatch`.execute(rows.db);
    for (const statement of [
      TAKE_BACK,
      pickStatement({ session: 'one', limit: 32, maxPerClient: null }),
      pickStatement({ session: 'one', limit: 32, maxPerClient: 50 }),
    ]) {
      const scans = await scansOf(rows.db, statement);
      expect(scans.length).toBeGreaterThan(1);
      expect(scans.filter(({ type }) => type === 'Seq Scan')).toEqual([]);
      expect(scans.reduce((sum, scan) => sum + scan.rows, 0)).toBeLessThan(2_000);
    }
  });
});

/** Read models in PostgreSQL beside those in SQLite: the same rows from the same events, and the same answers from the same rows. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openPostgresReadStore } from '../../../infra/read-store/postgres.ts';
import type { ReadStore } from '../../../infra/read-store/read-store.ts';
import { openSqliteReadStore } from '../../../infra/read-store/sqlite.ts';
import { PROJECTIONS } from '../../../projections/index.ts';
import { type ReadModels, TABLES } from '../../../projections/read-models.ts';
import { ProjectionRunner } from '../../../projections/runner.ts';
import { dispatchTable } from '../../../queries/dispatch.ts';
import { OPERATIONS } from '../../../src/interfaces/operations.ts';
import { CALLER, openTestApp, type TestApp } from '../../support/app.ts';
import { type PostgresServer, startPostgres } from '../../support/postgres.ts';
import { startProxy } from '../../support/tcp-proxy.ts';

type Rows = ReadStore<ReadModels>;

let server: PostgresServer;
let app: TestApp;

beforeAll(async () => {
  server = await startPostgres();
  app = await openTestApp();
  await mixedWork(app);
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await server.close();
});

/** Tasks and executions of many kinds, with text that databases treat unlike each other. */
async function mixedWork({ task, run, call }: TestApp): Promise<void> {
  await task('good', 'function main(i) { console.log("Seen 100% \\\\ Ünï", i); return i; }', {
    tags: ['a\\b', 'Mixed'],
  });
  await task('bad', 'function main() { console.log("a\\0b"); throw new TypeError("no"); }', {
    description: 'GOOD for nothing',
  });
  await task(
    'Zeta',
    'async function main() { await sleep(1); reportProgress(0.5, "half"); return runTask("good", {}); }',
  );
  for (const n of [1, 2, 3]) await run('good', { n });
  const failed = await run('bad');
  await call('retry_execution', { execution_id: failed['execution_id'] });
  const good = await run('Zeta');
  await call('replay_execution', { execution_id: good['execution_id'] });
  await call('create_execution', { task_id: 'good', input: {}, delay_ms: 3_600_000 });
  await call('edit_task', { task_id: 'good', description: 'better' });
  await call('create_schedule', { task_id: 'good', name: 'yearly', cron: '0 0 1 1 *', input: {} });
  await call('batch_execute', { tasks: [{ task_id: 'good', input: {} }] });
}

/** Projects the whole log. */
async function projected(rows: Rows): Promise<ProjectionRunner> {
  const stop = new AbortController();
  const head = await app.app.store.head();
  const told = Promise.withResolvers<void>();
  const following = new ProjectionRunner({ events: app.app.store, rows: rows.projections, db: rows.db }, PROJECTIONS, {
    onReached: (position) => position >= head && told.resolve(),
    onStatus: () => undefined,
  });
  await following.prepare();
  const running = following.run(stop.signal);
  await Promise.race([told.promise, running]);
  stop.abort();
  await running;
  expect(following.statuses().filter(({ status }) => status !== 'live')).toEqual([]);
  return following;
}

async function dump({ db }: Rows): Promise<Record<string, readonly string[]>> {
  const entries = Object.keys(TABLES).map(async (table) => {
    const { rows } = await sql`select * from ${sql.table(table)}`.execute(db);
    return [table, rows.map((row) => JSON.stringify(row)).sort()] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** What one of the two can not keep. */
function withoutNul<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value).replaceAll(/\\+u0000/g, '\uFFFD'));
}

describe('read models', () => {
  let url: string;
  let rows: Rows;
  let lite: Rows;

  beforeEach(async () => {
    url = await server.newSchema();
    rows = await openPostgresReadStore<ReadModels>(url, { poolSize: 4 });
    lite = openSqliteReadStore<ReadModels>(':memory:');
    return async () => {
      await rows.close();
      await lite.close();
    };
  });

  test('have the same rows in both databases, also after each was rebuilt twice', async () => {
    await projected(lite);
    const runner = await projected(rows);
    const expected = withoutNul(await dump(lite));
    expect(expected['executions']?.length).toBeGreaterThan(4);
    expect(expected['log_lines']?.some((row) => row.includes('\uFFFD'))).toBe(true);
    expect(await dump(rows)).toEqual(expected);
    const defined = `SELECT tablename, regexp_replace(indexdef, '^.* USING', '') AS index FROM pg_indexes
      WHERE schemaname = current_schema() ORDER BY 1, 2`;
    const indexes = await server.run(url, defined);
    for (let round = 0; round < 2; round += 1) {
      await runner.rebuild();
      expect(await dump(rows)).toEqual(expected);
      expect(await server.run(url, defined)).toEqual(indexes);
    }
  });

  test('answer the same questions alike', async () => {
    await projected(lite);
    await projected(rows);
    const id = (await lite.db.selectFrom('executions').select('execution_id').execute())[0]?.execution_id ?? '';
    const asked: readonly [string, object][] = [
      ['list_available_tasks', {}],
      ['list_available_tasks', { filter: 'GOOD' }],
      ['list_available_tasks', { tag: 'a\\b' }],
      ['list_available_tasks', { tag: 'mixed' }],
      ['list_task_versions', { task_id: 'good' }],
      ['list_executions', { limit: 2 }],
      ['list_executions', { status: 'failed' }],
      ['list_executions', { task_id: 'good' }],
      ['list_failures', {}],
      ['get_execution_status', { execution_id: id }],
      ['get_execution_logs', { execution_id: id }],
      ['get_execution_logs', { execution_id: id, search: 'sEEN' }],
      ['get_execution_logs', { execution_id: id, search: '\\' }],
      ['get_execution_trace', { execution_id: id }],
      ['list_steps', { execution_id: id }],
      ['list_workers', {}],
      ['list_schedules', {}],
      ['list_batches', {}],
      ['list_deliveries', {}],
      ['list_replays', {}],
      ['list_keys', {}],
      ['get_audit_trail', {}],
    ];
    const { core } = app.app;
    for (const [name, input] of asked) {
      const operation = OPERATIONS.find((candidate) => candidate.name === name);
      const ask = async ({ db }: Rows): Promise<unknown> =>
        operation?.run({ ...core, query: { ...core.query, db } }, input, { ...CALLER, minPosition: '' });
      const expected = withoutNul(await ask(lite));
      expect(expected).toBeDefined();
      expect([name, input, await ask(rows)]).toEqual([name, input, expected]);
    }
    const table = dispatchTable(rows.db);
    expect(await table.due(Date.now() + 86_400_000, 10)).toEqual(
      await dispatchTable(lite.db).due(Date.now() + 86_400_000, 10),
    );
  });
});

test('a query for a column that another release has removed says so', async () => {
  const url = await server.newSchema();
  const rows = await openPostgresReadStore<ReadModels>(url, { poolSize: 2 });
  await projected(rows);
  await server.run(url, 'ALTER TABLE workers DROP COLUMN host');
  await expect(rows.db.selectFrom('workers').select('host').execute()).rejects.toMatchObject({
    code: 'read_models_differ',
    message: expect.stringContaining('another release of this program: column "host" does not exist'),
  });
  await rows.close();
});

describe('a projection store in PostgreSQL', () => {
  let url: string;
  let rows: Rows;
  const CREATE = { sql: 'CREATE TABLE notes (note text PRIMARY KEY)', parameters: [] };
  const note = (text: unknown) => ({ sql: 'INSERT INTO notes VALUES ($1)', parameters: [text] });
  const checkpoint = { name: 'notes', version: 1, position: '', status: 'live', error: null } as const;

  beforeEach(async () => {
    url = await server.newSchema();
    rows = await openPostgresReadStore<ReadModels>(url, { poolSize: 2 });
    await rows.projections.change([CREATE], checkpoint);
    return async () => rows.close();
  });

  const notes = async (): Promise<unknown[]> =>
    (await server.run(url, 'SELECT note FROM notes ORDER BY note')).map((row) => row['note']);

  test('rows and checkpoint move together or not at all', async () => {
    await rows.projections.apply([note('a')], [{ name: 'notes', from: '', to: '1' }]);
    await expect(
      rows.projections.apply([note('b'), note('a')], [{ name: 'notes', from: '1', to: '2' }]),
    ).rejects.toThrow('duplicate key');
    expect(await notes()).toEqual(['a']);
    expect(await rows.projections.checkpoints()).toEqual([{ ...checkpoint, position: '1' }]);
  });

  test('a checkpoint that stands elsewhere is a conflict that stores nothing', async () => {
    const other = await openPostgresReadStore<ReadModels>(url, { poolSize: 2 });
    const results = await Promise.allSettled(
      [rows, other].map(({ projections }, index) =>
        projections.apply([note(`from ${index}`)], [{ name: 'notes', from: '', to: '1' }]),
      ),
    );
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(results.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'version_conflict' } });
    expect(await notes()).toHaveLength(1);
    await other.close();
  });

  test('a schema change that fails leaves the old tables and the checkpoint', async () => {
    const changes = [
      { sql: 'DROP TABLE notes', parameters: [] },
      { sql: 'ALTER TABLE none RENAME TO notes', parameters: [] },
    ];
    await expect(rows.projections.change(changes, { ...checkpoint, version: 2 })).rejects.toThrow('does not exist');
    expect(await notes()).toEqual([]);
    expect(await rows.projections.checkpoints()).toEqual([checkpoint]);
  });

  test('a lost connection is a passing error, after which it goes on', async () => {
    const proxy = await startProxy(Number(new URL(url).port || 5432));
    const address = Object.assign(new URL(url), { port: String(proxy.port) }).href;
    const far = await openPostgresReadStore<ReadModels>(address, { poolSize: 2 });
    await far.projections.apply([note('a')], [{ name: 'notes', from: '', to: '1' }]);
    proxy.goDown();
    const lost = far.projections.apply([note('b')], [{ name: 'notes', from: '1', to: '2' }]);
    await expect(lost).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringMatching(/^Database connection failed/),
    });
    proxy.goUp();
    await far.projections.apply([note('c')], [{ name: 'notes', from: '1', to: '2' }]);
    expect(await notes()).toEqual(['a', 'c']);
    await far.close();
    await proxy.close();
  });
});

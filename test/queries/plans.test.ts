import { DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { memoryEventStore } from '../../infra/event-store/memory.ts';
import { eventStoreBlobs } from '../../infra/payload-blobs.ts';
import { nodeSqliteDialect } from '../../infra/read-store/node-sqlite-dialect.ts';
import {
  createIndexes,
  createTable,
  type ReadModelName,
  type ReadModels,
  TABLES,
} from '../../projections/read-models.ts';
import { getAuditTrail } from '../../queries/audit.ts';
import { getBatch, listBatches, openBatches } from '../../queries/batch.ts';
import { countDeliveries, deliveryTable, listDeliveries } from '../../queries/delivery.ts';
import { dispatchTable } from '../../queries/dispatch.ts';
import { listExecutions, listSteps } from '../../queries/execution.ts';
import { failureHistory, lastSuccess, listFailures } from '../../queries/failure.ts';
import type { Query } from '../../queries/query.ts';
import { listSchedules } from '../../queries/schedule.ts';
import { executionStats } from '../../queries/stats.ts';
import { getTask, listTasks, listTaskVersions } from '../../queries/task.ts';
import { getLogs, getTrace } from '../../queries/telemetry.ts';

const database = new DatabaseSync(':memory:');
const asked: string[] = [];
const db = new Kysely<ReadModels>({
  dialect: nodeSqliteDialect(database),
  log: ({ query }) => void asked.push(query.sql),
});
const store = memoryEventStore();

beforeAll(async () => {
  for (const name of Object.keys(TABLES) as ReadModelName[]) {
    await createTable(db as Kysely<unknown>, name);
    await createIndexes(db as Kysely<unknown>, name);
  }
  const rows = { tasks: 'echo', task_versions: 'echo', executions: 'one' };
  for (const [table, value] of Object.entries(rows)) insertRow(table as ReadModelName, value);
});
afterAll(async () => {
  await store.close();
  await db.destroy();
});

/** One row with the same text in every column, so that queries that look something up first come further. */
function insertRow(table: ReadModelName, value: string): void {
  const columns = Object.entries(TABLES[table].columns);
  const values = columns.map(([name, type]) => (type.startsWith('text') ? (name === 'version' ? 1 : value) : 1));
  database.prepare(`insert into ${table} values (${columns.map(() => '?').join(', ')})`).run(...values);
}

/** How the database would carry out what `read` asked of it. */
async function plansOf(read: () => Promise<unknown>): Promise<readonly string[]> {
  asked.length = 0;
  await read().catch(() => undefined);
  expect(asked).not.toHaveLength(0);
  return asked.flatMap((text) =>
    database
      .prepare(`explain query plan ${text}`)
      .all()
      .map((row) => String(row['detail'])),
  );
}

const deps = { db, store, blobs: eventStoreBlobs(store, () => 0) };
const readOf = <Input, Output>(query: Query<Input, Output>, filter: object) =>
  query.read(deps, query.input.parse(filter));

const TIME = '2026-01-01T00:00:00Z';
const at = (...key: unknown[]) => ({ cursor: Buffer.from(JSON.stringify(key)).toString('base64url') });

it.each([
  { status: 'failed' },
  { task_id: 'echo' },
  { since: TIME },
  { until: TIME },
  { parent_id: 'one' },
  { batch_id: 'one' },
  { original_execution: 'one' },
  { source: 'rest' },
  { principal: 'someone' },
  { fingerprint: 'one' },
  { sort: 'finished_at' },
  { sort: 'duration_ms', order: 'asc' },
  { principal: 'someone', status: 'failed', order: 'oldest' },
  at(TIME, 'one'),
  { status: 'failed', ...at(TIME, 'one') },
])('executions with %j are found by an index', async (filter) => {
  const plans = await plansOf(() => readOf(listExecutions, filter));
  expect(plans.filter((plan) => plan.startsWith('SCAN'))).toEqual([]);
  if (!('parent_id' in filter || 'batch_id' in filter || 'original_execution' in filter))
    expect(plans.join()).not.toContain('FOR ORDER BY');
  if ('cursor' in filter) expect(plans.join()).toMatch(/requested_at<[?]/);
});

it.each([{ principal: 'someone' }, { action: 'TaskCreated' }, { subject_id: 'one' }, at('1')])(
  'entries of the audit trail with %j are found by an index',
  async (filter) => {
    const plans = await plansOf(() => readOf(getAuditTrail, filter));
    expect(plans).not.toEqual([]);
    expect(plans.filter((plan) => plan.startsWith('SCAN'))).toEqual([]);
  },
);

it.each([
  ['steps', () => readOf(listSteps, { execution_id: 'one' })],
  ['log lines', () => readOf(getLogs, { execution_id: 'one', level: 'warn', search: 'x' })],
  ['spans', () => readOf(getTrace, { execution_id: 'one' })],
  ['a task by any of its names', () => readOf(getTask, { task_id: 'echo' })],
  ['versions of a task', () => readOf(listTaskVersions, { task_id: 'echo' })],
  ['tasks of a category', () => readOf(listTasks, { category: 'echo' })],
  ['items of a batch', () => readOf(getBatch, { batch_id: 'one' })],
  ['batches in a state', () => readOf(listBatches, { status: 'running' })],
  ['batches that have not ended', () => openBatches({ db })],
  ['schedules of a task', () => readOf(listSchedules, { task_id: 'echo' })],
  ['deliveries to a target', () => readOf(listDeliveries, { target: 'shop' })],
  ['deliveries of an execution', () => readOf(listDeliveries, { execution_id: 'one' })],
  ['dead letters', () => readOf(listDeliveries, { status: 'dead_lettered' })],
  ['how many are dead letters', () => countDeliveries(db)],
  ['deliveries that are due', () => deliveryTable(db).due('shop', 0, 10)],
  ['deliveries of other workers', () => deliveryTable(db).sentElsewhere('shop', ['one'], 10)],
  ['what has ended lately', () => executionStats(deps, 0)],
  ['failures by cause', () => readOf(listFailures, {})],
  ['failures of a task', () => readOf(listFailures, { task_id: 'echo', since: TIME })],
  ['the history of a failure', () => failureHistory(deps, 'echo', 'one')],
  ['work of other workers', () => dispatchTable(db).runningElsewhere(['one'], 10)],
] as const)('%s: found by an index', async (_, read) => {
  const plans = await plansOf(read);
  expect(plans.filter((plan) => plan.startsWith('SCAN'))).toEqual([]);
});

it('all of a list comes in the order of an index, page by page', async () => {
  expect((await plansOf(() => readOf(listExecutions, {})))[0]).toMatch(/^SCAN executions USING INDEX/);
  for (const filter of [{}, { since: TIME }]) {
    expect(await plansOf(() => readOf(getAuditTrail, filter))).toEqual([
      expect.stringMatching(/^SCAN audit USING INDEX/),
    ]);
  }
  for (const sort of ['name', 'updated_at']) {
    expect((await plansOf(() => readOf(listTasks, { sort })))[0]).toMatch(/^SCAN tasks USING INDEX/);
  }
  expect((await plansOf(() => readOf(listDeliveries, {})))[0]).toMatch(/^SCAN deliveries USING INDEX/);
  expect((await plansOf(() => readOf(listSchedules, {})))[0]).toMatch(/^SCAN schedules USING INDEX/);
  expect((await plansOf(() => readOf(listBatches, {})))[0]).toMatch(/^SCAN batches USING INDEX/);
});

it('work that is due is found by an index, line by line', async () => {
  database.prepare("insert into dispatch select 'one', 'a', 'pending', '', 0, null, null, null, 0, null, '1'").run();
  const plans = await plansOf(() => dispatchTable(db).due(0, 10));
  expect(plans.join()).toContain('(state=? AND priority=? AND client<?)');
  expect(plans.filter((plan) => plan.startsWith('SCAN') && !/^SCAN (line|first)$/.test(plan))).toEqual([]);
});

it('the last success is looked for among so many executions of its task, found by an index', async () => {
  const plans = await plansOf(() => lastSuccess(deps, 'echo', TIME));
  expect(plans.join()).toContain('SEARCH executions USING INDEX');
  expect(plans.filter((plan) => plan.startsWith('SCAN'))).toEqual(['SCAN earlier']);
});

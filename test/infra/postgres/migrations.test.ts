import { hash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { postgresEventStore } from '../../../infra/event-store/postgres.ts';
import { EVENT_LOG_MIGRATIONS } from '../../../infra/event-store/postgres-schema.ts';
import { assertMigrated, type Migration, migrate, migrationStatus } from '../../../infra/postgres/migrations.ts';
import { type Connections, connections } from '../../../infra/postgres/pool.ts';
import { type PostgresServer, startPostgres } from '../../support/postgres.ts';
import { newEvents } from '../../support/store-events.ts';

const FIRST: Migration = { name: 'tried-1-things', readableFrom: 1, sql: 'CREATE TABLE things (a integer)' };
const SECOND: Migration = { name: 'tried-2-more', readableFrom: 1, sql: 'ALTER TABLE things ADD b integer' };
const BREAKING: Migration = { name: 'tried-3-break', readableFrom: 3, sql: 'ALTER TABLE things DROP a' };

let server: PostgresServer;
let url: string;
let pool: Connections;

beforeAll(async () => {
  server = await startPostgres();
});

afterAll(async () => {
  await server.close();
});

beforeEach(async () => {
  url = await server.newSchema();
  pool = connections(url, { poolSize: 2 });
});

afterEach(async () => {
  await pool.close();
});

test('what is missing is applied in order and once, and told with its time', async () => {
  expect(await migrationStatus(pool, [FIRST])).toEqual([{ name: FIRST.name, appliedAt: null }]);
  expect(await migrate(pool, [FIRST])).toEqual([FIRST.name]);
  expect(await migrate(pool, [FIRST, SECOND])).toEqual([SECOND.name]);
  expect(await migrate(pool, [FIRST, SECOND])).toEqual([]);
  const statuses = await migrationStatus(pool, [FIRST, SECOND]);
  expect(statuses.map(({ name }) => name)).toEqual([FIRST.name, SECOND.name]);
  for (const { appliedAt } of statuses) expect(appliedAt).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/);
});

test('of many runners at once one applies, and the others find it done', async () => {
  const slow = { ...FIRST, sql: `${FIRST.sql}; SELECT pg_sleep(0.1)` };
  const runs = await Promise.all(Array.from({ length: 6 }, () => migrate(pool, [slow, SECOND])));
  expect(runs.filter((names) => names.length > 0)).toEqual([[FIRST.name, SECOND.name]]);
});

test('a migration that fails leaves nothing behind, of those before it neither', async () => {
  const broken = { ...SECOND, sql: 'ALTER TABLE things ADD b integer; SELECT 1 / 0' };
  await expect(migrate(pool, [FIRST, broken])).rejects.toThrow('division by zero');
  expect(await server.run(url, "SELECT to_regclass('things') AS things")).toEqual([{ things: null }]);
  expect(await migrate(pool, [FIRST, SECOND])).toHaveLength(2);
});

test('without the right to migrate, an older database is refused with the way out', async () => {
  await migrate(pool, [FIRST]);
  await assertMigrated(pool, [FIRST]);
  await expect(assertMigrated(pool, [FIRST, SECOND])).rejects.toMatchObject({
    code: 'store_unavailable',
    message: expect.stringMatching(/^Database connection failed: .*older than this program.*run `ratchet migrate`$/),
  });
  await expect(postgresEventStore(url, { autoMigrate: false })).rejects.toThrow('run `ratchet migrate`');
});

test('a program works on a database of the next release, and refuses one that it can not read', async () => {
  await migrate(pool, [FIRST, SECOND]);
  expect(await migrate(pool, [FIRST])).toEqual([]);
  await migrate(pool, [FIRST, SECOND, BREAKING]);
  for (const refused of [migrate(pool, [FIRST, SECOND]), migrationStatus(pool, [FIRST])]) {
    await expect(refused).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringMatching(/newer than this program \(tried-3-break\); upgrade this program$/),
    });
  }
});

test('a migration that was applied in another form is refused', async () => {
  await migrate(pool, [FIRST]);
  await expect(migrate(pool, [{ ...FIRST, sql: 'SELECT 1' }])).rejects.toThrow('was applied in another form');
});

test('a database of another application is left alone', async () => {
  await server.run(url, 'CREATE TABLE events (theirs integer)');
  await expect(postgresEventStore(url)).rejects.toMatchObject({
    code: 'store_unavailable',
    message: expect.stringMatching(/^Database connection failed: .*tables of another application/),
  });
  expect(await server.run(url, 'SELECT theirs FROM events')).toEqual([]);
});

test('what has been released is never changed', () => {
  const sums = EVENT_LOG_MIGRATIONS.map(({ name, sql }) => [name, hash('sha256', sql, 'hex')]);
  expect(sums).toEqual([['event-log-1-events', '000d7bcb5a26fa65ccdb5cbcf53f4359c79a3b00cee876175ee54703a20bc178']]);
});

test('stores that start at once on one empty database all get it', async () => {
  const stores = await Promise.all(Array.from({ length: 5 }, () => postgresEventStore(url, { poolSize: 2 })));
  const answers = await Promise.all(stores.map((store, index) => store.append(`task-${index}`, 'any', newEvents(2))));
  expect(new Set(answers.map(({ position }) => position)).size).toBe(5);
  await Promise.all(stores.map((store) => store.close()));
});

/** The program on PostgreSQL, as a process: migrating, serving, and what it says when it can not. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { colorsFor } from '../../src/cli/colors.ts';
import { type MigrateOptions, migrateDatabase } from '../../src/cli/migrate.ts';
import { openOutput } from '../../src/cli/output.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import {
  call,
  eventually,
  type Finished,
  type Home,
  openHome,
  ratchet,
  startServerProcess,
} from '../support/server.ts';

const ALL = [
  'event-log-1-events',
  'read-store-1-checkpoints',
  'read-store-2-rate-counts',
  'read-store-3-origin',
  'read-store-4-projector',
];

let server: PostgresServer;
let home: Home;
let url: string;

beforeAll(async () => {
  server = await startPostgres({ isOwn: true });
  home = openHome();
});

afterAll(async () => {
  home[Symbol.dispose]();
  await server.close();
});

beforeEach(async () => {
  url = await server.newDatabase();
});

function run(args: readonly string[], database = url, more = ''): Promise<Finished> {
  home.file('config.yaml', `database:\n  url: "${database}"\n${more}`);
  return ratchet(home, [...args, '--config', 'config.yaml', '--json']);
}

test('migrate makes the tables once, tells what it did, and prints the rights of a role', async () => {
  const answer = async (options: MigrateOptions, eventStoreUrl = url): Promise<unknown> => {
    const answers: unknown[] = [];
    const output = { ...openOutput(true, colorsFor(false)), result: (value: unknown) => void answers.push(value) };
    expect(await migrateDatabase({ eventStoreUrl, readStore: null }, options, output)).toBe(0);
    return answers[0];
  };
  expect(await answer({ status: true })).toEqual({
    applied: [],
    migrations: ALL.map((name) => ({ name, appliedAt: null })),
  });
  const made = await run(['migrate']);
  expect([made.code, made.json()]).toEqual([
    0,
    { applied: ALL, migrations: ALL.map((name) => ({ name, appliedAt: expect.any(String) })) },
  ]);
  expect(await answer({})).toMatchObject({
    applied: [],
    migrations: ALL.map(() => ({ appliedAt: expect.any(String) })),
  });
  expect(await answer({ roles: 'app' })).toMatchObject({
    role: 'app',
    script: expect.stringContaining('GRANT SELECT, INSERT ON events TO "app"'),
  });
  expect(await answer({}, 'sqlite:log.db')).toEqual({ applied: [], migrations: [] });
});

test('where it may not migrate, a start says that the tables are older and what to do', async () => {
  const refused = await run(['serve', '--port', '0'], url, '  auto_migrate: false\n');
  expect(refused.code).toBe(3);
  expect(refused.stderr).toMatch(/^Database connection failed: .*schema is older.*run `ratchet migrate`/);
});

test('a server keeps its log there: what it acknowledged outlives kill -9, and health tells of a lost database', async ({
  skip,
}) => {
  const { own } = server;
  if (own === null) return skip('the server is not ours to end');
  home.file('tasks/double/main.js', 'async function main(input) { return input.n * 2; }');
  home.file('tasks/double/metadata.json', '{"name":"double"}');
  const first = await startServerProcess(home, { database: url });
  const execute = (at: string, n: number) =>
    call(at, 'POST', '/api/v1/tasks/execute', { task_id: 'double', input: { n } });
  const done = await execute(first.url, 4);
  expect(done.body).toMatchObject({ status: 'completed', output: 8 });
  await first.kill();
  await using second = await startServerProcess(home, { database: url });
  const id = String(done.body['execution_id']);
  expect((await call(second.url, 'GET', `/api/v1/executions/${id}`)).body).toMatchObject({ status: 'completed' });
  const counted = 'SELECT count(*) AS count FROM executions WHERE execution_id = $1';
  expect(await server.run(url, counted, [id])).toEqual([{ count: '1' }]);
  await own.stop();
  const asked = await call(second.url, 'GET', '/api/v1/executions');
  expect([asked.status, asked.body]).toMatchObject([503, { type: 'urn:ratchet:error:store_unavailable' }]);
  const health = await call(second.url, 'GET', '/health');
  expect(health.status).toBe(503);
  expect(JSON.stringify(health.body)).toContain('Database connection failed');
  await own.start();
  const after = await execute(second.url, 5);
  expect(after.body).toMatchObject({ output: 10 });
  const path = `/api/v1/executions/${String(after.body['execution_id'])}`;
  await eventually('the read models have caught up', async () => {
    const { body } = await call(second.url, 'GET', path);
    return body['status'] === 'completed' ? true : undefined;
  });
  expect((await call(second.url, 'GET', '/health')).status).toBe(200);
  expect(await second.stop()).toBe(0);
});

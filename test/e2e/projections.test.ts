import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { TABLES } from '../../projections/read-models.ts';
import { countCalls } from '../support/crash-load.ts';
import { call, eventually, type Home, openHome, ratchet, startServerProcess } from '../support/server.ts';

/** Every table of the read store as text, rows in an order of their own. */
function dump(home: Home): Record<string, readonly string[]> {
  const db = new DatabaseSync(join(home.folder, 'ratchet.db.read'), { readOnly: true });
  try {
    const tables = [...Object.keys(TABLES), 'projection_checkpoints'];
    return Object.fromEntries(
      tables.map((table) => {
        const rows = db.prepare(`select * from ${table}`).all();
        return [table, rows.map((row) => JSON.stringify(row)).sort()];
      }),
    );
  } finally {
    db.close();
  }
}

/** Rows of the read models, how far they are left out: commands that look at a log do not add to it. */
function rowsOf(home: Home): Record<string, readonly string[]> {
  const { projection_checkpoints: _, ...rows } = dump(home);
  return rows;
}

/** Runs of every kind: good, failing, retried, waiting, nested, cancelled; tasks edited, switched and deleted. */
async function mixedWork(home: Home): Promise<void> {
  await using counter = await countCalls();
  const more = 'results:\n  archive: { type: file, path: results.jsonl }\n';
  await using server = await startServerProcess(home, { more });
  const { url } = server;
  const post = (path: string, body?: unknown) => call(url, 'POST', `/api/v1${path}`, body);
  const task = (name: string, code: string) => post('/tasks', { name, code, tags: ['mixed'] });
  await task('good', 'function main(input) { console.log("seen", input); return input; }');
  await task('bad', 'function main() { throw new TypeError("no"); }');
  await task(
    'passing',
    'async function main(i, context) { if (context.attempt === 1) throw new NetworkError("once"); return 1; }',
  );
  await task('calling', 'async function main({ base }) { return (await fetch(base + "/x")).json(); }');
  await task('outer', 'function main() { return runTask("good", { nested: true }); }');
  await task('endless', 'function main() { for (;;); }');
  await task('gone', 'function main() { return 1; }');
  await Promise.all([
    ...[1, 2, 3].map((n) => post('/tasks/execute', { task_id: 'good', input: { n, text: 'x'.repeat(n * 100_000) } })),
    post('/tasks/execute', { task_id: 'bad', input: {} }),
    post('/tasks/execute', { task_id: 'passing', input: {}, retry: { max_attempts: 2, initial_ms: 5 } }),
    post('/tasks/execute', { task_id: 'calling', input: { base: counter.url } }),
    post('/tasks/execute', { task_id: 'outer', input: {}, metadata: { retry_reason: 'because' } }),
  ]);
  const { body: done } = await post('/tasks/execute', { task_id: 'good', input: { n: 4 } });
  await post(`/executions/${String(done['execution_id'])}/replay`, {});
  const endless = await post('/executions', { task_id: 'endless', input: {}, priority: 5 });
  await post(`/executions/${String(endless.body['execution_id'])}/cancel`, { reason: 'enough' });
  await post('/executions', { task_id: 'good', input: {}, delay_ms: 3_600_000 });
  await post('/schedules', { task_id: 'good', name: 'yearly', cron: '0 0 1 1 *', input: {} });
  const first = { id: 'first', task_id: 'bad', input: {} };
  const { body: batch } = await post('/batches', { tasks: [first, { task_id: 'good', input: { $from: 'first' } }] });
  await eventually('the batch has ended', async () => {
    const { body } = await call(url, 'GET', `/api/v1/batches/${String(batch['batch_id'])}`);
    return body['status'] === 'failed' ? true : undefined;
  });
  await call(url, 'PATCH', '/api/v1/tasks/good', { description: 'better' });
  await post('/tasks/bad/disable', { reason: 'bad' });
  await call(url, 'DELETE', '/api/v1/tasks/gone');
  await eventually('nothing runs', async () => {
    const { body } = await call(url, 'GET', '/api/v1/health');
    const { executions, deliveries } = body as { executions: { running: number }; deliveries: { open: number } };
    return executions.running === 0 && deliveries.open === 0 ? true : undefined;
  });
  expect(await server.stop()).toBe(0);
}

const CONFIG = ['--config', 'config.yaml'];

describe('read models', () => {
  it('are byte-equal after a rebuild, and after their file was deleted', async () => {
    using home = openHome();
    await mixedWork(home);
    const status = await ratchet(home, ['projections', 'status', ...CONFIG]);
    expect(status.code).toBe(0);
    const before = rowsOf(home);
    for (const [table, rows] of Object.entries(before)) expect(rows.length, table).toBeGreaterThan(0);

    const rebuilt = await ratchet(home, ['projections', 'rebuild', ...CONFIG]);
    expect(rebuilt).toMatchObject({ code: 0 });
    expect(rowsOf(home)).toEqual(before);

    for (const suffix of ['', '-wal', '-shm']) rmSync(join(home.folder, `ratchet.db.read${suffix}`), { force: true });
    expect((await ratchet(home, ['projections', 'status', ...CONFIG])).code).toBe(0);
    expect(rowsOf(home)).toEqual(before);
  });

  it('that were deleted are built again by the start of a server', async () => {
    using home = openHome();
    {
      await using server = await startServerProcess(home);
      await call(server.url, 'POST', '/api/v1/tasks', { name: 'echo', code: 'function main(input) { return input; }' });
      await call(server.url, 'POST', '/api/v1/tasks/execute', { task_id: 'echo', input: 7 });
      await server.stop();
    }
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(home.folder, `ratchet.db.read${suffix}`), { force: true });
    await using server = await startServerProcess(home);
    const { body } = await call(server.url, 'GET', '/api/v1/executions');
    expect(body['executions']).toMatchObject([{ task_name: 'echo', status: 'completed', input: 7 }]);
  });
});

describe('a projection that has stopped', () => {
  it('is told by health, and by 503 to readers who need it to be current, while everything else goes on', async () => {
    using home = openHome();
    expect((await ratchet(home, ['projections', 'status'], { env: { DATABASE_URL: 'sqlite:ratchet.db' } })).code).toBe(
      0,
    );
    const db = new DatabaseSync(join(home.folder, 'ratchet.db.read'));
    db.exec("update projection_checkpoints set status = 'paused', error = 'row 7 does not fit' where name = 'audit'");
    db.close();

    await using server = await startServerProcess(home);
    const { url } = server;
    expect(await call(url, 'GET', '/health')).toMatchObject({ status: 200, body: { status: 'degraded' } });
    const health = await call(url, 'GET', '/api/v1/health');
    expect(health.body['projections']).toContainEqual(
      expect.objectContaining({ name: 'audit', status: 'paused', error: 'row 7 does not fit' }),
    );
    const created = await call(url, 'POST', '/api/v1/tasks', { name: 'echo', code: 'function main(i) { return i; }' });
    expect(created.status).toBe(201);
    const run = await call(url, 'POST', '/api/v1/tasks/execute', { task_id: 'echo', input: 1 });
    expect(run.body).toMatchObject({ status: 'completed', output: 1 });
    const position = String(run.body['position']);
    expect(await call(url, 'GET', `/api/v1/executions?min_position=${position}`)).toMatchObject({
      status: 503,
      body: { code: 'projection_paused', details: { projection: 'audit' } },
    });
    await eventually('other read models go on', async () => {
      const { body } = await call(url, 'GET', '/api/v1/executions');
      const [first] = body['executions'] as readonly { status: string }[];
      return first?.status === 'completed' ? true : undefined;
    });
    const rebuilt = await call(url, 'POST', '/api/v1/projections/rebuild', { names: ['audit'] });
    expect(rebuilt.status).toBe(200);
    expect((await call(url, 'GET', '/health')).body).toMatchObject({ status: 'ok' });
    expect((await call(url, 'GET', `/api/v1/executions?min_position=${position}`)).status).toBe(200);
  });
});

describe('the position of a projection', () => {
  it('in health moves with the log', async () => {
    using home = openHome();
    await using server = await startServerProcess(home);
    const made = await call(server.url, 'POST', '/api/v1/tasks', {
      name: 'echo',
      code: 'function main(i) { return i; }',
    });
    const position = String(made.body['position']);
    await call(server.url, 'GET', `/api/v1/tasks?min_position=${position}`);
    const { body } = await call(server.url, 'GET', '/api/v1/projections');
    const told = body['projections'] as readonly { position: string }[];
    expect(told.filter((projection) => projection.position < position)).toEqual([]);
  });
});

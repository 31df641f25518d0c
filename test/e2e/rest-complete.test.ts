import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApp, type TestApp } from '../support/app.ts';
import { type Served, serveTestApp } from '../support/served.ts';
import { type Answer, call, openHome } from '../support/server.ts';

let test: TestApp;
let served: Served;

beforeAll(async () => {
  test = await openTestApp();
  served = await serveTestApp(test);
  await test.task('echo', 'function main(input) { return input; }');
  await test.task('failing', 'function main() { throw new TypeError("no luck"); }');
});
afterAll(async () => {
  await served.close();
  await test[Symbol.asyncDispose]();
});

const rest = (method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer> =>
  call(served.url, method, `/api/v1${path}`, body, headers);
const tagOf = async (path: string): Promise<string> => (await rest('GET', path)).headers.get('etag') ?? '';

describe('entity tags', () => {
  const schedule = async (): Promise<string> => {
    const wish = { name: 'x', task_id: 'echo', cron: '@daily', input: 1 };
    return `/schedules/${String((await rest('POST', '/schedules', wish)).body['id'])}`;
  };
  const task = async (): Promise<string> => {
    const name = `edited-${Math.floor(performance.now() * 1_000)}`;
    await rest('POST', '/tasks', { name, code: 'function main() {}' });
    return `/tasks/${name}`;
  };

  it.each([
    ['task', task],
    ['schedule', schedule],
    ['execution', async () => `/executions/${String((await test.run('echo', 1))['execution_id'])}`],
  ])('of a %s say that it has not changed', async (_, make) => {
    const path = await make();
    const etag = await tagOf(path);
    expect(etag).toMatch(/^"(?:v1-)?[0-9a-f]{32}"$/);
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const response = await fetch(`${served.url}/api/v1${path}`, { headers: { 'if-none-match': known } });
      expect([response.status, await response.text(), response.headers.get('etag')]).toEqual([304, '', etag]);
    }
    expect((await rest('GET', path, undefined, { 'if-none-match': '"other"' })).status).toBe(200);
  });

  it.each([
    ['task', task],
    ['schedule', schedule],
  ])('of a %s bind edits to the version that they were made on', async (_, make) => {
    const path = await make();
    const first = await tagOf(path);
    const edit = (method: string, description: string, tag: string) =>
      rest(method, path, method === 'DELETE' ? undefined : { description }, { 'if-match': tag });
    expect((await edit('PATCH', 'one', first)).status).toBe(200);
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      for (const stale of [first, `W/${await tagOf(path)}`, '"nonsense"', '']) {
        const refused = await edit(method, 'two', stale);
        expect([refused.status, refused.body['code']], `${method} ${stale}`).toEqual([412, 'precondition_failed']);
      }
    }
    const current = await tagOf(path);
    expect(current).not.toBe(first);
    const both = await rest('PATCH', path, { description: 'x', base_version: 1 }, { 'if-match': current });
    expect([both.status, both.body['code']]).toEqual([400, 'invalid_request']);
    expect((await edit('PUT', 'three', '*')).status).toBe(200);
    expect((await edit('DELETE', '', await tagOf(path))).status).toBe(200);
    const stale = path.startsWith('/tasks') ? 'task_not_found' : 'schedule_not_found';
    expect((await edit('DELETE', '', current)).body['code']).toBe(stale);
  });

  it('of a schedule stay good for an edit when it has fired', async () => {
    const path = await schedule();
    const etag = await tagOf(path);
    await rest('POST', `${path}/trigger`);
    expect(await tagOf(path)).not.toBe(etag);
    expect((await rest('PATCH', path, { description: 'x' }, { 'if-match': etag })).status).toBe(200);
  });
});

interface Row {
  readonly execution_id: string;
  readonly requested_at: string;
  readonly finished_at: string | null;
  readonly duration_ms: number | null;
}

/** All pages of a list. */
async function pages(path: string, member: string): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let cursor: unknown = ''; cursor !== null; ) {
    const more = cursor === '' ? '' : `&cursor=${String(cursor)}`;
    const { status, body } = await rest('GET', `${path}${more}`);
    expect(status, JSON.stringify(body)).toBe(200);
    rows.push(...(body[member] as readonly Row[]));
    cursor = body['next_cursor'];
  }
  return rows;
}

describe('sorting', () => {
  it.each(['finished_at', 'duration_ms', 'requested_at'] as const)(
    'by %s comes in pages without gap or repetition',
    async (sort) => {
      for (let n = 0; n < 7; n += 1) await test.run('echo', n);
      await test.app.projector.progress.reach(await test.app.store.head(), 10_000);
      for (const order of ['asc', 'desc']) {
        const whole = await pages(`/executions?task_id=echo&sort=${sort}&order=${order}&limit=1000`, 'executions');
        const cut = await pages(`/executions?task_id=echo&sort=${sort}&order=${order}&limit=2`, 'executions');
        expect(cut.map(({ execution_id }) => execution_id)).toEqual(whole.map(({ execution_id }) => execution_id));
        const keys = whole.map((row) => row[sort] ?? '');
        const sign = order === 'asc' ? 1 : -1;
        expect(keys).toEqual(keys.toSorted((a, b) => (a < b ? -sign : a > b ? sign : 0)));
        expect(whole.length).toBeGreaterThanOrEqual(7);
      }
    },
  );

  it('refuses the cursor of another order', async () => {
    const { body } = await rest('GET', '/executions?sort=duration_ms&limit=1');
    const refused = await rest('GET', `/executions?sort=finished_at&cursor=${String(body['next_cursor'])}`);
    expect(refused.body['code']).toBe('invalid_cursor');
  });

  it('of tasks has those changed last first', async () => {
    await test.call('edit_task', { task_id: 'echo', description: 'changed last' });
    const rows = await pages('/tasks?sort=updated_at&limit=1', 'tasks');
    expect(rows[0]).toMatchObject({ name: 'echo' });
    expect(rows.length).toBe((await pages('/tasks?limit=1000', 'tasks')).length);
  });
});

describe('bulk operations', () => {
  it('only tell what is meant unless they are told to do it, then cancel all of it, once', async () => {
    const later = async () =>
      (await test.call('create_execution', { task_id: 'echo', input: 1, delay_ms: 600_000 }))['execution_id'];
    const ids = [await later(), await later(), await later()];
    const dry = await rest('POST', '/executions/cancel', { status: 'pending' });
    expect(dry).toMatchObject({ status: 200, body: { dry_run: true, matched: 3, done: 0, left: 3, more: false } });
    // Those of the same millisecond come in any order.
    expect(new Set(dry.body['execution_ids'] as readonly string[])).toEqual(new Set(ids));
    expect((await rest('GET', '/executions?status=pending')).body['executions']).toHaveLength(3);
    const some = { status: 'pending', limit: 2, dry_run: false };
    const key = { 'idempotency-key': 'bulk' };
    expect((await rest('POST', '/executions/cancel', some, key)).body).toMatchObject({
      matched: 2,
      more: true,
      done: 2,
      left: 0,
      failed: [],
    });
    expect((await rest('POST', '/executions/cancel', { dry_run: false })).body).toMatchObject({ matched: 1, done: 1 });
    expect((await rest('POST', '/executions/cancel', { dry_run: false })).body).toMatchObject({ matched: 0, done: 0 });
    for (const id of ids) {
      const { events } = await test.call('list_execution_events', { execution_id: id });
      const types = (events as readonly { type: string }[]).map(({ type }) => type);
      expect(types.filter((type) => type === 'ExecutionCancelRequested')).toHaveLength(1);
    }
  });

  it('retry each failed execution once, however often the request comes under one key', async () => {
    for (let n = 0; n < 3; n += 1) await test.run('failing', n);
    const wish = { task_id: 'failing', until: new Date().toISOString(), dry_run: false, reason: 'again' };
    const first = await rest('POST', '/executions/retry', wish, { 'idempotency-key': 'retry' });
    expect(first.body).toMatchObject({ matched: 3, done: 3, failed: [] });
    const again = await rest('POST', '/executions/retry', wish, { 'idempotency-key': 'retry' });
    const newIds = ({ body }: Answer) =>
      (body['results'] as readonly { execution_id: string }[]).map(({ execution_id }) => execution_id).toSorted();
    expect(newIds(again)).toEqual(newIds(first));
    const { events } = await test.app.store.readAll('', { types: ['ExecutionRequested'] }, 1_000);
    const retried = events.filter(({ payload }) => payload.includes('"retryReason":"again"'));
    expect(retried).toHaveLength(3);
  });

  it('under a key that stood for another request are refused as a whole, whatever they mean', async () => {
    const key = { 'idempotency-key': 'bulk of two kinds' };
    const later = async (task_id: string) =>
      String((await test.call('create_execution', { task_id, input: 1, delay_ms: 600_000 }))['execution_id']);
    const [one, other] = [await later('echo'), await later('failing')];
    const wish = { status: 'pending', task_id: 'echo', dry_run: false };
    const cancel = (body: object) => rest('POST', '/executions/cancel', body, key);
    expect((await cancel(wish)).body).toMatchObject({ matched: 1, done: 1, execution_ids: [one] });
    for (const changed of [
      { ...wish, task_id: 'failing' },
      { ...wish, reason: 'other' },
      { ...wish, limit: 1 },
    ]) {
      expect(await cancel(changed)).toMatchObject({ status: 409, body: { code: 'idempotency_mismatch' } });
    }
    expect((await cancel(wish)).status).toBe(200);
    // The key of one operation is none of another, and who only looks stores nothing.
    expect((await rest('POST', '/executions/retry', { ...wish, status: 'failed' }, key)).status).toBe(200);
    expect((await cancel({ ...wish, task_id: 'failing', dry_run: true })).body).toMatchObject({
      execution_ids: [other],
    });
    expect((await rest('GET', `/executions/${other}`)).body).toMatchObject({ status: 'pending' });
    const both = ['a', 'b'].map((reason) =>
      rest('POST', '/executions/cancel', { ...wish, task_id: 'failing', reason }, { 'idempotency-key': 'bulk race' }),
    );
    expect(new Set((await Promise.all(both)).map(({ status }) => status))).toEqual(new Set([200, 409]));
  });

  it.each([
    [{ limit: 10_001 }, 'limit'],
    [{ nonsense: 1 }, 'nonsense'],
    [{ status: 'odd' }, 'status'],
  ])('are refused with %j', async (body, field) => {
    const refused = await rest('POST', '/executions/cancel', body);
    expect(refused.body).toMatchObject({ code: 'invalid_request', details: { problems: [{ field }] } });
  });
});

describe('the service', () => {
  it('tells its workers', async () => {
    const { body } = await rest('GET', '/workers?status=alive');
    expect(body['workers']).toMatchObject([{ status: 'alive', pid: process.pid, capacity: 2, lease_seconds: 30 }]);
    expect((await rest('GET', '/workers?status=lapsed')).body['workers']).toEqual([]);
  });

  it('tells how executions go, by task and over a window', async () => {
    await test.task('counted', 'function main(bad) { if (bad) throw new Error("bad"); }');
    for (const bad of [false, false, true]) await test.run('counted', bad);
    await test.app.projector.progress.reach(await test.app.store.head(), 10_000);
    const { body } = await rest('GET', '/stats?window_seconds=600');
    const tasks = body['tasks'] as readonly { task: string }[];
    expect(tasks.find(({ task }) => task === 'counted')).toMatchObject({ ended: 3, failed: 1, failure_rate: 1 / 3 });
    const listed = async (status: string) =>
      (await pages(`/executions?status=${status}&limit=1000`, 'executions')).length;
    expect(body).toMatchObject({
      executions: {
        completed: await listed('completed'),
        failed: await listed('failed'),
        cancelled: await listed('cancelled'),
      },
      queue: { pending: expect.any(Number), here: 0 },
      truncated: false,
    });
    const ended = [...(await pages('/executions?sort=duration_ms&order=asc&limit=1000', 'executions'))].map(
      ({ duration_ms }) => duration_ms,
    );
    expect(body['durations_ms']).toEqual({
      p50: ended[Math.ceil(ended.length * 0.5) - 1],
      p95: ended[Math.ceil(ended.length * 0.95) - 1],
      p99: ended[Math.ceil(ended.length * 0.99) - 1],
      max: ended.at(-1),
    });
    expect(body['events_per_second']).toBeGreaterThan(0);
  });
});

it('a source tells how it was read, and is read again when asked', async () => {
  using home = openHome();
  const own = await openTestApp({ sources: [{ name: 'own', root: home.folder, watch: false }] });
  const listener = await serveTestApp(own);
  const ask = (method: string, path: string) => call(listener.url, method, `/api/v1${path}`);
  const before = (await ask('GET', '/sources')).body['sources'] as readonly { last_sync_at: string }[];
  expect(before).toMatchObject([{ name: 'own', status: 'ok', tasks: 0 }]);
  home.file('found/main.js', 'function main() { return 1; }');
  home.file('found/metadata.json', JSON.stringify({ name: 'found', version: '1.0.0' }));
  home.file('broken/main.js', 'function main( {');
  home.file('broken/metadata.json', JSON.stringify({ name: 'broken', version: '1.0.0' }));
  const synced = await ask('POST', '/sources/own/sync');
  expect(synced).toMatchObject({ status: 200, body: { published: ['found'], broken: [{ path: expect.any(String) }] } });
  expect((await ask('GET', '/sources')).body['sources']).toEqual([synced.body]);
  expect((await own.run('found'))['output']).toBe(1);
  expect((await ask('POST', '/sources/other/sync')).status).toBe(404);
  await listener.close();
  await own[Symbol.asyncDispose]();
});

/** Several nodes on one PostgreSQL, each on a machine of its own as far as it can tell: who takes over from whom, and when. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ask, ECHO, ended, ONCE_EACH, openCluster, read, typesOf, WAITS, waitingAt } from '../support/cluster.ts';
import { countCalls } from '../support/crash-load.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import { call, eventually, openHome, ratchet, type Started } from '../support/server.ts';
import { startProxy } from '../support/tcp-proxy.ts';

const SHORT_LEASE = 'workers:\n  count: 2\n  lease: 2\n';
const LONG_LEASE = 'workers:\n  count: 2\n  lease: 10m\n  drain: 1\n';

let postgres: PostgresServer;
let url: string;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(async () => {
  await postgres.close();
});

beforeEach(async () => {
  url = await postgres.newDatabase();
});

describe('nodes on one database', { timeout: 90_000 }, () => {
  it('take over what a killed one ran when its lease is over, and fire its schedules', async () => {
    await using counter = await countCalls();
    await using cluster = openCluster(url);
    const first = await cluster.start({ more: SHORT_LEASE });
    const second = await cluster.start({ more: SHORT_LEASE });
    for (const task of [ECHO, WAITS]) await call(first.url, 'POST', '/api/v1/tasks', task);
    const schedule = { name: 'tick', task_id: 'echo', cron: '* * * * * *', input: {} };
    const made = await call(first.url, 'POST', '/api/v1/schedules', schedule);
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    const id = await waitingAt(first, counter.url, 1_500);
    const before = await read(second, id);
    await first.kill();
    const killedAt = new Date().toISOString();

    expect(await ended(second, id)).toMatchObject({ output: 'done', attempt: 2, mode: 'resume' });
    expect((await read(second, id))['worker']).not.toBe(before['worker']);
    expect([...counter.calls].map(([path, times]) => [path, times.length])).toEqual(ONCE_EACH);
    await eventually('the schedule fires again', async () => {
      const { body } = await call(second.url, 'GET', '/api/v1/events?category=schedule&limit=1000');
      const events = body['events'] as readonly { type: string; occurredAt: string }[];
      return events.some((event) => event.type === 'ScheduleFired' && event.occurredAt > killedAt) ? true : undefined;
    });
  });

  it('take over what a frozen one ran; when it wakes, its late events are refused and it works again', async () => {
    await using counter = await countCalls();
    await using cluster = openCluster(url);
    const first = await cluster.start({ more: SHORT_LEASE });
    const second = await cluster.start({ more: SHORT_LEASE });
    for (const task of [ECHO, WAITS]) await call(first.url, 'POST', '/api/v1/tasks', task);
    const id = await waitingAt(second, counter.url, 1_500);
    process.kill(second.pid, 'SIGSTOP');
    expect(await ended(first, id)).toMatchObject({ output: 'done', attempt: 2 });
    const told = await typesOf(first, id);
    process.kill(second.pid, 'SIGCONT');

    const again = await eventually('the woken node runs what it is asked', async () => {
      const answer = await call(second.url, 'POST', '/api/v1/tasks/execute', { task_id: 'echo', input: { n: 1 } });
      return answer.status === 200 ? answer.body : undefined;
    });
    expect(again).toMatchObject({ status: 'completed', output: { n: 1 } });
    expect(await typesOf(first, id)).toEqual(told);
    expect([...counter.calls].map(([path, times]) => [path, times.length])).toEqual(ONCE_EACH);
    expect((await call(second.url, 'GET', '/health')).status).toBe(200);
  });

  it('do only what their roles say', async () => {
    await using cluster = openCluster(url);
    const lonely = openHome();
    using _ = lonely;
    lonely.file('config.yaml', `database:\n  url: "${url}"\n`);
    const refused = await ratchet(lonely, ['serve', '--config', 'config.yaml', '--roles', 'api,wrker']);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('one of api, worker, projector')]);

    const started = Promise.withResolvers<Started>();
    const args = ['serve', '--config', 'config.yaml', '--port', '0', '--roles', 'api'];
    const waiting = ratchet(lonely, args, { onStart: started.resolve });
    const { stdout, signal } = await started.promise;
    await eventually('it says what it waits for', () =>
      /waiting for .* role projector/.test(stdout()) ? true : undefined,
    );
    signal('SIGTERM');
    expect((await waiting).code).toBe(0);

    const projector = await cluster.start({ more: SHORT_LEASE, flags: ['--roles', 'projector'] });
    const api = await cluster.start({ more: SHORT_LEASE, flags: ['--roles', 'api'] });
    await call(api.url, 'POST', '/api/v1/tasks', ECHO);
    const id = await ask(api, 'echo', { n: 2 });
    expect((await read(api, id))['status']).toBe('pending');
    expect((await call(api.url, 'POST', '/api/v1/projections/rebuild')).status).toBe(200);

    const worker = await cluster.start({ more: SHORT_LEASE, flags: ['--roles', 'worker'] });
    expect(await ended(api, id)).toMatchObject({ output: { n: 2 } });
    const answer = await call(api.url, 'POST', '/api/v1/tasks/execute', { task_id: 'echo', input: { n: 3 } });
    expect(answer.body).toMatchObject({ status: 'completed', output: { n: 3 } });
    for (const quiet of [projector, worker]) {
      expect((await call(quiet.url, 'GET', '/health')).status).toBe(200);
      expect((await call(quiet.url, 'GET', '/api/v1/executions')).status).toBe(404);
      expect(quiet.stderr()).toContain('Ratchet is ready as');
    }
  });

  it('when asked to end: take no more, say so, let short work end, and hand over the rest at once', async () => {
    await using counter = await countCalls();
    await using cluster = openCluster(url);
    const first = await cluster.start({ more: LONG_LEASE });
    const second = await cluster.start({ more: LONG_LEASE, server: '  shutdown_delay: 5\n' });
    for (const task of [ECHO, WAITS]) await call(first.url, 'POST', '/api/v1/tasks', task);
    const short = await waitingAt(second, counter.url, 500);
    const long = await waitingAt(second, counter.url, 4_000);
    const stopped = second.stop();
    await eventually('it says that it drains', async () => {
      const health = await call(second.url, 'GET', '/health');
      return health.status === 503 && health.body['status'] === 'draining' ? true : undefined;
    });
    expect((await call(second.url, 'GET', '/live')).status).toBe(200);
    const late = await ask(second, 'echo', { n: 4 });

    expect(await stopped).toBe(0);
    expect(await ended(first, short)).toMatchObject({ attempt: 1 });
    expect(await ended(first, late)).toMatchObject({ attempt: 1, output: { n: 4 } });
    expect(await ended(first, long)).toMatchObject({ attempt: 2, mode: 'resume' });
    expect(counter.calls.get('/after')).toHaveLength(2);
  });

  it('when asked to end while the database does not answer: end all the same', async () => {
    const address = new URL(url);
    const proxy = await startProxy(Number(address.port));
    address.port = String(proxy.port);
    await using cluster = openCluster(url);
    const node = await cluster.start({ database: address.href, more: LONG_LEASE });
    proxy.hold();
    expect(await node.stop()).not.toBeNull();
    await proxy.close();
  });
});

import { describe, expect, it } from 'vitest';
import { moveBatch } from '../../commands/batch.ts';
import { handle } from '../../commands/handle.ts';
import { streamName } from '../../src/domain/event.ts';
import { Batches } from '../../src/reactors/batches.ts';
import { openTestApp } from '../support/app.ts';
import { META } from '../support/given.ts';
import { call, eventually, type Home, openHome, startServerProcess } from '../support/server.ts';

it('an item whose start was decided by one that is gone gets its execution, and only one', async () => {
  using home = openHome();
  const database = { eventStoreUrl: `sqlite:${home.folder}/ratchet.db` };
  await using idle = await openTestApp({ ...database, runs: false });
  const { core, store } = idle.app;
  await idle.task('echo', 'function main(input) { return input; }');
  const tasks = [
    { id: 'a', task_id: 'echo', input: 1 },
    { id: 'b', task_id: 'echo', input: { $from: 'a' } },
  ];
  const asked = await idle.call('batch_execute', { tasks });
  const batchId = String(asked['batch_id']);
  await handle(core.execute, moveBatch, { batchId, ends: [], most: 16 }, META);
  const [first] = asked['items'] as { execution_id: string }[];
  const execution = streamName('execution', String(first?.execution_id));
  expect(await store.readStream(execution)).toEqual([]);
  const stop = new AbortController();
  const open = { ...core.execute, openBatches: async () => [batchId], isElected: () => true };
  const troubles: unknown[] = [];
  // Others come after it, and all look after it at once; one of them runs what is asked for.
  await using worker = await openTestApp(database);
  const followers = [1, 2].map(() => new Batches(open, (error) => troubles.push(error)));
  const head = await worker.app.store.head();
  await Promise.all(followers.map((follower) => follower.start(head, stop.signal)));
  const types = await eventually('the batch has ended', async () => {
    const all = (await store.readStream(streamName('batch', batchId))).map(({ type }) => type);
    return all.includes('BatchEnded') ? all : undefined;
  });
  await Promise.all(followers.map((follower) => follower.close()));
  stop.abort();
  expect(types).toEqual([
    'BatchRequested',
    'BatchItemStarted',
    'BatchItemEnded',
    'BatchItemStarted',
    'BatchItemEnded',
    'BatchEnded',
  ]);
  const requests = (await store.readStream(execution)).filter(({ type }) => type === 'ExecutionRequested');
  expect(requests).toHaveLength(1);
  expect(troubles).toEqual([]);
});

it('a batch is moved on by the node that is elected, whichever that is', async () => {
  await using idle = await openTestApp({ runs: false });
  const { core, store } = idle.app;
  await idle.task('echo', 'function main(input) { return input; }');
  let looks = 0;
  let isElected = false;
  let later = 0;
  const runtime = { ...core.execute.runtime, now: () => core.execute.runtime.now() + later };
  const deps = {
    ...core.execute,
    runtime,
    openBatches: async () => [],
    isElected: () => {
      looks += 1;
      return isElected;
    },
  };
  const batches = new Batches(deps, (error) => expect.soft(error).toBeUndefined());
  const stop = new AbortController();
  await batches.start(await store.head(), stop.signal);
  const asked = await idle.call('batch_execute', { tasks: [{ id: 'a', task_id: 'echo', input: 1 }] });
  const batch = streamName('batch', String(asked['batch_id']));
  await eventually('it was looked at', () => (looks > 0 ? true : undefined));
  expect((await store.readStream(batch)).map(({ type }) => type)).toEqual(['BatchRequested']);

  isElected = true;
  later = 60_000;
  await idle.call('cancel_batch', { batch_id: asked['batch_id'] });
  await eventually('it has ended', async () =>
    (await store.readStream(batch)).some(({ type }) => type === 'BatchEnded') ? true : undefined,
  );
  stop.abort();
  await batches.close();
});

describe('a server with a batch that is killed', { timeout: 60_000 }, () => {
  const more = 'workers:\n  count: 2\n';
  const open = (home: Home) => startServerProcess(home, { more });

  it('goes on with it after each restart: every item runs to its end once, and outputs come through', async () => {
    using home = openHome();
    const code = 'async function main({ n }) { await sleep(30); return { n: n + 1 }; }';
    const tasks = Array.from({ length: 24 }, (_, index) => ({
      id: `i${index}`,
      task_id: 'next',
      input: { n: index < 4 ? 0 : { $from: `i${index - 4}`, path: '/n' } },
    }));
    let batchId = '';
    const counts = async (url: string) => {
      const { body } = await call(url, 'GET', `/api/v1/batches/${batchId}`);
      return body as { status: string; counts: { completed: number; running: number; pending: number } };
    };
    for (const kills of [5, 14]) {
      await using server = await open(home);
      if (batchId === '') {
        await call(server.url, 'POST', '/api/v1/tasks', { name: 'next', code });
        const { status, body } = await call(server.url, 'POST', '/api/v1/batches', { tasks, max_parallel: 3 });
        expect(status).toBe(202);
        batchId = String(body['batch_id']);
      }
      await eventually(`${kills} are done`, async () =>
        (await counts(server.url)).counts.completed >= kills ? true : undefined,
      );
      await server.kill();
    }
    await using server = await open(home);
    const end = await eventually('the batch has ended', async () => {
      const told = await counts(server.url);
      return told.status === 'running' ? undefined : told;
    });
    expect(end).toMatchObject({ status: 'completed', counts: { completed: 24, pending: 0, running: 0 } });
    const { body } = await call(server.url, 'GET', `/api/v1/executions?batch_id=${batchId}&limit=1000`);
    const executions = body['executions'] as { execution_id: string; status: string }[];
    expect(executions.map(({ status }) => status)).toEqual(Array.from({ length: 24 }, () => 'completed'));
    const { body: told } = await call(server.url, 'GET', `/api/v1/batches/${batchId}?limit=1000`);
    const last = (told['items'] as { execution_id: string }[]).at(-1);
    const { body: execution } = await call(server.url, 'GET', `/api/v1/executions/${last?.execution_id}`);
    expect(execution['output']).toEqual({ n: 6 });
  });
});

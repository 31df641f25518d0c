/** Three nodes behind a balancer that sends each request anywhere: live streams, restarts one after the other, a restored backup. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBalancer } from '../support/balancer.ts';
import { stream, subscribe } from '../support/graphql-live.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import { call, eventually, type Home, openHome, type ServerProcess, startServerProcess } from '../support/server.ts';

const ECHO = { name: 'echo', code: 'function main(input) { console.log("got", input.n); return input; }' };
const SLOW = {
  name: 'slow',
  code: 'async function main(input) { await new Promise((resolve) => setTimeout(resolve, input.ms)); return input; }',
};
const MORE = 'auth:\n  type: none\nworkers:\n  count: 2\n  lease: 3\n  drain: 10\n';
/** Longer than the balancer takes to notice, on a busy machine, too. */
const NOTICED = '  shutdown_delay: 3\n';
const UPDATES = 'subscription { executionUpdated { type executionId status } }';

let postgres: PostgresServer;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(async () => {
  await postgres.close();
});

interface Node {
  server: ServerProcess;
  readonly home: Home;
}

async function startNodes(url: string, count: number): Promise<readonly Node[] & AsyncDisposable> {
  const nodes: Node[] = [];
  for (let n = 0; n < count; n += 1) {
    const home = openHome();
    nodes.push({ home, server: await startServerProcess(home, { database: url, more: MORE, server: NOTICED }) });
  }
  return Object.assign(nodes, {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(nodes.map(({ server }) => server.kill()));
      for (const { home } of nodes) home[Symbol.dispose]();
    },
  });
}

const urlsOf = (nodes: readonly Node[]): string[] => nodes.map(({ server }) => server.url);

describe('nodes behind a balancer', { timeout: 120_000 }, () => {
  it('tell a subscriber of any of them what runs on all of them', async () => {
    await using nodes = await startNodes(await postgres.newDatabase(), 3);
    await using balancer = await openBalancer(urlsOf(nodes));
    expect((await call(balancer.url, 'POST', '/api/v1/tasks', ECHO)).status).toBe(201);
    // One after the other: each socket, and each stream, on another node.
    const heard = [1, 2, 3].flatMap(() => [subscribe(balancer.url, UPDATES), stream(balancer.url, UPDATES)]);
    const ids: string[] = [];
    await eventually('all are subscribed', async () => {
      const { body } = await call(balancer.url, 'POST', '/api/v1/tasks/execute', { task_id: 'echo', input: { n: 0 } });
      const id = String(body['execution_id']);
      return heard.every(({ results }) => results.some(({ executionId }) => executionId === id)) ? true : undefined;
    });
    for (let n = 1; n <= 9; n += 1) {
      const { body } = await call(balancer.url, 'POST', '/api/v1/tasks/execute', { task_id: 'echo', input: { n } });
      expect(body).toMatchObject({ status: 'completed', output: { n } });
      ids.push(String(body['execution_id']));
    }
    for (const { results, until } of heard) {
      for (const id of ids) {
        await until(`the end of ${id}`, (one) => one.executionId === id && one.type === 'ExecutionCompleted');
        const types = results.filter(({ executionId }) => executionId === id).map(({ type }) => type);
        expect(new Set(types).size).toBe(types.length);
      }
    }
    expect([...balancer.answered.keys()].toSorted()).toEqual(urlsOf(nodes).toSorted());
    await Promise.all(heard.map(({ stop }) => stop()));
  });

  it('are restarted one after the other under load, and no request fails', async () => {
    const url = await postgres.newDatabase();
    await using nodes = await startNodes(url, 2);
    await using balancer = await openBalancer(urlsOf(nodes));
    expect((await call(balancer.url, 'POST', '/api/v1/tasks', SLOW)).status).toBe(201);
    const failures: unknown[] = [];
    const done: string[] = [];
    let isOver = false;
    const client = async (name: number): Promise<void> => {
      for (let n = 0; !isOver; n += 1) {
        const input = { by: name, n, ms: 100 };
        const { status, body } = await call(balancer.url, 'POST', '/api/v1/tasks/execute', { task_id: 'slow', input });
        if (status === 200 && body['status'] === 'completed') done.push(String(body['execution_id']));
        else failures.push({ status, body });
      }
    };
    const clients = [1, 2, 3, 4].map(client);
    try {
      for (const node of nodes) {
        expect(await node.server.stop()).toBe(0);
        const before = done.length;
        await eventually('the other goes on', () => (done.length > before + 8 ? true : undefined));
        node.server = await startServerProcess(node.home, { database: url, more: MORE, server: NOTICED });
        balancer.point(urlsOf(nodes));
        await eventually('it gets requests again', () => (balancer.isIn(node.server.url) ? true : undefined));
      }
    } finally {
      isOver = true;
      await Promise.all(clients);
    }
    expect(failures).toEqual([]);
    expect(new Set(done).size).toBe(done.length);
  });

  it('go on where a restored backup ends', async () => {
    const url = await postgres.newDatabase();
    const ids: string[] = [];
    {
      await using nodes = await startNodes(url, 1);
      const [{ server }] = nodes as unknown as [Node];
      for (const task of [ECHO, SLOW]) await call(server.url, 'POST', '/api/v1/tasks', task);
      const done = await call(server.url, 'POST', '/api/v1/tasks/execute', { task_id: 'echo', input: { n: 1 } });
      const begun = await call(server.url, 'POST', '/api/v1/executions', {
        task_id: 'slow',
        input: { n: 2, ms: 1_500 },
      });
      ids.push(String(done.body['execution_id']), String(begun.body['execution_id']));
      await eventually('it runs', async () => {
        const { body } = await call(server.url, 'GET', `/api/v1/executions/${ids[1]}`);
        return body['status'] === 'running' ? true : undefined;
      });
    }
    const restored = await postgres.copyOf(url);
    await using nodes = await startNodes(restored, 1);
    const [{ server }] = nodes as unknown as [Node];
    for (const [index, id] of ids.entries()) {
      await eventually(
        'it has ended',
        async () => {
          const { body } = await call(server.url, 'GET', `/api/v1/executions/${id}`);
          return body['status'] === 'completed' && (body['output'] as { n: number }).n === index + 1 ? true : undefined;
        },
        60_000,
      );
    }
    const again = await call(server.url, 'POST', '/api/v1/tasks/execute', { task_id: 'echo', input: { n: 3 } });
    expect(again.body).toMatchObject({ status: 'completed' });
  });
});

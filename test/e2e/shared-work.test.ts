/** Work that two nodes on one PostgreSQL share: in order, once each, and within the limit of each client on both together. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ended, openCluster } from '../support/cluster.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import { call, eventually, type ServerProcess } from '../support/server.ts';

/** Calls out under its name, and ends when it is answered. */
const CALLS = { name: 'calls', code: "async function main({ base, name }) { await fetch(base + '/' + name); }" };
const PARENT = {
  name: 'parent',
  code: "async function main(input) { await Promise.all([runTask('calls', input), runTask('calls', input)]); }",
};

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

interface Gate extends AsyncDisposable {
  readonly url: string;
  /** Names in the order in which they called. */
  readonly arrived: readonly string[];
  /** Answers the call of this name, and from then on those that come under it. */
  open(name: string): void;
  openAll(): void;
}

/** Keeps whoever calls waiting until its name is let through. */
async function openGate(): Promise<Gate> {
  const arrived: string[] = [];
  const held = new Map<string, ServerResponse[]>();
  let isOpen = false;
  const server = createServer((request, response) => {
    const name = (request.url ?? '/').slice(1);
    arrived.push(name);
    if (isOpen) response.end();
    else held.set(name, [...(held.get(name) ?? []), response]);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const open = (name: string): void => {
    for (const response of held.get(name) ?? []) response.end();
    held.delete(name);
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrived,
    open,
    openAll: () => {
      isOpen = true;
      for (const name of held.keys()) open(name);
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function ask(node: ServerProcess, gate: Gate, name: string, more: object = {}): Promise<string> {
  const wanted = { task_id: 'calls', input: { base: gate.url, name }, ...more };
  const asked = await eventually('the node knows the task', async () => {
    const answer = await call(node.url, 'POST', '/api/v1/executions', wanted);
    return answer.status === 404 ? undefined : answer;
  });
  expect(asked.status, JSON.stringify(asked.body)).toBe(202);
  return String(asked.body['execution_id']);
}

const arrival = (gate: Gate, count: number) =>
  eventually(`${count} have called`, () => (gate.arrived.length >= count ? gate.arrived.slice(0, count) : undefined));

interface Told {
  readonly type: string;
  readonly stream: string;
}

/** How many of these executions ran at the same time, as the log tells it. */
async function mostAtOnce(node: ServerProcess, ids: readonly string[]): Promise<number> {
  const { body } = await call(node.url, 'GET', '/api/v1/events?category=execution&limit=1000');
  const running = new Set<string>();
  let most = 0;
  for (const { type, stream } of body['events'] as readonly Told[]) {
    if (!ids.some((id) => stream === `execution-${id}`)) continue;
    if (type === 'ExecutionStarted') running.add(stream);
    if (/^(Execution(Waiting|Completed|Failed|Cancelled)|AttemptFailed)$/.test(type)) running.delete(stream);
    most = Math.max(most, running.size);
  }
  return most;
}

describe('two nodes on one PostgreSQL', { timeout: 90_000 }, () => {
  it('run no more of one client at once than it may have on both together; its subtasks do not count', async () => {
    const more = 'workers: { count: 4 }\nexecution: { max_concurrent_per_client: 3 }\n';
    await using gate = await openGate();
    await using cluster = openCluster(url);
    const [one, other] = [await cluster.start({ more }), await cluster.start({ more })];
    for (const task of [CALLS, PARENT]) await call(one.url, 'POST', '/api/v1/tasks', task);
    const nodes = [one, other];
    const ids = await Promise.all(
      Array.from({ length: 9 }, (_, n) => ask(nodes[n % 2] ?? one, gate, `n${n}`, n < 3 ? { task_id: 'parent' } : {})),
    );
    // Three run, whichever they are, and no more until one of them ends.
    await arrival(gate, 3);
    gate.openAll();
    const done = await Promise.all(ids.map((id) => ended(other, id)));
    expect(done.map(({ attempt }) => attempt)).toEqual(ids.map(() => 1));
    expect(await mostAtOnce(one, ids)).toBe(3);
    expect(gate.arrived).toHaveLength(12);
  });

  it('start by priority what either of them accepted, as soon as there is a place on any', async () => {
    const more = 'workers: { count: 1 }\n';
    await using gate = await openGate();
    await using cluster = openCluster(url);
    const [one, other] = [await cluster.start({ more }), await cluster.start({ more })];
    await call(one.url, 'POST', '/api/v1/tasks', CALLS);
    // Both places are taken: the second one on the node that was not asked.
    await ask(other, gate, 'first');
    await ask(other, gate, 'second');
    await arrival(gate, 2);
    const waiting: [string, number][] = [
      ['low', -1],
      ['high', 5],
      ['middle', 1],
      ['highest', 9],
    ];
    for (const [name, priority] of waiting) await ask(other, gate, name, { priority });
    await eventually('all of them wait', async () => {
      const { body } = await call(one.url, 'GET', '/api/v1/executions?status=pending');
      return (body['executions'] as readonly unknown[]).length === waiting.length ? true : undefined;
    });
    const order = ['second', 'highest', 'high', 'middle', 'low'];
    for (const [place, name] of order.entries()) {
      gate.open(name);
      const next = order[place + 1];
      if (next !== undefined) expect(await arrival(gate, place + 3)).toEqual(['first', ...order.slice(0, place + 2)]);
    }
  });

  it('start what was delayed once, on one of them, and not before its time', async () => {
    const more = 'workers: { count: 2 }\n';
    await using gate = await openGate();
    await using cluster = openCluster(url);
    const [one, other] = [await cluster.start({ more }), await cluster.start({ more })];
    await call(one.url, 'POST', '/api/v1/tasks', CALLS);
    gate.openAll();
    const nodes = [one, other];
    const ids = await Promise.all(
      Array.from({ length: 8 }, (_, n) => ask(nodes[n % 2] ?? one, gate, `n${n}`, { delay_ms: 400 })),
    );
    for (const id of ids) {
      const { requested_at, started_at, attempt } = await ended(one, id);
      expect(attempt).toBe(1);
      expect(Date.parse(String(started_at)) - Date.parse(String(requested_at))).toBeGreaterThanOrEqual(400);
    }
    expect(gate.arrived.toSorted()).toEqual(ids.map((_, n) => `n${n}`));
  });

  it('lose nothing that one of them had taken up when it dies', async () => {
    const more = 'workers: { count: 2, lease: 2 }\nexecution: { max_concurrent_per_client: 20 }\n';
    await using gate = await openGate();
    await using cluster = openCluster(url);
    const [one, other] = [await cluster.start({ more }), await cluster.start({ more })];
    await call(one.url, 'POST', '/api/v1/tasks', CALLS);
    const ids = await Promise.all(Array.from({ length: 12 }, (_, n) => ask(one, gate, `n${n}`)));
    await arrival(gate, 4);
    await one.kill();
    gate.openAll();
    for (const id of ids) await ended(other, id);
  });
});

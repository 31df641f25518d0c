/** A node that was taken for dead and is not: what it still wants to record of executions that others took over is refused. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { streamName } from '../../src/domain/event.ts';
import { type ChaosNode, type Cluster, startCluster } from '../support/chaos/nodes.ts';
import { violationsOf } from '../support/history/check-history.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import { call, eventually } from '../support/server.ts';
import { readEverything } from '../support/store-events.ts';

const CODE = `async function main({ url }, { executionId }) {
  const response = await fetch(url + '/' + executionId, { method: 'POST' });
  return response.text();
}`;
/** Leases have to run out first, and under load that takes its time. */
const PATIENCE_MS = 40_000;
const LATE = 'the answer that came too late';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({ isOwn: true });
});
afterAll(async () => {
  await server.close();
});

it('an append that was held up in the network until others had taken over is refused', {
  timeout: 120_000,
}, async ({ skip }) => {
  if (server.own === null) return skip('the server may be on another machine');
  await using cluster = await startTwo();
  await using api = await openApi();
  const [other, cut] = cluster.nodes;
  const id = await begin(cluster, cut, api.url);
  const first = await api.call(0);
  cut.proxy.hold();
  first.end(LATE);
  await takenOver(cluster, id);
  (await api.call(1)).end('the answer');
  await ended(other, id);

  cut.proxy.release();
  await eventually('the late append comes', () => (cut.proxy.hasSent(LATE) ? true : undefined));
  await worksAgain(cluster, cut, api, 2);
  await expectFirstEnd(cluster, id);
});

it('a node that was frozen beyond its lease records nothing of what others took over, and works on', {
  timeout: 120_000,
}, async ({ skip }) => {
  if (server.own === null) return skip('the server may be on another machine');
  await using cluster = await startTwo();
  await using api = await openApi();
  const [other, frozen] = cluster.nodes;
  const id = await begin(cluster, frozen, api.url);
  const first = await api.call(0);
  frozen.freeze();
  first.end(LATE);
  await takenOver(cluster, id);
  (await api.call(1)).end('the answer');
  await ended(other, id);

  frozen.thaw();
  await worksAgain(cluster, frozen, api, 2);
  await expectFirstEnd(cluster, id);
});

interface Two extends Cluster {
  readonly nodes: readonly [ChaosNode, ChaosNode];
}

async function startTwo(): Promise<Two> {
  const cluster = await startCluster(server, 2, 2);
  const [one, other] = cluster.nodes;
  if (one === undefined || other === undefined) throw new Error('two nodes were started');
  const made = await call(one.url, 'POST', '/api/v1/tasks', {
    name: 'posting',
    code: CODE,
    metadata: { unknown_steps: 'resend' },
  });
  expect(made.status).toBe(201);
  await eventually('both know the task', async () =>
    (await call(other.url, 'GET', '/api/v1/tasks/posting')).status === 200 ? true : undefined,
  );
  return { ...cluster, nodes: [one, other] };
}

/** Asked for at a node with room, it runs there. */
async function begin({ log }: Cluster, { url }: ChaosNode, base: string): Promise<string> {
  const { status, body } = await call(url, 'POST', '/api/v1/executions', { task_id: 'posting', input: { url: base } });
  expect([status, body]).toMatchObject([202, {}]);
  const id = String(body['execution_id']);
  await eventually('it runs', async () => (await log.readStream(streamName('execution', id))).length > 1 || undefined);
  return id;
}

async function takenOver({ log }: Cluster, id: string): Promise<void> {
  await eventually(
    'others have taken over',
    async () => {
      const events = await log.readStream(streamName('execution', id));
      return events.filter(({ type }) => type === 'ExecutionStarted').length === 2 ? true : undefined;
    },
    PATIENCE_MS,
  );
}

async function ended({ url }: ChaosNode, id: string): Promise<void> {
  await eventually(
    'it has ended',
    async () => {
      const { body } = await call(url, 'GET', `/api/v1/executions/${id}`);
      return body['status'] === 'completed' ? true : undefined;
    },
    PATIENCE_MS,
  );
}

/** What is asked for at the node runs to its end again. */
async function worksAgain(cluster: Cluster, node: ChaosNode, api: Api, calls: number): Promise<void> {
  const next = await eventually('the node takes requests', async () =>
    begin(cluster, node, api.url).catch(() => undefined),
  );
  (await api.call(calls)).end('more');
  await ended(node, next);
}

async function expectFirstEnd({ log }: Cluster, id: string): Promise<void> {
  const events = await readEverything(log);
  expect(events.filter(({ payload }) => payload.includes(LATE))).toEqual([]);
  const output = { value: 'the answer' };
  const end = events.find(
    ({ type, stream }) => type === 'ExecutionCompleted' && stream === streamName('execution', id),
  );
  expect(JSON.parse(end?.payload ?? '')).toMatchObject({ attempt: 2, output });
  expect(violationsOf({ events, told: [], arrivals: [] }).filter(({ rule }) => rule !== 'invented outcomes')).toEqual(
    [],
  );
}

interface Api extends AsyncDisposable {
  readonly url: string;
  /** Waits for the call of this number, from 0; its answer is left to the caller. */
  call(number: number): Promise<ServerResponse>;
}

async function openApi(): Promise<Api> {
  const calls: ServerResponse[] = [];
  const http = createServer((_request, response) => void calls.push(response));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    call: (number) => eventually(`call ${number}`, () => calls[number]),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
}

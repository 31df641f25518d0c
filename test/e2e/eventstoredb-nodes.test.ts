/** Two nodes whose log is in EventStoreDB and whose read models are in PostgreSQL: they share these two and nothing else. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  ask,
  type Cluster,
  ECHO,
  ended,
  ONCE_EACH,
  openCluster,
  read,
  typesOf,
  WAITS,
  waitingAt,
} from '../support/cluster.ts';
import { countCalls } from '../support/crash-load.ts';
import { EventStoreDbDouble } from '../support/eventstoredb-double.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import { call, eventually, type ServerProcess } from '../support/server.ts';

/** More than one node with two places claims at once. */
const MANY = 80;

let postgres: PostgresServer;
let double: EventStoreDbDouble;
let database: string;

beforeAll(async () => {
  postgres = await startPostgres({ isOwn: true });
});

afterAll(() => postgres.close());

beforeEach(async () => {
  database = await postgres.newDatabase();
  double = await new EventStoreDbDouble().start();
  return () => double.stop();
});

interface Two extends AsyncDisposable {
  readonly first: ServerProcess;
  readonly second: ServerProcess;
}

async function two(cluster: Cluster): Promise<Two> {
  const more = `event_store:\n  url: "${double.url}"\nworkers:\n  count: 2\n  lease: 2\n`;
  const [first, second] = [await cluster.start({ more }), await cluster.start({ more })];
  for (const task of [ECHO, WAITS]) expect((await call(first.url, 'POST', '/api/v1/tasks', task)).status).toBe(201);
  return { first, second, [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose]() };
}

/** Runs `echo` to its end. */
async function echo(node: ServerProcess, input: unknown): Promise<Record<string, unknown>> {
  const id = await ask(node, 'echo', input);
  return await ended(node, id);
}

describe('two nodes', { timeout: 90_000 }, () => {
  it('both answer, and each shows at once what was made through the other', async () => {
    await using nodes = await two(openCluster(database));
    const { first, second } = nodes;
    await echo(second, { by: 0 });
    for (const [one, other] of [
      [first, second],
      [second, first],
    ] as const) {
      for (let by = 1; by <= 10; by += 1) {
        const { body } = await call(one.url, 'POST', '/api/v1/tasks/execute', { task_id: 'echo', input: { by } });
        expect(body).toMatchObject({ status: 'completed', output: { by } });
        for (const node of [other, one]) {
          const { execution_id: id, position } = body;
          const seen = await call(node.url, 'GET', `/api/v1/executions/${id}?min_position=${position}`);
          expect(seen.body).toMatchObject({ status: 'completed', output: { by } });
        }
      }
    }
    const key = { 'idempotency-key': 'k' };
    const asked = await Promise.all(
      [first, second].map(({ url }) => call(url, 'POST', '/api/v1/executions', { task_id: 'echo', input: 1 }, key)),
    );
    expect(asked[0]?.body['execution_id']).toBe(asked[1]?.body['execution_id']);
    expect(await postgres.run(database, "SELECT to_regclass('events')::text AS log")).toEqual([{ log: null }]);
  });

  it('show a subscriber of the one what runs on the other', async () => {
    await using counter = await countCalls();
    await using nodes = await two(openCluster(database));
    const { first, second } = nodes;
    const leave = new AbortController();
    const events = await fetch(`${first.url}/api/v1/events?category=execution`, {
      headers: { accept: 'text/event-stream' },
      signal: leave.signal,
    });
    const id = await ask(second, 'waits', { base: counter.url, ms: 100 });
    let told = '';
    const decoder = new TextDecoder();
    for await (const chunk of events.body ?? []) {
      told += decoder.decode(chunk, { stream: true });
      if (told.includes('ExecutionCompleted')) break;
    }
    leave.abort();
    expect(told).toContain(id);
    const types = [...told.matchAll(/^event: (.*)$/gm)].map(([, type]) => type);
    const facts = (await typesOf(second, id)).filter((type) => type !== 'SpanRecorded');
    expect(types).toEqual(facts);
  });

  it('take over what a killed one ran, its read models included, and repeat no stored call', async () => {
    await using counter = await countCalls();
    await using nodes = await two(openCluster(database));
    const { first, second } = nodes;
    const id = await waitingAt(first, counter.url, 1_500);
    const before = await read(second, id);
    // The first one has been there longer, so it projects.
    await first.kill();
    expect(await ended(second, id)).toMatchObject({ output: 'done', attempt: 2, mode: 'resume' });
    expect((await read(second, id))['worker']).not.toBe(before['worker']);
    expect([...counter.calls].map(([path, times]) => [path, times.length])).toEqual(ONCE_EACH);
    expect((await call(second.url, 'POST', '/api/v1/projections/rebuild')).status).toBe(200);
    expect(await read(second, id)).toMatchObject({ status: 'completed', output: 'done' });
  });

  it('share what is more than one can run, and run each once', async () => {
    await using counter = await countCalls();
    await using nodes = await two(openCluster(database));
    const { first, second } = nodes;
    const ids = await Promise.all(
      Array.from({ length: MANY }, (_, n) => ask(first, 'waits', { base: `${counter.url}/${n}`, ms: 20 })),
    );
    const rows = await Promise.all(ids.map((id) => ended(second, id)));
    expect(new Set(rows.map((row) => row['worker'])).size).toBe(2);
    expect(rows.map((row) => row['attempt'])).toEqual(ids.map(() => 1));
    expect([...counter.calls.values()].map((times) => times.length)).toEqual(Array(2 * MANY).fill(1));
  });

  it('go on by themselves after either store was away', async ({ skip }) => {
    const { own } = postgres;
    if (own === null) return skip('PostgreSQL is not ours to end');
    await using nodes = await two(openCluster(database));
    const { first, second } = nodes;
    await echo(second, { n: 1 });
    const outages = [
      { end: async () => double.stop(), begin: async () => void (await double.start()) },
      { end: () => own.stop(), begin: () => own.start() },
    ];
    for (const { end, begin } of outages) {
      await end();
      for (const { url } of [first, second]) {
        const refused = await eventually('health tells', async () => {
          const health = await call(url, 'GET', '/health');
          return health.status === 503 ? health : undefined;
        });
        expect(JSON.stringify(refused.body)).toContain('Database connection failed');
      }
      await begin();
      for (const [one, other] of [
        [first, second],
        [second, first],
      ] as const) {
        const after = await eventually('it runs what it is asked', async () => {
          const answer = await call(one.url, 'POST', '/api/v1/tasks/execute', { task_id: 'echo', input: 'after' });
          return answer.status === 200 ? answer.body : undefined;
        });
        expect(after).toMatchObject({ status: 'completed', output: 'after' });
        expect(await ended(other, String(after['execution_id']))).toMatchObject({ output: 'after' });
      }
    }
  });
});

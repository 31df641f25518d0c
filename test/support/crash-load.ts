/** Load from many clients on a server that dies again and again, and what must be true of its read models afterwards. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import { call, eventually, type Home, type ServerOptions, type ServerProcess, startServerProcess } from './server.ts';

export interface CrashLoad {
  readonly clients: number;
  /** Executions of each client. */
  readonly executions: number;
  /** Every so many is a task with three calls; the others return at once. */
  readonly callsEvery: number;
  readonly kills: number;
  readonly options?: ServerOptions;
}

const WORKERS = 4;
const STEPS = 3;
/** Several of these must fit into the time between two kills, and several must be under way at one. */
const ANSWER_MS = 8;

/** Code of a task that makes three calls, one after the other. */
const CALLING = `async function main({ base, key }) {
  const answers = [];
  for (let step = 1; step <= ${STEPS}; step++) answers.push(await (await fetch(base + '/' + key + '/' + step)).json());
  return { key, answers };
}`;

interface CallCounter extends AsyncDisposable {
  readonly url: string;
  /** When each path was called, milliseconds since the epoch. */
  readonly calls: ReadonlyMap<string, readonly number[]>;
}

/** Answers every path after a moment, and remembers when it was called. */
export async function countCalls(): Promise<CallCounter> {
  const calls = new Map<string, number[]>();
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    calls.set(path, [...(calls.get(path) ?? []), Date.now()]);
    setTimeout(() => response.setHeader('content-type', 'application/json').end(JSON.stringify({ path })), ANSWER_MS);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Wanted {
  readonly key: string;
  readonly task: string;
}

/** Runs the load, with its kills, and checks that nothing was lost, doubled or called twice. */
export async function surviveCrashes(home: Home, load: CrashLoad): Promise<void> {
  await using counter = await countCalls();
  const options = { ...load.options, more: `workers:\n  count: ${WORKERS}\n${load.options?.more ?? ''}` };
  let server = await startServerProcess(home, options);
  try {
    await call(server.url, 'POST', '/api/v1/tasks', { name: 'quick', code: 'function main(input) { return input; }' });
    await call(server.url, 'POST', '/api/v1/tasks', { name: 'calling', code: CALLING });

    const total = load.clients * load.executions;
    const acknowledged = new Map<string, string>();
    const current = (): ServerProcess => server;
    const clients = Array.from({ length: load.clients }, (_, client) => runClient(client, load));
    const killer = killRepeatedly();
    await Promise.all([...clients, killer]);
    expect(acknowledged.size).toBe(total);
    await settled(current().url, acknowledged, counter.url);
    await noStoredCallRepeated(current().url, counter, acknowledged, load.kills);

    async function runClient(client: number, { executions, callsEvery }: CrashLoad): Promise<void> {
      for (let index = 0; index < executions; index++) {
        const wanted = { key: `c${client}-${index}`, task: index % callsEvery === 0 ? 'calling' : 'quick' };
        acknowledged.set(wanted.key, await acknowledgedId(current, wanted, counter.url, index % 2 === 0));
      }
    }

    async function killRepeatedly(): Promise<void> {
      for (let kill = 1; kill <= load.kills; kill++) {
        const goal = Math.floor((total * kill) / (load.kills + 1));
        await eventually(`${goal} acknowledged`, () => (acknowledged.size >= goal ? true : undefined), 1_200_000);
        await server.kill();
        server = await startServerProcess(home, options);
      }
    }
  } finally {
    await server.kill();
  }
}

/** Asks until a server says that it has stored the request; always with the same key. */
async function acknowledgedId(
  current: () => ServerProcess,
  { key, task }: Wanted,
  base: string,
  waits: boolean,
): Promise<string> {
  const path = waits ? '/api/v1/tasks/execute' : '/api/v1/executions';
  const body = { task_id: task, input: { key, base } };
  return eventually(
    `${key} acknowledged`,
    async () => {
      const answer = await call(current().url, 'POST', path, body, { 'idempotency-key': key }).catch(() => undefined);
      if (answer === undefined || answer.status === 503 || answer.status === 429) return undefined;
      if (answer.status >= 300) throw new Error(`${answer.status} for ${key}: ${JSON.stringify(answer.body)}`);
      return String(answer.body['execution_id']);
    },
    120_000,
  );
}

interface Row {
  readonly execution_id: string;
  readonly task_name: string;
  readonly status: string;
  readonly steps: number;
  readonly input: { readonly key: string };
}

async function allExecutions(url: string): Promise<readonly Row[]> {
  const rows: Row[] = [];
  let cursor: unknown = null;
  do {
    const query = cursor === null ? '' : `&cursor=${String(cursor)}`;
    const { body } = await call(url, 'GET', `/api/v1/executions?limit=1000&order=oldest${query}`);
    rows.push(...(body['executions'] as readonly Row[]));
    cursor = body['next_cursor'];
  } while (cursor !== null);
  return rows;
}

/** Every key stands in the read models exactly once, under the acknowledged id, completed, with the right output. */
async function settled(url: string, acknowledged: ReadonlyMap<string, string>, base: string): Promise<void> {
  await eventually(
    'all executions have ended',
    async () => {
      const { body } = await call(url, 'GET', '/api/v1/health');
      const { pending, running } = body['executions'] as { pending: number; running: number };
      return pending + running === 0 ? true : undefined;
    },
    300_000,
  );
  const { body: log } = await call(url, 'GET', '/api/v1/health');
  await call(url, 'GET', `/api/v1/executions?limit=1&min_position=${String(log['head'])}`);
  const rows = await allExecutions(url);
  expect(rows.length).toBe(acknowledged.size);
  expect(new Map(rows.map((row) => [row.input.key, row.execution_id]))).toEqual(acknowledged);
  expect(rows.filter((row) => row.status !== 'completed')).toEqual([]);
  for (const row of rows.filter(({ task_name }) => task_name === 'calling').slice(-50)) {
    const { body } = await call(url, 'GET', `/api/v1/executions/${row.execution_id}`);
    const { key } = row.input;
    expect(body['output']).toEqual({ key, answers: [1, 2, 3].map((step) => ({ path: `/${key}/${step}` })) });
    expect((body['input'] as { base: string }).base).toBe(base);
  }
}

/** No call left after its outcome was stored, and at each kill only what was under way was lost. */
async function noStoredCallRepeated(
  url: string,
  counter: CallCounter,
  acknowledged: ReadonlyMap<string, string>,
  kills: number,
): Promise<void> {
  const keys = new Map([...acknowledged].map(([key, id]) => [`execution-${id}`, key]));
  const stored = new Map<string, number>();
  const ends = new Map<string, number>();
  for (let after = '', atHead = false; !atHead; ) {
    const filter = `type=StepCompleted,ExecutionCompleted&limit=1000&after=${after}`;
    const { body } = await call(url, 'GET', `/api/v1/events?${filter}`);
    for (const event of body['events'] as readonly StoredFact[]) {
      const key = keys.get(event.stream) ?? event.stream;
      if (event.type === 'ExecutionCompleted') ends.set(key, (ends.get(key) ?? 0) + 1);
      else {
        const path = `/${key}/${event.data.path}`;
        expect(stored.has(path), `one stored outcome of ${path}`).toBe(false);
        stored.set(path, Date.parse(event.recordedAt));
      }
    }
    after = String(body['position']);
    atHead = body['at_head'] === true;
  }
  expect([...ends.values()].every((count) => count === 1)).toBe(true);
  expect(ends.size).toBe(acknowledged.size);
  expect([...counter.calls.keys()].sort()).toEqual([...stored.keys()].sort());
  const late = [...counter.calls].filter(([path, times]) => Math.max(...times) > (stored.get(path) ?? 0));
  expect(late).toEqual([]);
  const made = [...counter.calls.values()].reduce((sum, times) => sum + times.length, 0);
  expect(made - stored.size).toBeLessThanOrEqual(kills * WORKERS);
}

interface StoredFact {
  readonly type: string;
  readonly stream: string;
  readonly recordedAt: string;
  readonly data: { readonly path: string };
}

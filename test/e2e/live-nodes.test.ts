/** Two nodes on one PostgreSQL, of which one only answers callers: who listens there sees what runs on the other one. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { subscribe } from '../support/graphql-live.ts';
import { listenOn, type Message } from '../support/messages.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import { call, eventually, openHome, type ServerProcess, startServerProcess } from '../support/server.ts';

const LINES = 6;
const CODE = `async function main({ url, lines }) {
  for (let n = 1; n <= lines; n += 1) {
    await fetch(url + '/' + n, { method: 'POST' });
    console.log('line', n);
  }
  return lines;
}`;
const SUBSCRIPTION = `subscription ($id: ID!, $from: String!) {
  executionLogs(executionId: $id, from: $from) { position line { level message } }
}`;

let server: PostgresServer;
let database: string;
beforeAll(async () => {
  server = await startPostgres({ isOwn: true });
});
afterAll(async () => {
  await server.close();
});
beforeEach(async () => {
  database = await server.newDatabase();
});

it('log lines come over REST and GraphQL, each once, though the database is started anew meanwhile', {
  timeout: 60_000,
}, async ({ skip }) => {
  const { own } = server;
  if (own === null) return skip('the server is not ours to end');
  using home = openHome();
  using otherHome = openHome();
  await using gate = await openGate();
  await using working = await startServerProcess(otherHome, { database, more: 'workers:\n  count: 1\n' });
  await using listened = await startServerProcess(home, { database, flags: ['--roles', 'api'] });
  const { id, from } = await begin(working, gate.url);
  const heard: Message[] = [];
  const address = `${listened.url}/api/v1/executions/${id}/logs`;
  const listening = (async () => {
    for await (const message of listenOn(address, ({ event }) => event === 'end')) heard.push(message);
  })();
  const told = subscribe(listened.url, SUBSCRIPTION, { id, from });
  gate.open(2);
  await eventually('two lines', () => (heard.length === 2 && told.results.length === 2 ? true : undefined));

  await own.crash();
  gate.open(4);
  await own.start();
  await eventually('four lines', () => (heard.length === 4 && told.results.length === 4 ? true : undefined));
  gate.open(LINES);
  await listening;
  await told.completed;

  const lines = Array.from({ length: LINES }, (_, index) => `line ${index + 1}`);
  expect(heard.map(({ event, data }) => data['message'] ?? event)).toEqual([...lines, 'end']);
  expect(told.results.map(({ line }) => line.message)).toEqual(lines);
  const end = String(heard.at(-1)?.data['position']);
  const shown = await eventually('the node shows it', async () => {
    const { status, body } = await call(listened.url, 'GET', `/api/v1/executions/${id}?min_position=${end}`);
    return status === 200 ? body : undefined;
  });
  expect(shown).toMatchObject({ status: 'completed', output: LINES });
});

/** @returns the execution, and the position of the log at which nothing of it was there yet. */
async function begin({ url }: ServerProcess, base: string): Promise<{ readonly id: string; readonly from: string }> {
  const made = await call(url, 'POST', '/api/v1/tasks', { name: 'telling', code: CODE });
  expect(made.status).toBe(201);
  const request = { task_id: 'telling', input: { url: base, lines: LINES } };
  const { body } = await call(url, 'POST', '/api/v1/executions', request);
  return { id: String(body['execution_id']), from: String(made.body['position']) };
}

interface Gate extends AsyncDisposable {
  readonly url: string;
  /** Lets calls of `/1` to `/<last>` have their answers. */
  open(last: number): void;
}

/** Answers `/<n>` once it has been opened so far. */
async function openGate(): Promise<Gate> {
  let last = 0;
  const waiting = new Map<number, () => void>();
  const http = createServer((request, response) => {
    const number = Number(request.url?.slice(1));
    const answer = (): void => void response.end('{}');
    if (number <= last) answer();
    else waiting.set(number, answer);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    open: (upTo) => {
      last = upTo;
      for (const [number, answer] of waiting) if (number <= last) answer();
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
}

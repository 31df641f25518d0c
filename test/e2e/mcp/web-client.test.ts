import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Progress, RatchetClientError, RatchetMCPClient } from '../../../src/clients/web/index.ts';
import { authenticateBy } from '../../../src/interfaces/identity.ts';
import { openTestApp, type TestApp } from '../../support/app.ts';
import { type McpServed, serveMcp } from '../../support/mcp.ts';
import { eventually } from '../../support/server.ts';
import { openSteadyFront } from '../../support/steady-front.ts';

const WEATHER = `function main({ location }) { console.info('asked for ' + location); return { city: location, temperature: 14 }; }`;
const TELLS = `export default async function main() {
  for (const part of [0.25, 0.5, 0.75]) { reportProgress({ progress: part, message: 'at ' + part }); await sleep(900); }
  return 'told';
}`;
const SLOW = 'export default async function main({ ms }) { await sleep(ms); return { slept: ms }; }';
const FAILS = `function main() { throw new DataError('no such city'); }`;
const ASKS = `export default async function main() { return await ask('Go on?', { type: 'object', properties: { go: { type: 'boolean' } }, required: ['go'] }); }`;

let app: TestApp;
let served: McpServed;
let apiKey: string;

beforeAll(async () => {
  app = await openTestApp();
  const location = { type: 'object', properties: { location: { type: 'string' } }, required: ['location'] };
  await app.task('weather-api', WEATHER, { input_schema: location });
  await app.task('tells', TELLS);
  for (const name of ['left-http', 'left-sse', 'cut-http', 'cut-sse']) await app.task(name, SLOW);
  await app.task('fails', FAILS);
  await app.task('asks', ASKS);
  apiKey = String((await app.call('create_key', { name: 'page', role: 'operator' }))['key']);
  const { access, rateLimits } = app.app.core;
  served = await serveMcp(app, { authenticate: authenticateBy(access, rateLimits) });
});

afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

/** Executions of a task, whatever came of them. */
async function executionsOf(task_id: string): Promise<readonly { execution_id: string; status: string }[]> {
  const { executions } = await app.call('list_executions', { task_id });
  return executions as { execution_id: string; status: string }[];
}

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'nothing failed',
    (error: unknown) => error,
  );

describe.concurrent.each(['http', 'sse'] as const)('the web client over %s', (transport) => {
  const client = (more: object = {}): RatchetMCPClient =>
    new RatchetMCPClient({ baseUrl: served.url, apiKey, transport, ...more });

  it('runs a task, and finds it, its status and its logs', async () => {
    const ratchet = client();
    const result = await ratchet.executeTask('weather-api', { location: 'San Francisco' });
    expect(result).toMatchObject({ status: 'completed', output: { city: 'San Francisco', temperature: 14 } });
    const { execution_id } = result;
    expect(await ratchet.listTasks({ filter: 'weather' })).toMatchObject([{ name: 'weather-api' }]);
    expect(await ratchet.getStatus(execution_id)).toMatchObject({ status: 'completed', output: result.output });
    expect(await ratchet.getLogs(execution_id, { level: 'info' })).toMatchObject({
      logs: [{ message: 'asked for San Francisco' }],
    });
    ratchet.close();
  });

  it('tells progress that only grows, with the execution once it is known', async () => {
    const told: Progress[] = [];
    const ratchet = client();
    const result = await ratchet.executeTask('tells', {}, { onProgress: (progress) => void told.push(progress) });
    expect(result).toMatchObject({ status: 'completed', output: 'told' });
    const percents = told.map(({ percent }) => percent);
    expect(percents).toContain(75);
    expect(percents).toEqual([...percents].sort((a, b) => a - b));
    expect(told.at(-1)).toMatchObject({ message: 'at 0.75', executionId: result.execution_id });
    ratchet.close();
  });

  it('hands on a failed execution as a result, and what a task asks as a question', async () => {
    const ratchet = client();
    expect(await ratchet.executeTask('fails')).toMatchObject({ status: 'failed', error: { message: 'no such city' } });
    const asked = await ratchet.executeTask('asks');
    expect(asked).toMatchObject({ status: 'waiting', questions: [{ question: 'Go on?' }] });
    expect(await ratchet.cancel(asked.execution_id)).toMatchObject({ execution_id: asked.execution_id });
    ratchet.close();
  });

  it('fails as the server says, where it refuses', async () => {
    const ratchet = client();
    const wrong = await failureOf(ratchet.executeTask('weather-api', { place: 1 }));
    expect(wrong).toBeInstanceOf(RatchetClientError);
    expect(wrong).toMatchObject({ code: 'input_schema_violation', retryable: false });
    expect(await failureOf(ratchet.executeTask('wether-api'))).toMatchObject({
      code: 'task_not_found',
      message: expect.stringContaining('weather-api'),
    });
    ratchet.close();
    const stranger = client({ apiKey: 'wrong' });
    expect(await failureOf(stranger.listTasks())).toMatchObject({ code: 'unauthenticated' });
    stranger.close();
  });

  it('stops waiting by its signal or its time, and the execution goes on until it is cancelled', async () => {
    const task = `left-${transport}`;
    const ratchet = client();
    const stop = new AbortController();
    const reason = new Error('the page was left');
    const waited = failureOf(ratchet.executeTask(task, { ms: 60_000 }, { signal: stop.signal }));
    const [mine] = await eventually('it runs', async () => {
      const all = await executionsOf(task);
      return all.length > 0 ? all : undefined;
    });
    stop.abort(reason);
    expect(await waited).toBe(reason);
    const late = await failureOf(ratchet.executeTask(task, { ms: 60_000 }, { timeoutMs: 1_800 }));
    expect(late).toMatchObject({ code: 'timeout', executionId: expect.any(String) });
    for (const id of [mine?.execution_id, (late as RatchetClientError).executionId]) {
      const { status } = await ratchet.getStatus(String(id));
      expect(['running', 'waiting']).toContain(status);
      await ratchet.cancel(String(id));
      await eventually('it is cancelled', async () =>
        (await ratchet.getStatus(String(id)))['status'] === 'cancelled' ? true : undefined,
      );
    }
    ratchet.close();
  });

  it('runs a task once, however often the connection breaks meanwhile', async () => {
    const task = `cut-${transport}`;
    await using front = await openSteadyFront(served.url);
    const ratchet = client({ baseUrl: front.url });
    const waited = ratchet.executeTask(task, { ms: 2_500 });
    await eventually('it runs', async () => ((await executionsOf(task)).length > 0 ? true : undefined));
    front.cut();
    await eventually('it waits again', async () => {
      const [first] = await executionsOf(task);
      return first?.status === 'waiting' || first?.status === 'running' ? true : undefined;
    });
    front.cut();
    expect(await waited).toMatchObject({ status: 'completed', output: { slept: 2_500 } });
    expect(await executionsOf(task)).toHaveLength(1);
    ratchet.close();
  });

  it('fails clearly when the server is gone for good, was never there, or the client was closed', async () => {
    await using front = await openSteadyFront(served.url);
    const ratchet = client({ baseUrl: front.url, reconnectMs: 300 });
    const told = Promise.withResolvers<void>();
    const onProgress = ({ executionId }: Progress): void => {
      if (executionId !== null) told.resolve();
    };
    const waited = failureOf(ratchet.executeTask('tells', {}, { onProgress }));
    await told.promise;
    front.point(null);
    front.cut();
    expect(await waited).toMatchObject({ code: 'connection_lost', retryable: true, executionId: expect.any(String) });
    ratchet.close();
    const nowhere = client({ baseUrl: front.url });
    expect(await failureOf(nowhere.executeTask('tells'))).toMatchObject({ code: 'unreachable' });
    nowhere.close();
    expect(await failureOf(nowhere.executeTask('tells'))).toMatchObject({ code: 'closed' });
  });
});

it('falls back to HTTP+SSE where the server has no Streamable HTTP', async () => {
  await using old = await serveMcp(app, { routes: { path: '/elsewhere' } });
  const ratchet = new RatchetMCPClient({ baseUrl: `${old.url}/` });
  expect(await ratchet.executeTask('weather-api', { location: 'Rome' })).toMatchObject({ status: 'completed' });
  ratchet.close();
});

it('sends its key to no other server than the one that was named', async () => {
  const asked: (string | undefined)[] = [];
  const listen = async (answer: string) => {
    const server = createServer(({ method }, response) => {
      asked.push(method);
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(answer);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const close = () => server.close().closeAllConnections();
    return { url: `http://127.0.0.1:${port}`, [Symbol.dispose]: close };
  };
  using other = await listen('');
  using named = await listen(`event: endpoint\ndata: ${other.url}/messages?sessionId=1\n\n`);
  const ratchet = new RatchetMCPClient({ baseUrl: named.url, apiKey, transport: 'sse' });
  expect(await failureOf(ratchet.listTasks())).toMatchObject({ code: 'protocol_error' });
  expect(asked).toEqual(['GET']);
  ratchet.close();
});

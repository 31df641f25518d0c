import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestApp, type TestApp } from '../support/app.ts';
import { type HttpApi, startHttpApi } from '../support/http-api.ts';
import { listen as messages, type Message } from '../support/messages.ts';
import { type Served, serveTestApp } from '../support/served.ts';
import { call } from '../support/server.ts';

let test: TestApp;
let served: Served;
let api: HttpApi;

beforeAll(async () => {
  api = await startHttpApi();
  test = await openTestApp();
  served = await serveTestApp(test);
  await test.task('quick', 'function main(n) { console.log("said", n); return n; }');
  await test.task(
    'asking',
    'function main() { console.info("before"); const a = ask("which?"); console.info("after " + a); return a; }',
  );
});
afterAll(async () => {
  await served.close();
  await test[Symbol.asyncDispose]();
  await api.close();
});

const listen = (path: string, lastId: string | null = null) => messages(`${served.url}/api/v1${path}`, lastId);

async function all(path: string, lastId: string | null = null): Promise<Message[]> {
  const told: Message[] = [];
  for await (const message of listen(path, lastId)) told.push(message);
  return told;
}

const answer = (execution_id: unknown, text: string) => test.call('answer_question', { execution_id, answer: text });

it('an execution tells its status from the first to the last, and ends', async () => {
  const { execution_id } = await test.call('create_execution', { task_id: 'asking', input: 1 });
  const statuses: unknown[] = [];
  let last: Message | null = null;
  for await (const message of listen(`/executions/${String(execution_id)}`)) {
    last = message;
    if (message.event !== 'status') continue;
    statuses.push(message.data['status']);
    if (message.data['status'] === 'waiting' && statuses.filter((one) => one === 'waiting').length === 1) {
      await answer(execution_id, 'that');
    }
  }
  expect(statuses).toContain('waiting');
  expect(statuses.at(-1)).toBe('completed');
  expect(last).toMatchObject({ event: 'end', data: { execution_id, status: 'completed' } });
  const shown = await call(served.url, 'GET', `/api/v1/executions/${String(execution_id)}`);
  expect((await all(`/executions/${String(execution_id)}`))[0]?.data).toEqual(shown.body);
});

it('log lines come as they are written, and a client that was away misses none and sees none twice', async () => {
  const { execution_id } = await test.call('create_execution', { task_id: 'asking', input: 1 });
  const path = `/executions/${String(execution_id)}/logs`;
  const first: Message[] = [];
  for await (const message of listen(path)) {
    first.push(message);
    break;
  }
  expect(first[0]).toMatchObject({ event: 'log', data: { message: 'before', level: 'info' } });
  await answer(execution_id, 'that');
  const rest = await all(path, first[0]?.id ?? '');
  expect(rest.map(({ event, data }) => data['message'] ?? event)).toEqual(['after that', 'end']);
  const { logs } = await test.call('get_execution_logs', { execution_id });
  expect([...first, ...rest].filter(({ event }) => event === 'log').map(({ data }) => data)).toEqual(logs);
  const told = await fetch(`${served.url}/api/v1${path}`, {
    headers: { accept: 'text/event-stream', 'last-event-id': rest.at(-1)?.id ?? '' },
  });
  expect(told.status).toBe(204);
});

it('log lines are told from the level that was asked for', async () => {
  const { execution_id } = await test.run('quick', 7);
  expect((await all(`/executions/${String(execution_id)}/logs?level=error`)).map(({ event }) => event)).toEqual([
    'end',
  ]);
  expect((await all(`/executions/${String(execution_id)}/logs?search=SAID`)).length).toBe(2);
});

it('spans come as they end, and are those of the trace', async () => {
  const { execution_id } = await test.run('quick', 7);
  const spans = (await all(`/executions/${String(execution_id)}/trace`)).filter(({ event }) => event === 'span');
  const { trace } = await test.call('get_execution_trace', { execution_id });
  const [root] = (trace as { spans: readonly { span_id: string }[] }).spans;
  expect(spans.map(({ data }) => data['span_id'])).toContain(root?.span_id);
});

it('tasks and schedules are told once as they are, then whenever one changes', async () => {
  const seen: unknown[] = [];
  for await (const { event, data } of listen('/tasks')) {
    if (event === 'snapshot') {
      expect((data['tasks'] as readonly { name: string }[]).map(({ name }) => name)).toEqual(['asking', 'quick']);
      await test.task('fresh', 'function main() {}');
      await test.call('disable_task', { task_id: 'fresh' });
      continue;
    }
    seen.push([data['change'], (data['task'] as { name: string }).name]);
    if (seen.length === 3) break;
  }
  expect(seen).toEqual([
    ['TaskCreated', 'fresh'],
    ['TaskVersionPublished', 'fresh'],
    ['TaskDisabled', 'fresh'],
  ]);
  let created: Message | null = null;
  for await (const message of listen('/schedules')) {
    created = message;
    if (message.event === 'schedule') break;
    await test.call('create_schedule', { name: 'daily', task_id: 'quick', cron: '@daily', input: 1 });
  }
  expect(created).toMatchObject({
    data: { change: 'ScheduleCreated', schedule: { name: 'daily', status: 'enabled' } },
  });
  // Whoever comes back gets what was missed, and no snapshot.
  const { id } = (created?.data['schedule'] ?? {}) as { id?: string };
  await test.call('trigger_schedule', { schedule_id: id });
  for await (const message of listen('/schedules', created?.id ?? '')) {
    expect(message).toMatchObject({ event: 'schedule', data: { change: 'ScheduleFired', schedule: { fired: 1 } } });
    break;
  }
});

it.each([
  ['/executions/missing', 404],
  ['/executions/missing/logs', 404],
  ['/executions/missing/trace', 404],
  ['/tasks?nonsense=1', 400],
  ['/schedules?nonsense=1', 400],
  ['/executions/missing?nonsense=1', 400],
])('%s is refused with %i before anything is streamed', async (path, status) => {
  const response = await fetch(`${served.url}/api/v1${path}`, { headers: { accept: 'text/event-stream' } });
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
});

it.each(['/tasks', '/schedules', '/events'])('%s refuses a last id that is no position', async (path) => {
  const headers = { accept: 'text/event-stream', 'last-event-id': 'zzz' };
  expect((await fetch(`${served.url}/api/v1${path}`, { headers })).status).toBe(400);
});

it('streams of one who may not read are refused', async () => {
  const { app } = test;
  const { OPERATIONS } = await import('../../src/interfaces/operations.ts');
  const { LIVE } = await import('../../src/interfaces/live.ts');
  const { CALLER } = await import('../support/app.ts');
  const { execution_id } = await test.run('quick', 1);
  const principal = { ...CALLER.principal, permissions: new Set<never>() };
  for (const [name, open] of LIVE) {
    const operation = OPERATIONS.find((one) => one.name === name);
    if (operation === undefined) throw new Error(name);
    const input = name === 'get_batch' ? { batch_id: 'any' } : name.startsWith('get_execution') ? { execution_id } : {};
    const watch = {
      core: app.core,
      operation,
      caller: { ...CALLER, principal, lastId: null },
      signal: new AbortController().signal,
    };
    await expect(open(watch, input), name).rejects.toMatchObject({ code: 'permission_denied' });
  }
});

import { randomUUID } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { LOCAL_ADMIN, type Principal, ROLE_PERMISSIONS } from '../../../src/domain/access.ts';
import { openTestApp, type TestApp } from '../../support/app.ts';
import { type Era, type McpServed, serveMcp } from '../../support/mcp.ts';

let app: TestApp;
let served: McpServed;

beforeAll(async () => {
  app = await openTestApp({ wait: { defaultSeconds: 1, maxSeconds: 50 } });
  await app.task('patient', 'export default async function main({ ms }) { await sleep(ms); return { slept: ms }; }');
  await app.task(
    'teller',
    'export default async function main() { for (const part of [0.25, 0.5, 0.75]) { reportProgress({ progress: part, message: `at ${part}` }); await sleep(400); } return "told"; }',
  );
  await app.task(
    'asker',
    'export default async function main() { const { go, why } = await ask("Go on?", { type: "object", properties: { go: { type: "boolean" }, why: { type: "string" } }, required: ["go"] }); return { go, why: why ?? null }; }',
  );
  await app.task(
    'deep-asker',
    'export default async function main() { return await ask("Which?", { type: "object", properties: { list: { type: "array", items: { type: "number" } } }, required: ["list"] }); }',
  );
  const authenticate = async ({ headers }: FastifyRequest) => (headers['x-as'] === 'operator' ? OPERATOR : LOCAL_ADMIN);
  served = await serveMcp(app, { authenticate });
});

afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

const OPERATOR: Principal = {
  ...LOCAL_ADMIN,
  id: 'key:operator',
  kind: 'key',
  name: 'operator',
  permissions: ROLE_PERMISSIONS.operator,
};
const OTHER: Principal = { ...OPERATOR, id: 'key:other', name: 'other' };

const TASKS = { 'io.modelcontextprotocol/tasks': {} };

/** As much of the answers as these tests look at. */
interface Answer {
  readonly result: {
    readonly taskId: string;
    readonly status: string;
    readonly inputRequests: Record<string, unknown>;
    readonly structuredContent: { readonly execution_id: string };
    readonly result: { readonly structuredContent: { readonly output: unknown } };
  };
}

/** A request of the newer era, as its clients send it. */
async function modern(
  method: string,
  params: object,
  capabilities: object = { extensions: TASKS },
  name?: string,
  as = 'admin',
) {
  const headers = {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': method,
    accept: 'application/json, text/event-stream',
  };
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': capabilities,
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id: randomUUID(), method, params: { ...params, _meta } });
  const answer = await fetch(`${served.url}/mcp`, {
    method: 'POST',
    headers: {
      ...headers,
      'x-as': as,
      'content-type': 'application/json',
      ...(name === undefined ? {} : { 'mcp-name': name }),
    },
    body,
  });
  return (await answer.json()) as Answer;
}

const callTool = (name: string, args: object, capabilities?: object) =>
  modern('tools/call', { name, arguments: args }, capabilities, name);
const task = (method: string, taskId: string, more: object = {}) =>
  modern(`tasks/${method}`, { taskId, ...more }, undefined, taskId);

describe('a client that takes handles', () => {
  it('gets the result of quick work at once', async () => {
    const { result } = await callTool('execute_task', { task_id: 'patient', input: { ms: 1 } });
    expect(result).toMatchObject({ resultType: 'complete', structuredContent: { status: 'completed' } });
  });

  it('gets a task for long work, whose id is the execution, and the same result in the end as without it', async () => {
    const { result } = await callTool('execute_task', { task_id: 'patient', input: { ms: 1_500 } });
    expect(result).toMatchObject({ resultType: 'task', status: 'working', ttlMs: null, taskId: expect.any(String) });
    await vi.waitUntil(async () => (await task('get', result.taskId)).result.status === 'completed', 20_000);
    const done = await task('get', result.taskId);
    expect(done.result).toMatchObject({
      resultType: 'complete',
      result: { structuredContent: { execution_id: result.taskId, status: 'completed', output: { slept: 1_500 } } },
    });
    const status = await app.call('get_execution_status', { execution_id: result.taskId });
    expect(status['output']).toEqual({ slept: 1_500 });
  });

  it('cancels it, and cancelling what has ended changes nothing', async () => {
    const { result } = await callTool('execute_task', { task_id: 'patient', input: { ms: 60_000 } });
    expect(await task('cancel', result.taskId)).toMatchObject({ result: { resultType: 'complete' } });
    await vi.waitUntil(async () => (await task('get', result.taskId)).result.status === 'cancelled', 20_000);
    expect(await task('cancel', result.taskId)).toMatchObject({ result: { resultType: 'complete' } });
  });

  it('is asked what the task asks, and its answer goes on with it', async () => {
    const { result } = await callTool('execute_task', { task_id: 'asker', input: {} });
    expect(result).toMatchObject({ resultType: 'task', status: 'input_required' });
    const asked = await task('get', result.taskId);
    const [[key, request] = []] = Object.entries(asked.result.inputRequests);
    expect(request).toMatchObject({
      method: 'elicitation/create',
      params: {
        message: 'Go on?',
        requestedSchema: { properties: { go: { type: 'boolean' }, why: { type: 'string' } } },
      },
    });
    const inputResponses = {
      [String(key)]: { action: 'accept', content: { go: true, why: 'sure' } },
      unknown: { action: 'accept' },
    };
    expect(await task('update', result.taskId, { inputResponses })).toMatchObject({
      result: { resultType: 'complete' },
    });
    await vi.waitUntil(async () => (await task('get', result.taskId)).result.status === 'completed', 20_000);
    const done = await task('get', result.taskId);
    expect(done.result.result.structuredContent.output).toEqual({ go: true, why: 'sure' });
  });

  it('fills in JSON where the question is no flat form', async () => {
    const { result } = await callTool('execute_task', { task_id: 'deep-asker', input: {} });
    const asked = await task('get', result.taskId);
    const [key] = Object.keys(asked.result.inputRequests);
    const wrong = { [String(key)]: { action: 'accept', content: { answer: '{"list":' } } };
    expect(await task('update', result.taskId, { inputResponses: wrong })).toMatchObject({ error: { code: -32_602 } });
    const right = { [String(key)]: { action: 'accept', content: { answer: '{"list":[1,2]}' } } };
    await task('update', result.taskId, { inputResponses: right });
    await vi.waitUntil(async () => (await task('get', result.taskId)).result.status === 'completed', 20_000);
  });

  it('is told nothing of a task that is none, or not its own', async () => {
    expect(await task('get', randomUUID())).toMatchObject({ error: { code: -32_602 } });
    const others = await app.call('create_execution', { task_id: 'patient', input: { ms: 1 } }, { principal: OTHER });
    const id = String(others['execution_id']);
    const asked = await modern('tasks/get', { taskId: id }, undefined, id, 'operator');
    expect(asked).toMatchObject({ error: { code: -32_602, message: expect.stringContaining('Unknown task') } });
    // An administrator may look after everybody's.
    expect((await task('get', id)).result).toMatchObject({ taskId: id });
  });

  it('that does not say so in the request gets no task, and no answer about one', async () => {
    const { result } = await callTool('execute_task', { task_id: 'patient', input: { ms: 3_000 } }, {});
    expect(result).toMatchObject({ resultType: 'complete', structuredContent: { status: 'running' } });
    const id = result.structuredContent.execution_id;
    const asked = await modern('tasks/get', { taskId: id }, {}, id);
    expect(asked).toMatchObject({ error: { code: -32_021 } });
  });
});

describe('a client that asks its user', () => {
  it('is handed the question while it waits, and comes back with the answer', async () => {
    const client = await served.client('modern', {}, { elicitation: { form: {} } });
    const asked: string[] = [];
    client.setRequestHandler('elicitation/create', ({ params }) => {
      asked.push(params.message);
      return { action: 'accept', content: { go: false } };
    });
    const result = await client.callTool({
      name: 'execute_task',
      arguments: { task_id: 'asker', input: {}, wait_seconds: 20 },
    });
    expect(asked).toEqual(['Go on?']);
    expect(result.structuredContent).toMatchObject({ status: 'completed', output: { go: false, why: null } });
    const { executions } = await app.call('list_executions', { task_id: 'asker', status: 'completed' });
    expect(executions).toHaveLength(2);
  });

  it('whose user declines is told that the task still asks', async () => {
    const client = await served.client('modern', {}, { elicitation: {} });
    client.setRequestHandler('elicitation/create', () => ({ action: 'decline' }));
    const result = await client.callTool({ name: 'execute_task', arguments: { task_id: 'asker', input: {} } });
    expect(result.structuredContent).toMatchObject({ status: 'waiting', questions: [{ question: 'Go on?' }] });
  });
});

describe.each<Era>(['legacy', 'modern'])('a client of the %s era', (era) => {
  it('is told how far the work is, by numbers that only grow', async () => {
    const client = await served.client(era);
    const told: number[] = [];
    const result = await client.callTool(
      { name: 'execute_task', arguments: { task_id: 'teller', input: {}, wait_seconds: 20 } },
      { onprogress: ({ progress }) => void told.push(progress) },
    );
    expect(result.structuredContent).toMatchObject({ status: 'completed', output: 'told' });
    expect(told.length).toBeGreaterThan(0);
    expect(told).toEqual([...told].sort((a, b) => a - b));
  });

  it('stops waiting, and the execution goes on', async () => {
    const client = await served.client(era);
    const stop = new AbortController();
    const call = client.callTool(
      {
        name: 'execute_task',
        arguments: { task_id: 'patient', input: { ms: 2_500 }, wait_seconds: 30, metadata: { era } },
      },
      { signal: stop.signal },
    );
    const mine = async () => {
      const { executions } = await app.call('list_executions', { status: 'running' });
      return (executions as { execution_id: string; task_name: string }[]).find((one) => one.task_name === 'patient');
    };
    await vi.waitUntil(async () => (await mine()) !== undefined || (await waiting()) !== undefined, 10_000);
    const id = ((await mine()) ?? (await waiting()))?.execution_id;
    stop.abort(new Error('enough'));
    await expect(call).rejects.toThrow();
    await vi.waitUntil(
      async () => (await app.call('get_execution_status', { execution_id: id }))['status'] === 'completed',
      20_000,
    );
  });
});

async function waiting() {
  const { executions } = await app.call('list_executions', { status: 'waiting' });
  return (executions as { execution_id: string; task_name: string }[]).find((one) => one.task_name === 'patient');
}

import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApp, type TestApp } from '../../support/app.ts';
import { type Era, type McpServed, serveMcp } from '../../support/mcp.ts';

let app: TestApp;
let served: McpServed;

beforeAll(async () => {
  app = await openTestApp();
  await app.task('double', 'export default function main({ n }) { return { n: n * 2 }; }');
  await app.task('thrower', 'export default function main() { throw new Error("no luck"); }');
  served = await serveMcp(app);
});

afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

describe.each<Era>(['legacy', 'modern'])('a client of the %s era', (era) => {
  it('lists tools with all four annotations and forms of input and output', async () => {
    const client = await served.client(era);
    const { tools } = await client.listTools();
    expect(tools.length).toBeGreaterThan(2);
    for (const tool of tools) {
      expect(tool.name).toMatch(/^[a-z][a-z0-9_]{0,39}$/);
      expect(Object.keys(tool.annotations ?? {}).sort()).toEqual(
        ['destructiveHint', 'idempotentHint', 'openWorldHint', 'readOnlyHint', 'title'].sort(),
      );
      expect(tool.outputSchema?.type).toBe('object');
    }
  });

  it('runs a task and gets the same facts as data and as text', async () => {
    const client = await served.client(era);
    const result = await client.callTool({ name: 'execute_task', arguments: { task_id: 'double', input: { n: 21 } } });
    expect(result.structuredContent).toMatchObject({ status: 'completed', output: { n: 42 } });
    const [text] = result.content;
    expect(JSON.parse(text?.type === 'text' ? text.text : '')).toEqual(result.structuredContent);
  });

  it('calls a tool by the names of the documents', async () => {
    const client = await served.client(era);
    for (const name of ['ratchet.list_available_tasks', 'ratchet_list_available_tasks']) {
      const result = await client.callTool({ name, arguments: { filter: 'doub' } });
      expect(result.structuredContent).toMatchObject({ tasks: [{ name: 'double' }] });
    }
  });

  it('gets a failed execution as a result, and a wrong argument as an error that names it', async () => {
    const client = await served.client(era);
    const failed = await client.callTool({ name: 'execute_task', arguments: { task_id: 'thrower', input: {} } });
    expect(failed.isError).not.toBe(true);
    expect(failed.structuredContent).toMatchObject({ status: 'failed', error: { message: 'no luck' } });
    const wrong = await client.callTool({ name: 'execute_task', arguments: { task: 'thrower', input: {} } });
    expect(wrong.isError).toBe(true);
    expect(wrong.structuredContent).toMatchObject({ error: { code: 'invalid_request' } });
  });

  it('is told the nearest name of a task once, with the call to make instead', async () => {
    const client = await served.client(era);
    const wrong = await client.callTool({ name: 'execute_task', arguments: { task_id: 'doubel', input: { n: 1 } } });
    expect(wrong.structuredContent).toMatchObject({
      error: { details: { did_you_mean: ['double'] }, fix_call: { arguments: { task_id: 'double', input: { n: 1 } } } },
    });
  });

  it('is told the nearest name of a tool that does not exist, as an error of the protocol', async () => {
    const client = await served.client(era);
    await expect(client.callTool({ name: 'ratchet.execute_tas', arguments: {} })).rejects.toMatchObject({
      code: -32_602,
      message: expect.stringContaining('Did you mean execute_task?'),
    });
  });
});

it('tells a call to make instead whole or not at all', async () => {
  const client = await served.client('modern');
  const call = async (name: string, args: Record<string, unknown>) =>
    (await client.callTool({ name, arguments: args })).structuredContent;
  const long = await call('execute_task', { task_id: 'doubel', input: { n: 1, text: 'x'.repeat(30_000) } });
  expect(long).toMatchObject({ error: { details: { did_you_mean: ['double'] } } });
  expect(long).not.toHaveProperty('error.fix_call');
  const batch = await call('batch_execute', { tasks: [{ task_id: 'doubel', input: { n: 1 } }] });
  expect(batch).not.toHaveProperty('error.fix_call');
  const odd = await call('get_execution_status', { execution_id: 'constructor' });
  expect(odd).toMatchObject({ error: { code: 'execution_not_found' } });
});

it('tells its errors to clients that hold them against the form of the answer', async () => {
  const client = new OldClient({ name: 'old', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${served.url}/mcp`)));
  // It checks answers of tools whose forms it has seen.
  const { tools } = await client.listTools();
  for (const { name } of tools) {
    const answer = await client.callTool({ name, arguments: { no_such_argument: 1 } });
    expect(answer['isError'], name).toBe(true);
  }
  await client.close();
});

it("answers the documents' own curl, which names no content type and takes anything", async () => {
  const answer = await fetch(`${served.url}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-forwarded': 'no' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
  });
  expect(answer.headers.get('content-type')).toContain('application/json');
  const body = await answer.json();
  expect(body).toMatchObject({ id: 1, result: { tools: expect.any(Array) } });
});

it('refuses a body that is no JSON in the words of JSON-RPC', async () => {
  const answer = await fetch(`${served.url}/mcp`, { method: 'POST', body: '{"jsonrpc":' });
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32_700 } });
});

it('refuses pages of other origins, and names that are not of this machine', async () => {
  const page = await fetch(`${served.url}/mcp`, {
    method: 'POST',
    headers: { origin: 'https://evil.example' },
    body: '{}',
  });
  expect(page.status).toBe(403);
});

/** What an operator finds in the server's log, with the words that the documents search for. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { expect, it } from 'vitest';
import { startConfigured } from '../support/configured.ts';
import { call, eventually, openHome, startServerProcess } from '../support/server.ts';

const CANARY = 'canary-7f3a9d';

it('each request is one JSON line with its operation, principal, duration and correlation id, and no payload', async () => {
  using home = openHome();
  await using server = await startServerProcess(home, {
    more: 'logging:\n  level: info\n  sinks:\n    - type: file\n      path: server.log\n',
  });
  await call(server.url, 'POST', '/api/v1/tasks', { name: 'echo', code: 'function main(input) { return input; }' });
  await call(server.url, 'POST', '/api/v1/tasks/execute', { task_id: 'echo', input: { said: CANARY } });
  await call(server.url, 'POST', '/api/v1/tasks/execute', { task_id: 'nothing', input: {} });
  await call(server.url, 'GET', '/api/v1/tasks/echo');
  const lines = await eventually('three lines', () => {
    const text = readFileSync(join(home.folder, 'server.log'), 'utf8').trimEnd();
    const found = text.split('\n').map((line): Record<string, unknown> => JSON.parse(line));
    return found.filter(({ operation }) => operation !== undefined).length >= 3 ? found : undefined;
  });
  const told = lines.filter(({ operation }) => operation === 'execute_task');
  expect(told).toMatchObject([
    { level: 'INFO', message: 'execute_task completed', method: 'POST', status: 200, principal: 'local:admin' },
    { level: 'WARN', message: 'execute_task failed: task_not_found', status: 404, code: 'task_not_found' },
  ]);
  for (const line of told) {
    expect(line['duration']).toMatch(/^\d+ms$/);
    expect(line['timestamp']).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(line['correlationId']).toMatch(/^[\w-]{36}$/);
  }
  expect(lines.some(({ message }) => String(message).startsWith('GET '))).toBe(false);
  expect(JSON.stringify(lines)).not.toContain(CANARY);
});

it('a request over its limit is told with the word that the documents search for', async () => {
  await using server = await startConfigured(
    'logging: { sinks: [{ type: file, path: server.log }] }\nrest: { rate_limit: { requests_per_minute: 1 } }',
    { logs: true },
  );
  for (const _ of [1, 2]) await server.call('GET', '/api/v1/tasks');
  await expect
    .poll(() => readFileSync(server.path('server.log'), 'utf8'))
    .toMatch(/"level":"WARN".*"message":"list_available_tasks failed: rate_limited"/);
});

it('the trace of each execution is told where that is wanted', async () => {
  await using server = await startConfigured(
    'logging: { sinks: [{ type: file, path: server.log }] }\nmcp: { log_execution_traces: true }',
    { logs: true },
  );
  await server.task('spanning', 'async function main() { await span("reading", () => sleep(5)); return 1; }');
  const { execution_id } = await server.run('spanning');
  const traced = await eventually('its trace is told', () => {
    const lines = readFileSync(server.path('server.log'), 'utf8').trimEnd().split('\n');
    return lines
      .map((line): Record<string, unknown> => JSON.parse(line))
      .find((line) => line['executionId'] === execution_id && 'spans' in line);
  });
  expect(traced).toMatchObject({
    message: 'execute_task: trace of an execution',
    outcome: 'ExecutionCompleted',
    spans: expect.arrayContaining([expect.objectContaining({ name: 'reading', ok: true })]),
    trace_url: `/traces/${String(execution_id)}`,
  });
});

it('a client over MCP is told when it connects and when it leaves, with the words that the documents search for', async () => {
  await using server = await startConfigured('logging: { sinks: [{ type: file, path: server.log }] }', { logs: true });
  const client = new Client({ name: 'searched-for', version: '9' });
  const transport = new StreamableHTTPClientTransport(new URL(`${server.url}/mcp`));
  await client.connect(transport);
  await transport.terminateSession();
  await client.close();
  const log = () => readFileSync(server.path('server.log'), 'utf8');
  await expect.poll(log).toMatch(/"client":"searched-for 9".*"message":"initialize: a client has connected"/);
  await expect.poll(log).toMatch(/"reason":"client".*"message":"a client has disconnected"/);
});

/** What clients get for requests that are wrong: the right error of the protocol or of the tool, and never a trace of our code. */
import { once } from 'node:events';
import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { authenticateBy } from '../../../src/interfaces/identity.ts';
import { openTestApp, type TestApp } from '../../support/app.ts';
import { startConfiguredMcp } from '../../support/configured-mcp.ts';
import { type McpServed, serveMcp } from '../../support/mcp.ts';
import { eventually } from '../../support/server.ts';

let app: TestApp;
let served: McpServed;
let keys: Record<'ada' | 'bob', { readonly key: string; readonly id: string }>;
const seen: string[] = [];

beforeAll(async () => {
  app = await openTestApp();
  await app.task('ada-task', 'export default function main() { return 1; }');
  await app.task('bob-task', 'export default function main() { return 1; }');
  const made = async (name: string) => {
    const { key, key_id } = await app.call('create_key', {
      name,
      role: 'operator',
      allowed_task_patterns: [`${name}-*`],
    });
    return { key: String(key), id: String(key_id) };
  };
  keys = { ada: await made('ada'), bob: await made('bob') };
  const { core } = app.app;
  served = await serveMcp(app, { authenticate: authenticateBy(core.access, core.rateLimits) });
});

afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

afterEach(async () => {
  expect(seen.join('\n')).not.toMatch(/\n?\s+at .*\.(ts|js|mjs)[:)]/);
  expect((await send({ id: 1, method: 'ping' })).status).toBe(200);
});

interface Told {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function raw(text: string, headers: Record<string, string> = {}): Promise<Told> {
  const answer = await fetch(`${served.url}/mcp`, {
    method: 'POST',
    headers: { 'x-api-key': keys.ada.key, 'content-type': 'application/json', ...headers },
    body: text,
  });
  const said = await answer.text();
  seen.push(said);
  return { status: answer.status, body: said === '' ? {} : JSON.parse(said) };
}

const send = (message: object, headers?: Record<string, string>) =>
  raw(JSON.stringify({ jsonrpc: '2.0', ...message }), headers);
const call = (name: string, args: unknown, headers?: Record<string, string>) =>
  send({ id: 1, method: 'tools/call', params: { name, arguments: args } }, headers);
const modern = (version: unknown, headers: Record<string, string>) => {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': version,
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  return send({ id: 1, method: 'tools/list', params: { _meta } }, headers);
};

describe('a request that is wrong', () => {
  it.each([
    '{"jsonrpc":',
    '',
    'null',
    '42',
    '[]',
    '{"jsonrpc":"1.0","id":1,"method":"ping"}',
    '{"jsonrpc":"2.0","id":{},"method":7}',
  ])('is no JSON-RPC: %s', async (text) => {
    const { status, body } = await raw(text);
    expect(status).toBe(400);
    expect(body).toMatchObject({ jsonrpc: '2.0', error: { code: expect.any(Number) } });
    expect(body).not.toHaveProperty('result');
  });

  it('asks for a revision that is none', async () => {
    const headers = { accept: 'application/json, text/event-stream', 'mcp-protocol-version': '1.0.0' };
    expect(await modern('1.0.0', headers)).toMatchObject({ status: 400, body: { error: { code: -32_022 } } });
    const mismatch = { ...headers, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call' };
    expect(await modern('2026-07-28', mismatch)).toMatchObject({ status: 400, body: { error: { code: -32_020 } } });
    const old = await send({ id: 1, method: 'tools/list' }, { 'mcp-protocol-version': '1.0.0' });
    expect(old.status).toBe(400);
  });

  it('is larger than is taken', async () => {
    expect((await send({ id: 1, method: 'ping', params: { x: 'x'.repeat(1_100_000) } })).status).toBe(413);
  });

  it('is nested deeper than anything, or full of keys that are none', async () => {
    const deep = '['.repeat(20_000) + ']'.repeat(20_000);
    const nested = await raw(
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"execute_task","arguments":{"input":${deep}}}}`,
    );
    expect(nested.status).toBeLessThan(500);
    const polluted = await raw(
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"execute_task","arguments":{"__proto__":{"task_id":"x"}}}}',
    );
    expect(polluted.status).toBeLessThan(500);
    expect({}).not.toHaveProperty('task_id');
  });

  it('names a method or a tool that there is not', async () => {
    expect((await send({ id: 1, method: 'no/such' })).body).toMatchObject({ error: { code: -32_601 } });
    expect((await call('no_such', {})).body).toMatchObject({ error: { code: -32_602 } });
  });

  it.each([
    ['arguments of wrong types', { task_id: 7, input: {} }],
    ['arguments that are missing', {}],
    ['arguments that are unknown', { task_id: 'ada-task', input: {}, no_such: 1 }],
    ['a name with control characters', { task_id: 'a\u0000b', input: {} }],
  ])('has %s, which the tool tells', async (_what, args) => {
    const { status, body } = await call('execute_task', args);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      result: { isError: true, structuredContent: { error: { code: 'invalid_request' } } },
    });
  });

  it.each([['a text'], [[1, 2]], [7]])('has arguments that are no object: %s', async (args) => {
    const { body } = await call('execute_task', args);
    expect(body).toMatchObject({ error: { code: expect.any(Number) } });
  });

  it('is about what belongs to somebody else', async () => {
    const { execution_id } = await app.run('bob-task');
    const answer = await call('get_execution_status', { execution_id });
    expect(answer.body).toMatchObject({ result: { isError: true } });
    const unknown = await call('get_execution_status', { execution_id: '01a00000-0000-7000-8000-000000000000' });
    expect(JSON.stringify(answer.body)).not.toContain('bob-task');
    expect(unknown.body).toMatchObject({ result: { isError: true } });
  });

  it('comes with a key that has ended', async () => {
    const headers = { 'x-api-key': keys.bob.key };
    expect((await send({ id: 1, method: 'ping' }, headers)).status).toBe(200);
    await app.call('revoke_key', { key_id: keys.bob.id });
    await eventually('it is refused', async () =>
      (await send({ id: 1, method: 'ping' }, headers)).status === 401 ? true : undefined,
    );
  });

  it('names a session, an event or a method that there is not', async () => {
    const list = { id: 1, method: 'tools/list' };
    for (const id of ['none', '01a00000-0000-7000-8000-000000000000', '../../etc', 'x'.repeat(5_000)]) {
      expect((await send(list, { 'mcp-session-id': id })).status).toBe(404);
    }
    const headers = { 'x-api-key': keys.ada.key, accept: 'text/event-stream' };
    expect((await fetch(`${served.url}/mcp`, { headers })).status).toBe(405);
    expect((await fetch(`${served.url}/mcp`, { method: 'DELETE', headers })).status).toBe(405);
    expect((await fetch(`${served.url}/mcp`, { method: 'PUT', headers, body: '{}' })).status).toBe(405);
    const message = await fetch(`${served.url}/messages?sessionId=none`, {
      method: 'POST',
      headers,
      body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    });
    expect(message.status).toBe(404);
  });
});

it('every route of the listener refuses names that are not of this machine', async () => {
  await using mcp = await startConfiguredMcp('mcp: { auth_type: none }');
  for (const path of [
    '/mcp',
    '/sse',
    '/messages',
    '/health',
    '/status',
    '/.well-known/oauth-protected-resource',
    '/none',
  ]) {
    const asked = request(`${mcp.url}${path}`, { headers: { host: 'evil.example' } }).end();
    const [answer] = await once(asked, 'response');
    expect([path, answer.statusCode]).toEqual([path, 403]);
    answer.resume();
  }
});

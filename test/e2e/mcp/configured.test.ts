/** What each key about the MCP listener does, seen from outside a listener that was started with it. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { mcpSettings } from '../../../src/cli/mcp-settings.ts';
import { Toolbox } from '../../../src/interfaces/mcp/toolbox.ts';
import { load } from '../../config/support.ts';
import { openTestApp } from '../../support/app.ts';
import { startConfiguredMcp } from '../../support/configured-mcp.ts';
import { serveMcp, TOOL_SETTINGS } from '../../support/mcp.ts';
import { said } from '../../support/mcp-fixtures/contents.ts';
import { fixture } from '../../support/mcp-fixtures/fixture-tool.ts';

const SECRET = 'a secret of more than thirty-two characters';
const CODE = 'export default function main({ n = 1 }) { return "x".repeat(n); }';
const list = { name: 'list_available_tasks', arguments: {} };
const execute = (n = 1) => ({ name: 'execute_task', arguments: { task_id: 'echo', input: { n } } });

/** The code of the error that a tool has answered with. */
function errorOf({ body }: { readonly body: Record<string, unknown> }): unknown {
  const { result } = body as { result?: { structuredContent?: { error?: { code?: string } } } };
  return result?.structuredContent?.error?.code;
}

describe('who may call', () => {
  it('is anybody with auth type none', async () => {
    await using mcp = await startConfiguredMcp('mcp: { auth_type: none }');
    expect((await mcp.send('tools/list', {}, { 'x-forwarded-for': '203.0.113.1' })).status).toBe(200);
  });

  it('is who holds a key, with its permissions, its patterns and its limits', async () => {
    await using mcp = await startConfiguredMcp(`mcp:
  auth_type: api_key
  api_keys:
    - { key: k-write, name: writer, role: operator }
    - { key: k-read, name: reader, role: reader }
    - { key: k-some, name: some, role: operator, permissions: { denied_task_patterns: ["ech*"] } }
    - { key: k-few, name: few, role: operator, rate_limits: { executions_per_minute: 1 } }
    - { key: k-away, name: away, role: admin, allowed_ips: ["10.0.0.0/8"] }
    - { key: k-off, name: off, role: admin, active: false }
`);
    await mcp.operate('create_task', { name: 'echo', code: CODE });
    const call = (key: string) => mcp.send('tools/call', execute(), { 'x-api-key': key });
    expect((await mcp.send('tools/list')).status).toBe(401);
    for (const key of ['wrong', 'k-away', 'k-off']) expect((await call(key)).status).toBe(401);
    expect(errorOf(await call('k-write'))).toBeUndefined();
    expect(errorOf(await call('k-read'))).toBe('permission_denied');
    expect(errorOf(await call('k-some'))).toBe('permission_denied');
    expect([errorOf(await call('k-few')), errorOf(await call('k-few'))]).toEqual([undefined, 'rate_limited']);
    const bearer = await mcp.send('tools/list', {}, { authorization: 'Bearer k-read' });
    expect(JSON.stringify(bearer.body)).not.toContain('"execute_task"');
  });

  it('is who comes with a token of ours', async () => {
    await using mcp = await startConfiguredMcp(`mcp: { auth_type: jwt, jwt: { secret: "${SECRET}", issuer: me } }`);
    const sign = (issuer: string, end: string) =>
      new SignJWT({ scope: 'ratchet:reader' })
        .setProtectedHeader({ alg: 'HS256' })
        .setSubject('ada')
        .setIssuer(issuer)
        .setExpirationTime(end)
        .sign(new TextEncoder().encode(SECRET));
    const status = async (token: string) =>
      (await mcp.send('tools/list', {}, { authorization: `Bearer ${token}` })).status;
    expect(await status(await sign('me', '1h'))).toBe(200);
    expect(await status(await sign('you', '1h'))).toBe(401);
    expect(await status(await sign('me', '-1h'))).toBe(401);
  });

  it('is who comes with a token of the authorisation server for this very resource, and is told where to get one and which scopes are needed', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }] };
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(jwks));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const issuer = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    const audience = 'https://ratchet.example/mcp';
    await using mcp = await startConfiguredMcp(
      `mcp: { auth_type: oauth2, oauth2: { issuer: "${issuer}", jwks_uri: "${issuer}/keys", audience: "${audience}", required_scopes: [work] } }`,
    );
    const sign = (scope: string, aud = audience) =>
      new SignJWT({ scope })
        .setProtectedHeader({ alg: 'ES256', kid: 'k' })
        .setSubject('ada')
        .setIssuer(issuer)
        .setAudience(aud)
        .setExpirationTime('1h')
        .sign(privateKey);
    const send = async (token: string) => mcp.send('tools/call', execute(), { authorization: `Bearer ${token}` });
    const nobody = await mcp.send('tools/list');
    expect(nobody.status).toBe(401);
    const where = `resource_metadata="${mcp.url}/.well-known/oauth-protected-resource/mcp"`;
    expect(nobody.headers.get('www-authenticate')).toContain(where);
    expect(nobody.headers.get('www-authenticate')).toContain('scope="work ratchet:read"');
    for (const path of ['', '/mcp']) {
      const metadata = await fetch(`${mcp.url}/.well-known/oauth-protected-resource${path}`);
      expect(await metadata.json()).toMatchObject({ resource: audience, authorization_servers: [issuer] });
    }
    expect((await send(await sign('work ratchet:execute_tasks', 'https://other.example'))).status).toBe(401);
    expect((await send(await sign('ratchet:execute_tasks'))).status).toBe(401);
    const stepUp = await send(await sign('work ratchet:read_logs'));
    expect(stepUp.status).toBe(403);
    const challenge = stepUp.headers.get('www-authenticate') ?? '';
    expect(challenge).toContain('error="insufficient_scope"');
    expect(challenge).toMatch(/scope="work [^"]*ratchet:read_logs[^"]*ratchet:execute_tasks"/);
    expect(errorOf(await send(await sign('work ratchet:execute_tasks')))).toBe('task_not_found');
    server.close();
  });

  it('is nobody on a page that mcp.cors does not name, whatever the path', async () => {
    await using mcp = await startConfiguredMcp('mcp: { cors: { enabled: true, origins: ["https://app.example"] } }');
    const asks = (path: string, headers: Record<string, string>) => fetch(`${mcp.url}${path}`, { headers });
    for (const path of ['/mcp', '/sse']) {
      expect((await asks(path, { origin: 'https://evil.example' })).status).toBe(403);
    }
    const allowed = await mcp.send('tools/list', {}, { origin: 'https://app.example' });
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(allowed.headers.get('access-control-expose-headers')).toContain('mcp-session-id');
  });
});

it('the listener is where mcp.host and mcp.port say', async () => {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const address = free.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await new Promise((resolve) => free.close(resolve));
  await using mcp = await startConfiguredMcp(`mcp: { host: 127.0.0.1, port: ${port} }`, {}, { ownPort: true });
  expect(mcp.url).toBe(`http://127.0.0.1:${port}`);
  expect((await mcp.send('ping')).status).toBe(200);
});

describe('limits', () => {
  it('count the messages of a caller (rate_limit_per_minute)', async () => {
    await using mcp = await startConfiguredMcp('mcp: { rate_limit_per_minute: 2 }');
    expect((await mcp.send('ping')).status).toBe(200);
    expect((await mcp.send('ping')).status).toBe(200);
    const refused = await mcp.send('ping');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(JSON.stringify(refused.body)).toContain('mcp.rate_limit_per_minute');
  });

  it.each([
    ['execute_task_per_minute', execute(), list],
    ['global_per_minute', list, null],
  ])('count calls of tools (security.rate_limiting.%s)', async (name, counted, free) => {
    await using mcp = await startConfiguredMcp(`mcp: { security: { rate_limiting: { ${name}: 1 } } }`);
    await mcp.operate('create_task', { name: 'echo', code: CODE });
    expect(errorOf(await mcp.send('tools/call', counted))).toBeUndefined();
    const refused = await mcp.send('tools/call', counted);
    expect(errorOf(refused)).toBe('rate_limited');
    expect(JSON.stringify(refused.body)).toContain(name);
    if (free !== null) expect(errorOf(await mcp.send('tools/call', free))).toBeUndefined();
  });

  it('count batches and each of their items (security.rate_limiting.batch_execute_per_minute)', async () => {
    const { limits } = mcpSettings(
      load('mcp: { security: { rate_limiting: { batch_execute_per_minute: 1 } } }').config,
      false,
    );
    expect(limits.batches).toMatchObject({ requests: 1, windowMs: 60_000 });
    await using app = await openTestApp();
    const toolbox = new Toolbox([fixture('batch_execute', () => said('ok'))], TOOL_SETTINGS);
    const executions = { requests: 3, windowMs: 60_000 };
    const call = async (url: string, items: number) => {
      const params = { name: 'batch_execute', arguments: { tasks: Array.from({ length: items }, () => ({})) } };
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
      return (await fetch(`${url}/mcp`, { method: 'POST', body })).text();
    };
    await using served = await serveMcp(app, { mount: { toolbox, limits: { ...limits, executions } } });
    expect(await call(served.url, 1)).toContain('ok');
    expect(await call(served.url, 1)).toContain('batch_execute_per_minute');
    await using many = await serveMcp(app, { mount: { toolbox, limits: { ...limits, batches: null, executions } } });
    expect(await call(many.url, 4)).toContain('execute_task_per_minute');
  });

  it('bound requests and answers (security.max_input_size, max_output_size)', async () => {
    await using mcp = await startConfiguredMcp('mcp: { security: { max_input_size: 2KB, max_output_size: 3KB } }');
    await mcp.operate('create_task', { name: 'echo', code: CODE });
    expect((await mcp.send('ping', { padding: 'x'.repeat(3_000) })).status).toBe(413);
    expect(errorOf(await mcp.send('tools/call', execute(5_000)))).toBe('response_too_large');
    expect(errorOf(await mcp.send('tools/call', execute(100)))).toBeUndefined();
  });

  it('bound sessions (max_connections)', async () => {
    await using mcp = await startConfiguredMcp('mcp: { max_connections: 1 }');
    const headers = { accept: 'application/json, text/event-stream' };
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
    const open = () => fetch(`${mcp.url}/mcp`, { method: 'POST', headers, body });
    expect((await open()).status).toBe(200);
    const refused = await open();
    expect(refused.status).toBe(503);
    expect(await refused.text()).toContain('mcp.max_connections (1)');
    expect((await fetch(`${mcp.url}/sse`)).status).toBe(503);
  });

  it('bound the time of calls that run no task code (request_timeout)', async () => {
    expect(mcpSettings(load('mcp: { performance: { request_timeout: 7 } }').config, false).callTimeoutMs).toBe(7_000);
    await using app = await openTestApp();
    const toolbox = new Toolbox([fixture('hangs', () => new Promise(() => undefined))], TOOL_SETTINGS);
    await using served = await serveMcp(app, { mount: { toolbox, callTimeoutMs: 20 } });
    const client = await served.client('legacy');
    const answer = await client.callTool({ name: 'hangs', arguments: {} });
    expect(answer.structuredContent).toMatchObject({ error: { code: 'timeout' } });
  });
});

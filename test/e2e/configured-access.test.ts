/** What each key about who may enter does, seen from outside a server that was started with it. */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Configured, startConfigured } from '../support/configured.ts';

const SECRET = 'a secret of more than thirty-two characters';
const KEYS = `auth:
  type: api_key
  api_keys:
    - { key: k-admin, name: boss, role: admin, description: for people, created_at: "2026-01-01T00:00:00Z" }
    - { key: k-write, name: writer, permissions: ["read", "write"] }
    - { key: k-read, name: reader, roles: [reader] }
    - { key: k-execute, name: e, permissions: { can_execute_tasks: true, can_manage_tasks: false } }
    - { key: k-manage, name: m, permissions: { can_manage_tasks: true } }
    - { key: k-logs, name: l, permissions: { can_read_logs: true } }
    - { key: k-traces, name: t, permissions: { can_read_traces: true } }
    - { key: k-system, name: s, permissions: { can_access_system_info: true } }
    - key: k-some
      name: some
      role: operator
      permissions: { allowed_task_patterns: ["safe-*"], denied_task_patterns: ["safe-not"] }
    - { key: k-off, name: off, role: admin, active: false }
    - { key: k-away, name: away, role: admin, allowed_ips: ["10.0.0.0/8"] }
    - { key: k-few, name: few, role: admin, rate_limits: { executions_per_minute: 1, logs_per_minute: 2/minute } }
`;
const CODE = 'function main() { return 1; }';

describe('a key of the configuration', () => {
  let server: Configured;
  beforeAll(async () => {
    server = await startConfigured(KEYS);
    for (const name of ['safe-one', 'safe-not', 'other']) await server.task(name, CODE);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const status = async (key: string, method: string, path: string, body?: unknown) =>
    (await server.call(method, `/api/v1${path}`, body, { 'x-api-key': key })).status;
  const execute = (key: string, task: string) => status(key, 'POST', '/tasks/execute', { task_id: task, input: {} });

  it.each([
    ['k-admin', { execute: 200, manage: 400, logs: 404, traces: 404, system: 200, keys: 200 }],
    ['k-write', { execute: 200, manage: 400, logs: 404, traces: 404, system: 403, keys: 403 }],
    ['k-read', { execute: 403, manage: 403, logs: 404, traces: 404, system: 403, keys: 403 }],
    ['k-execute', { execute: 200, manage: 403, logs: 403, traces: 403, system: 403, keys: 403 }],
    ['k-manage', { execute: 403, manage: 400, logs: 403, traces: 403, system: 403, keys: 403 }],
    ['k-logs', { execute: 403, manage: 403, logs: 404, traces: 403, system: 403, keys: 403 }],
    ['k-traces', { execute: 403, manage: 403, logs: 403, traces: 404, system: 403, keys: 403 }],
    ['k-system', { execute: 403, manage: 403, logs: 403, traces: 403, system: 200, keys: 403 }],
  ])('%s may do what its role or its permissions say', async (key, expected) => {
    expect({
      execute: await execute(key, 'other'),
      manage: await status(key, 'POST', '/tasks', {}),
      logs: await status(key, 'GET', '/logs/none'),
      traces: await status(key, 'GET', '/traces/none'),
      system: await status(key, 'GET', '/workers'),
      keys: await status(key, 'GET', '/keys'),
    }).toEqual(expected);
  });

  it('is bound to its patterns, its addresses and its limits, and may be switched off', async () => {
    expect([await execute('k-some', 'safe-one'), await execute('k-some', 'safe-not')]).toEqual([200, 403]);
    expect(await execute('k-some', 'other')).toBe(403);
    expect([await status('k-off', 'GET', '/tasks'), await status('k-away', 'GET', '/tasks')]).toEqual([401, 401]);
    expect([await execute('k-few', 'other'), await execute('k-few', 'other')]).toEqual([200, 429]);
    const logs = [1, 2, 3].map(() => status('k-few', 'GET', '/logs/none'));
    expect((await Promise.all(logs)).filter((told) => told === 429)).toHaveLength(1);
    expect(await status('unknown', 'GET', '/tasks')).toBe(401);
  });

  it('appears in the audit trail under its name', async () => {
    const { body } = await server.call('GET', '/api/v1/audit', undefined, { 'x-api-key': 'k-admin' });
    expect(JSON.stringify(body)).toContain('key:writer');
  });
});

it('api.auth is the same section under its other name', async () => {
  const yaml = `api:
  auth:
    jwt: { secret: "${SECRET}" }
    api_keys: [{ key: k-admin, name: boss, role: admin }, { key: k-read, name: viewer, role: reader }]
`;
  await using server = await startConfigured(yaml);
  const status = async (headers: Record<string, string>) =>
    (await server.call('GET', '/api/v1/keys', undefined, headers)).status;
  const statuses = [
    await status({}),
    await status({ 'x-api-key': 'k-admin' }),
    await status({ 'x-api-key': 'k-read' }),
  ];
  expect(statuses).toEqual([401, 200, 403]);
  const made = await server.call('POST', '/api/v1/tokens', { name: 'ada', role: 'admin' }, { 'x-api-key': 'k-admin' });
  expect(await status({ authorization: `Bearer ${String(made.body['token'])}` })).toBe(200);
});

it('auth.type none asks nobody', async () => {
  await using server = await startConfigured('auth: { type: none }');
  const headers = { 'x-forwarded-for': '192.0.2.1' };
  expect((await server.call('GET', '/api/v1/keys', undefined, headers)).status).toBe(200);
});

it('tokens are made and taken as auth.jwt says', async () => {
  const yaml = `auth:
  type: jwt
  jwt: { secret: "${SECRET}", algorithm: HS512, expires_in: 90m, issuer: here, audience: us }
  api_keys: [{ key: k-admin, name: boss, role: admin }]
`;
  await using server = await startConfigured(yaml);
  const asked = { name: 'ada', role: 'reader' };
  const made = await server.call('POST', '/api/v1/tokens', asked, { 'x-api-key': 'k-admin' });
  const token = String(made.body['token']);
  const { iss, aud, exp = 0, iat = 0 } = decodeJwt(token);
  expect([decodeProtectedHeader(token).alg, iss, aud, exp - iat]).toEqual(['HS512', 'here', 'us', 5_400]);
  const with_ = async (bearer: string) =>
    (await server.call('GET', '/api/v1/tasks', undefined, { authorization: `Bearer ${bearer}` })).status;
  const forged = (secret: string, changes: object) =>
    new SignJWT({ ...decodeJwt(token), ...changes })
      .setProtectedHeader({ alg: 'HS512' })
      .sign(new TextEncoder().encode(secret));
  expect(await with_(token)).toBe(200);
  expect(await with_(await forged(SECRET, {}))).toBe(200);
  expect(await with_(await forged(`${SECRET}!`, {}))).toBe(401);
  expect(await with_(await forged(SECRET, { iss: 'there' }))).toBe(401);
  expect(await with_(await forged(SECRET, { aud: 'them' }))).toBe(401);
});

it('tokens of an authorisation server are taken as auth.oauth2 says', async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }] };
  const paths: string[] = [];
  const keys = createServer((request, response) => {
    paths.push(request.url ?? '');
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(jwks));
  }).listen(0, '127.0.0.1');
  await once(keys, 'listening');
  const address = keys.address();
  const at = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  const yaml = `auth:
  type: oauth2
  oauth2: { issuer: "${at}", jwks_uri: "${at}/own/keys", audience: ratchet, required_scopes: [work] }
`;
  try {
    await using server = await startConfigured(yaml);
    const signed = (changes: object) =>
      new SignJWT({ sub: 'ada', iss: at, aud: 'ratchet', scope: 'work ratchet:reader', ...changes })
        .setProtectedHeader({ alg: 'ES256', kid: 'k' })
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(privateKey);
    const status = async (changes: object) => {
      const authorization = `Bearer ${await signed(changes)}`;
      return (await server.call('GET', '/api/v1/tasks', undefined, { authorization })).status;
    };
    expect(await status({})).toBe(200);
    expect(paths).toEqual(['/own/keys']);
    expect(await status({ iss: 'http://elsewhere.example' })).toBe(401);
    expect(await status({ aud: 'others' })).toBe(401);
    expect(await status({ scope: 'ratchet:reader' })).toBe(401);
  } finally {
    keys.close();
    keys.closeAllConnections();
  }
});

describe('the audit file', () => {
  it('mirrors the audit trail where mcp.audit_log_file says, unless mcp.security.audit_log_enabled is off', async () => {
    await using server = await startConfigured('mcp: { audit_log_file: audit.log }');
    await server.task('one', CODE);
    await expect
      .poll(() => existsSync(server.path('audit.log')) && readFileSync(server.path('audit.log'), 'utf8'))
      .toMatch(/create_task|TaskCreated|one/);
    await using silent = await startConfigured(
      'mcp: { audit_log_file: audit.log, security: { audit_log_enabled: false } }',
    );
    expect(existsSync(silent.path('audit.log'))).toBe(false);
  });
});

import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memoryRateLimits } from '../../infra/rate-limits.ts';
import { LOCAL_ADMIN } from '../../src/domain/access.ts';
import { RatchetError } from '../../src/domain/errors.ts';
import { addHealth } from '../../src/interfaces/health.ts';
import { createHttp } from '../../src/interfaces/http.ts';
import { type Authenticate, localOnly } from '../../src/interfaces/identity.ts';
import { type RequestLimits, requestLimiter } from '../../src/interfaces/limits.ts';
import { addRest, methodsBelow } from '../../src/interfaces/rest.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { type Answer, call, eventually, openHome, startServerProcess } from '../support/server.ts';

const PREFIX = '/api/v1';
const NONE: RequestLimits = { global: null, rest: null, perUser: null, security: null, window: null, endpoints: {} };
const per = (requests: number, burst: number | null = null) => ({ requests, windowMs: 60_000, burst });

let test: TestApp;
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  test = await openTestApp();
  await test.task('echo', 'function main(input) { return input; }');
});
afterAll(async () => {
  for (const close of closers) await close();
  await test[Symbol.asyncDispose]();
});

/** Callers of the tests say who they are; nobody else is known. */
const byName: Authenticate = async (request) => {
  const name = request.headers['x-api-key'];
  if (typeof name !== 'string' || name === 'wrong') throw new RatchetError('unauthenticated', 'no such key');
  const limits = {
    executions: name === 'limited' ? { requests: 2, windowMs: 60_000 } : null,
    logs: name === 'limited' ? { requests: 1, windowMs: 60_000 } : null,
  };
  const principal = { ...LOCAL_ADMIN, kind: 'key' as const, id: `key:${name}`, limits };
  return principal;
};

interface Listener {
  (method: string, path: string, as?: string | null, body?: unknown): Promise<Answer>;
  readonly refusals: readonly { readonly principal: string; readonly reason: string }[];
}

/** A listener of its own, counting from nothing. */
async function listener(limits: Partial<RequestLimits>, authenticate: Authenticate = byName): Promise<Listener> {
  const counts = memoryRateLimits();
  const methodsAt = methodsBelow(PREFIX);
  const refusals: { principal: string; reason: string }[] = [];
  const http = createHttp({
    logger: pino({ level: 'silent' }),
    maxRequestBytes: 1_000_000,
    requestTimeoutMs: 30_000,
    keepAliveMs: 5_000,
    authenticate,
    newId: () => test.app.core.execute.runtime.newId(),
    methodsAt,
    limiter: requestLimiter(
      counts,
      { ...NONE, ...limits },
      { prefix: PREFIX, isRest: (at) => methodsAt(at).length > 0 },
    ),
    onRefusal: (refusal) => void refusals.push(refusal),
  });
  addHealth(http, () => test.app.health(), { prefix: PREFIX, version: '1' });
  addRest(http, { ...test.app.core, rateLimits: counts }, PREFIX);
  const url = await http.listen({ host: '127.0.0.1', port: 0 });
  closers.push(() => http.close());
  const ask = (method: string, path: string, as: string | null = 'ci', body?: unknown) =>
    call(url, method, path, body, as === null ? {} : { 'x-api-key': as });
  return Object.assign(ask, { refusals });
}

function limitOf(answer: Answer): unknown {
  expect(answer).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  const { limit, retryAfterSeconds } = answer.body['details'] as Record<string, unknown>;
  expect(answer.headers.get('retry-after')).toBe(String(retryAfterSeconds));
  expect(retryAfterSeconds).toBeGreaterThanOrEqual(1);
  expect(answer.body['detail']).toContain(String(limit));
  return limit;
}

const headersOf = ({ headers }: Answer) =>
  ['limit', 'remaining', 'reset', 'policy'].map((name) => headers.get(`ratelimit-${name}`));

describe('a limit on requests', () => {
  it('imposes and tells nothing where none is set', async () => {
    const ask = await listener({});
    const answer = await ask('GET', '/api/v1/tasks');
    expect([answer.status, ...headersOf(answer)]).toEqual([200, null, null, null, null]);
  });

  it('tells with each answer what is left, and refuses with the time to come back', async () => {
    const ask = await listener({ perUser: per(3) });
    const answers = [];
    for (let time = 0; time < 4; time += 1) answers.push(await ask('GET', '/api/v1/tasks'));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
    expect(answers.map((answer) => answer.headers.get('ratelimit-remaining'))).toEqual(['2', '1', '0', '0']);
    expect(headersOf(answers[0] as Answer)).toEqual(['3', '2', '60', '3;w=60']);
    expect(limitOf(answers[3] as Answer)).toBe('rate_limiting.per_user');
    expect(answers[3]?.headers.get('retry-after')).toMatch(/^(?:60|5\d)$/);
    expect(ask.refusals).toMatchObject([{ principal: 'key:ci', reason: 'rate_limited' }]);
    expect((await ask('GET', '/api/v1/tasks', 'other')).status).toBe(200);
  });

  it('counts by pace when a burst is set', async () => {
    const ask = await listener({ global: per(120, 2) });
    const statuses = [];
    for (let time = 0; time < 3; time += 1) statuses.push((await ask('GET', '/api/v1/tasks')).status);
    expect(statuses).toContain(429);
    await eventually('more is allowed', async () =>
      (await ask('GET', '/api/v1/tasks')).status === 200 ? true : undefined,
    );
    expect((await ask('GET', '/api/v1/tasks')).headers.get('ratelimit-policy')).toBe('120;w=60;burst=2');
  });

  it('of one path holds for it alone, in each spelling of the path', async () => {
    const ask = await listener({ endpoints: { '/api/v1/tasks/execute': per(1), '/tasks/echo': per(1) } });
    const run = (path: string) => ask('POST', path, 'ci', { task_id: 'echo', input: 1 });
    expect((await run('/api/v1/tasks/execute')).status).toBe(200);
    expect(limitOf(await run('/api/v1/tasks/execute'))).toBe('rate_limiting.endpoints./api/v1/tasks/execute');
    expect((await run('/api/v1/tasks/%65xecute')).status).toBe(429);
    expect((await ask('GET', '/api/v1/tasks/echo')).status).toBe(200);
    expect(limitOf(await ask('GET', '/api/v1/tasks/echo'))).toBe('rate_limiting.endpoints./tasks/echo');
    expect((await ask('GET', '/api/v1/tasks/%65cho')).status).toBe(429);
    expect((await ask('GET', '/api/v1/tasks')).status).toBe(200);
  });

  it('of REST counts what is REST, with and without the prefix', async () => {
    const ask = await listener({ rest: per(2) });
    expect((await ask('GET', '/elsewhere')).status).toBe(404);
    expect((await ask('GET', '/logs/none')).status).toBe(404);
    expect((await ask('GET', '/api/v1/nothing')).status).toBe(404);
    expect(limitOf(await ask('GET', '/api/v1/tasks'))).toBe('rate_limiting.rest');
    expect((await ask('GET', '/elsewhere')).status).toBe(404);
  });

  it.each(['security', 'window'] as const)('by key or else by address counts both apart: %s', async (name) => {
    const ask = await listener({ [name]: per(2) });
    for (let time = 0; time < 2; time += 1) expect((await ask('GET', '/api/v1/tasks', 'one')).status).toBe(200);
    expect(limitOf(await ask('GET', '/api/v1/tasks', 'one'))).toBe(`rate_limiting.${name}`);
    expect((await ask('GET', '/api/v1/tasks', 'two')).status).toBe(200);
    for (let time = 0; time < 2; time += 1) expect((await ask('GET', '/api/v1/tasks', 'wrong')).status).toBe(401);
    expect(limitOf(await ask('GET', '/api/v1/tasks', 'wrong'))).toBe(`rate_limiting.${name}`);
    expect(ask.refusals.at(-1)).toMatchObject({ principal: 'address:127.0.0.1', reason: 'rate_limited' });
  });

  it('refuses an address before it is found out who calls', async () => {
    let searches = 0;
    const ask = await listener({ security: per(2) }, async (request) => {
      searches += 1;
      return byName(request);
    });
    for (let time = 0; time < 5; time += 1) await ask('GET', '/api/v1/tasks', 'wrong');
    expect(searches).toBe(2);
  });

  it('counts the person at this machine by address, and as one user', async () => {
    const ask = await listener({ security: per(2), perUser: per(1) }, localOnly);
    expect((await ask('GET', '/api/v1/tasks', null)).status).toBe(200);
    expect(limitOf(await ask('GET', '/api/v1/tasks', null))).toBe('rate_limiting.per_user');
  });

  it('is the strictest where several are set, and who is over an own limit takes nothing from all', async () => {
    const ask = await listener({ global: per(4), rest: per(100), perUser: per(2) });
    const first = await ask('GET', '/api/v1/tasks', 'one');
    expect(headersOf(first)).toEqual(['2', '1', '60', '2;w=60, 100;w=60, 4;w=60']);
    for (let time = 0; time < 6; time += 1) await ask('GET', '/api/v1/tasks', 'one');
    expect((await ask('GET', '/api/v1/tasks', 'two')).status).toBe(200);
    expect((await ask('GET', '/api/v1/tasks', 'two')).headers.get('ratelimit-remaining')).toBe('0');
    expect(limitOf(await ask('GET', '/api/v1/tasks', 'three'))).toBe('rate_limiting.global');
  });

  it('refuses before the body is read', async () => {
    const ask = await listener({ endpoints: { '/tasks/execute': per(1) } });
    expect((await ask('POST', '/api/v1/tasks/execute', 'ci', 'x'.repeat(1_100_000))).status).toBe(413);
    expect((await ask('POST', '/api/v1/tasks/execute', 'ci', 'x'.repeat(1_100_000))).status).toBe(429);
  });

  it('does not hold for those who look after the server', async () => {
    const ask = await listener({ global: per(1), security: per(1) });
    await ask('GET', '/api/v1/tasks');
    for (const path of ['/health', '/api/v1/health', '/health'])
      expect((await ask('GET', path, null)).status).toBe(200);
  });
});

describe('limits of a key', () => {
  it('count executions however they are started, and logs', async () => {
    const ask = await listener({});
    const first = await ask('POST', '/api/v1/tasks/execute', 'limited', { task_id: 'echo', input: 1 });
    expect(headersOf(first)).toEqual(['2', '1', '60', '2;w=60']);
    const id = String(first.body['execution_id']);
    expect((await ask('POST', `/api/v1/executions/${id}/retry`, 'limited')).status).toBe(202);
    const refused = await ask('POST', '/api/v1/executions', 'limited', { task_id: 'echo', input: 1 });
    expect(limitOf(refused)).toBe('rate_limits.executions_per_minute of key:limited');
    expect(limitOf(await ask('POST', `/api/v1/executions/${id}/fork`, 'limited', { from_step: 'failed' }))).toBe(
      'rate_limits.executions_per_minute of key:limited',
    );
    const many = { status: 'completed', dry_run: false };
    const bulk = await ask('POST', '/api/v1/executions/retry', 'limited', many);
    expect(bulk.body).toMatchObject({ done: 0 });
    expect(bulk.body['failed']).toContainEqual(expect.objectContaining({ code: 'rate_limited' }));
    expect((await ask('GET', `/api/v1/logs/${id}`, 'limited')).status).toBe(200);
    expect(limitOf(await ask('GET', `/api/v1/executions/${id}/logs`, 'limited'))).toBe(
      'rate_limits.logs_per_minute of key:limited',
    );
    expect((await ask('GET', `/api/v1/executions/${id}`, 'limited')).status).toBe(200);
    expect((await ask('POST', '/api/v1/executions', 'ci', { task_id: 'echo', input: 1 })).status).toBe(202);
  });
});

describe('a server', () => {
  it('enforces each limit of its configuration, and writes refusals into the audit trail', async () => {
    using home = openHome();
    const key = 'a-key-of-the-tests-0123456789abcdef';
    const more = [
      'auth:',
      '  type: api_key',
      '  api_keys:',
      `    - { key: ${key}, name: ci, role: admin, rate_limits: { executions_per_minute: 3, logs_per_minute: 1 } }`,
      'rest:',
      '  rate_limit: { requests_per_minute: 600 }',
      'security:',
      '  rate_limit: { requests_per_minute: 500, burst_size: 400 }',
      'rate_limiting:',
      '  global: { requests_per_minute: 1000, burst_size: 300 }',
      '  per_user: { requests_per_minute: 700 }',
      '  endpoints:',
      '    "/api/v1/tasks/execute": { requests_per_minute: 1 }',
    ].join('\n');
    await using server = await startServerProcess(home, { more, env: { RATE_LIMIT_MAX_REQUESTS: '900' } });
    const ask = (method: string, path: string, body?: unknown) =>
      call(server.url, method, `/api/v1${path}`, body, { 'x-api-key': key });
    const first = await ask('POST', '/tasks/execute', {});
    expect(first.status).toBe(400);
    expect(first.headers.get('ratelimit-policy')).toBe(
      '700;w=60, 500;w=60;burst=400, 900;w=900, 1;w=60, 600;w=60, 1000;w=60;burst=300, 3;w=60',
    );
    expect(limitOf(await ask('POST', '/tasks/execute', {}))).toBe('rate_limiting.endpoints./api/v1/tasks/execute');
    for (let time = 0; time < 2; time += 1) expect((await ask('POST', '/executions', {})).status).toBe(400);
    expect(limitOf(await ask('POST', '/executions', {}))).toMatch(/^rate_limits\.executions_per_minute of key:/);
    expect((await ask('GET', '/logs/none')).status).toBe(404);
    expect(limitOf(await ask('GET', '/logs/none'))).toMatch(/^rate_limits\.logs_per_minute of key:/);
    const refusals = await eventually('they are in the audit trail', async () => {
      const told = JSON.stringify((await ask('GET', '/audit')).body);
      return told.includes('GET /api/v1/logs/:execution_id') ? told : undefined;
    });
    expect(refusals).toContain('rate_limited');
    expect(refusals).toContain('POST /api/v1/tasks/execute');
  });
});

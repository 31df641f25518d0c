import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Server, type ServeSettings, startServer } from '../../src/cli/serve.ts';
import { TEST_SETTINGS } from '../support/app.ts';
import { call, eventually } from '../support/server.ts';

const REQUEST_MS = 1_500;
const MAX_RESPONSE = 20_000;
const LISTENER: ServeSettings = {
  host: '127.0.0.1',
  port: 0,
  restPrefix: '/api/v1',
  maxRequestBytes: 100_000,
  requestTimeoutMs: REQUEST_MS,
  keepAliveMs: 5_000,
  maxResponseBytes: MAX_RESPONSE,
  version: '1',
};

let server: Server;
const servers: Server[] = [];
const sockets: Socket[] = [];

async function start(settings: Partial<ServeSettings> = {}): Promise<Server> {
  const started = await startServer(TEST_SETTINGS, { ...LISTENER, ...settings });
  servers.push(started);
  return started;
}

beforeAll(async () => {
  server = await start();
  await post('/tasks', { name: 'large', code: 'function main({ size }) { return "x".repeat(size); }' });
  await post('/tasks', { name: 'slow', code: 'async function main() { await sleep(2500); return "done"; }' });
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  for (const started of servers) await started.close();
});

const get = (path: string, headers = {}) => call(server.url, 'GET', `/api/v1${path}`, undefined, headers);
const post = (path: string, body: unknown) => call(server.url, 'POST', `/api/v1${path}`, body);

interface Raw {
  readonly socket: Socket;
  readonly received: () => string;
  readonly isClosed: () => boolean;
}

/** A connection that sends these bytes and nothing more. */
async function raw(url: string, bytes: string): Promise<Raw> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  sockets.push(socket);
  let received = '';
  let closed = false;
  socket.setEncoding('utf8').on('data', (text: string) => (received += text));
  socket.on('error', () => undefined).on('close', () => (closed = true));
  await new Promise<void>((resolve) => {
    socket.once('connect', resolve).once('error', () => resolve());
  });
  if (bytes !== '') socket.write(bytes);
  return { socket, received: () => received, isClosed: () => closed };
}

function problemIn(text: string): Record<string, unknown> {
  const [, body = ''] = text.split('\r\n\r\n');
  return JSON.parse(body) as Record<string, unknown>;
}

const closedOf = (raws: readonly Raw[]) => (raws.every(({ isClosed }) => isClosed()) ? true : undefined);

describe('connections', () => {
  it('that are slow, 200 of them, keep nobody waiting, and are told and closed', async () => {
    const beginnings = [
      '',
      'GET /api/v1/tasks HTTP/1.1\r\nhost: localhost\r\nx-slow: ',
      'POST /api/v1/tasks/execute HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n{"task_',
      'POST /api/v1/tasks HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"nam',
    ];
    const slow = await Promise.all(
      Array.from({ length: 200 }, (_, index) => raw(server.url, beginnings[index % beginnings.length] ?? '')),
    );
    const answer = await get('/tasks');
    expect(answer.status).toBe(200);
    expect(slow.every(({ isClosed }) => !isClosed())).toBe(true);
    await eventually('all are closed', () => closedOf(slow), 10_000);
    const headersOnly = slow.filter((_, index) => index % beginnings.length === 1);
    for (const { received } of headersOnly) {
      expect(received()).toMatch(/^HTTP\/1\.1 408 /);
      expect(problemIn(received())).toMatchObject({ code: 'request_timeout', status: 408 });
    }
    expect((await get('/tasks')).status).toBe(200);
  });

  it('that drip headers byte by byte are closed all the same', async () => {
    const dripping = await raw(server.url, 'GET /health HTTP/1.1\r\nhost: localhost\r\nx-drip: ');
    const timer = setInterval(() => dripping.socket.writable && dripping.socket.write('x'), 50);
    await eventually('it is closed', () => closedOf([dripping]), 10_000).finally(() => clearInterval(timer));
    expect(problemIn(dripping.received())).toMatchObject({ code: 'request_timeout' });
  });

  it.each([
    ['that is no HTTP', 'nonsense\r\n\r\n', 'invalid_request', 400],
    [
      'whose headers are too large',
      `GET / HTTP/1.1\r\nhost: x\r\nx-large: ${'x'.repeat(20_000)}\r\n\r\n`,
      'headers_too_large',
      431,
    ],
    [
      'with two lengths',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
      'invalid_request',
      400,
    ],
    [
      'with a length and chunks',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      'invalid_request',
      400,
    ],
  ])('with something %s get a problem and are closed', async (_name, bytes, code, status) => {
    const broken = await raw(server.url, bytes);
    await eventually('it is closed', () => closedOf([broken]));
    expect(problemIn(broken.received())).toMatchObject({
      code,
      status,
      instance: expect.stringMatching(/^[\w-]{36}$/),
    });
  });

  it('that ask to become sockets where there are none get their answer, and are closed', async () => {
    const asking = await Promise.all(
      ['/health', '/api/v1/tasks', '/nowhere'].map((path) =>
        raw(
          server.url,
          `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
        ),
      ),
    );
    await eventually('all are closed', () => closedOf(asking));
    expect(asking.map(({ received }) => received().slice(9, 12))).toEqual(['200', '200', '404']);
  });

  it('beyond the limit are told when to come back, and closed at once where they are far too many', async () => {
    const crowded = await start({ maxConnections: 3 });
    const idle = await Promise.all(Array.from({ length: 3 }, () => raw(crowded.url, '')));
    const refused = await raw(crowded.url, 'GET /api/v1/tasks HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await eventually('it is closed', () => closedOf([refused]));
    expect(refused.received()).toMatch(/^HTTP\/1\.1 503 /);
    expect(refused.received()).toMatch(/retry-after: 1\r\n/i);
    expect(problemIn(refused.received())).toMatchObject({ code: 'too_many_connections' });
    const many = await Promise.all(Array.from({ length: 40 }, () => raw(crowded.url, '')));
    await eventually('some are closed at once', () => (many.some(({ isClosed }) => isClosed()) ? true : undefined));
    for (const { socket } of [...idle, ...many]) socket.destroy();
    const audit = await eventually('there is room again', async () => {
      const answer = await call(crowded.url, 'GET', '/api/v1/audit').catch(() => undefined);
      return answer?.status === 200 ? JSON.stringify(answer.body) : undefined;
    });
    expect(audit).toContain('too_many_connections');
    expect(audit).toContain('address:127.0.0.1');
  });
});

describe('time', () => {
  it('of a request is bounded, but not that of an execution that is waited for', async () => {
    const head = String((await get('/health')).body['head']);
    const future = String(BigInt(head) + 1_000n).padStart(head.length, '0');
    const waiting = get(`/executions?min_position=${future}`);
    const executed = post('/tasks/execute', { task_id: 'slow', input: {} });
    const late = await waiting;
    expect(late).toMatchObject({ status: 504, body: { code: 'timeout' } });
    expect(await executed).toMatchObject({ status: 200, body: { status: 'completed', output: 'done' } });
  });
});

describe('sizes', () => {
  it('of answers are bounded, but not those of streams', async () => {
    const start = String((await get('/health')).body['head']);
    const small = await post('/tasks/execute', { task_id: 'large', input: { size: 10_000 } });
    expect(small.status).toBe(200);
    const large = await post('/tasks/execute', { task_id: 'large', input: { size: MAX_RESPONSE } });
    expect(large).toMatchObject({
      status: 500,
      body: { code: 'response_too_large', details: { maxBytes: MAX_RESPONSE } },
    });
    const stop = new AbortController();
    const stream = await fetch(`${server.url}/api/v1/events?after=${start}`, {
      headers: { accept: 'text/event-stream' },
      signal: stop.signal,
    });
    expect(stream.headers.get('x-correlation-id')).not.toBeNull();
    let streamed = 0;
    for await (const chunk of stream.body ?? []) {
      streamed += chunk.length;
      if (streamed > MAX_RESPONSE) break;
    }
    stop.abort();
    expect(streamed).toBeGreaterThan(MAX_RESPONSE);
  });

  it('of addresses are bounded', async () => {
    expect(await get(`/tasks?filter=${'x'.repeat(9_000)}`)).toMatchObject({
      status: 414,
      body: { code: 'url_too_long' },
    });
  });
});

describe('names and ids', () => {
  it.each([
    ['GET', '/tasks/a%00b', undefined, 'task_id'],
    ['GET', '/executions/%1b%5B31m', undefined, 'execution_id'],
    ['GET', '/executions?task_id=a%0Ab', undefined, 'task_id'],
    ['POST', '/tasks/execute', { task_id: 'large\u0000', input: {} }, 'task_id'],
    ['POST', '/tasks', { name: 'tagged', code: 'function main() {}', tags: ['fine', 'not\u0007fine'] }, 'tags'],
    ['POST', '/executions', { task_id: 'large', input: {}, idempotency_key: 'a\u0085b' }, 'idempotency_key'],
  ])('hold no control characters: %s %s', async (method, path, body, field) => {
    const answer = await call(server.url, method, `/api/v1${path}`, body);
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', details: { problems: [{ field }] } },
    });
  });

  it('are told apart from text, which is never altered', async () => {
    await post('/tasks', { name: 'same', code: 'function main(input) { return input; }' });
    const input = { name: 'tab\tand\nline', id: '\u0000' };
    expect((await post('/tasks/execute', { task_id: 'same', input })).body['output']).toEqual(input);
  });

  it('of fields are those of the operation, not those of prototypes', async () => {
    for (const key of ['__proto__', 'constructor', 'toString'])
      expect(await get(`/tasks?${key}=1`)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });
});

describe('methods', () => {
  it('that an address does not take are told with those that it does, on every address', async () => {
    for (const [path, allow] of [
      ['/health', 'GET'],
      ['/docs', 'GET'],
      ['/api/v1/tasks', 'GET, POST'],
    ])
      for (const method of ['PUT', 'TRACE']) {
        const traced = await raw(
          server.url,
          `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`,
        );
        await eventually('it is closed', () => closedOf([traced]));
        expect(traced.received()).toContain(`allow: ${allow}\r\n`);
        expect(problemIn(traced.received())).toMatchObject({ code: 'method_not_allowed' });
      }
  });
});

describe('answers', () => {
  it('tell browsers to do nothing else with them', async () => {
    const { headers } = await get('/tasks');
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'SAMEORIGIN',
      'referrer-policy': 'no-referrer',
    });
    expect(headers.get('strict-transport-security')).toBeNull();
    const missing = await get('/nothing');
    expect(missing.headers.get('content-security-policy')).toContain("default-src 'none'");
  });

  it('that are documents keep their own policy', async () => {
    const { body } = await post('/tasks/execute', { task_id: 'large', input: { size: 1 } });
    const page = await get(`/traces/${String(body['execution_id'])}/visualize`);
    expect(page.headers.get('content-security-policy')).toContain('style-src');
  });
});

describe('forwarded addresses', () => {
  const limits = { global: null, rest: null, perUser: null, window: null, endpoints: {} };
  const requestLimits = { ...limits, security: { requests: 1, windowMs: 60_000, burst: null } };

  it('are believed of trusted proxies only, and make nobody local', async () => {
    const statusesOf = async ({ url }: Server) => {
      const statuses = [];
      for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.2'])
        statuses.push((await call(url, 'GET', '/api/v1/tasks', undefined, { 'x-forwarded-for': address })).status);
      return statuses;
    };
    expect(await statusesOf(await start({ requestLimits, trustProxy: ['127.0.0.0/8'] }))).toEqual([401, 401, 429]);
    expect(await statusesOf(await start({ requestLimits, trustProxy: ['10.0.0.0/8'] }))).toEqual([401, 429, 429]);
  });

  it('from this machine do not make a stranger local', async () => {
    const { url } = await start({ trustProxy: ['127.0.0.0/8'] });
    for (const headers of [{ 'x-forwarded-for': '127.0.0.1' }, { 'x-forwarded-host': 'localhost', 'x-real-ip': '::1' }])
      expect((await call(url, 'GET', '/api/v1/tasks', undefined, headers)).status).toBe(401);
  });
});

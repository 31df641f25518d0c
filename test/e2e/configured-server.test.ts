/** What each key about the listener and its surfaces does, seen from outside a server that was started with it. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { startConfigured } from '../support/configured.ts';

interface Raw {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** A request with nothing between the test and the wire; `announced` says more than is sent. */
function raw(url: string, method: string, headers: Record<string, string> = {}, announced = 0): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      method,
      agent: false,
      headers: { ...headers, ...(announced > 0 && { 'content-length': announced }) },
    });
    sent.on('response', (response) => {
      const status = response.statusCode ?? 0;
      text(response).then((body) => resolve({ status, headers: response.headers, body }), reject);
    });
    sent.on('error', reject);
    if (announced > 0) sent.write('{');
    else sent.end();
  });
}

const PAGE = 'https://app.example.com';
const pageAt = async (url: string, path: string) => {
  const { headers } = await raw(`${url}${path}`, 'GET', { origin: PAGE });
  return [headers['access-control-allow-origin'], headers['access-control-allow-credentials']];
};

describe('the listener', () => {
  it('binds server.host and server.port', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = taken.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const yaml = `server: { host: 127.0.0.1, port: ${port} }`;
    await expect(startConfigured(yaml, { ownPort: true })).rejects.toMatchObject({ code: 'EADDRINUSE', port });
    taken.close();
    await using server = await startConfigured('server: { host: 0.0.0.0 }');
    expect(server.server.http.addresses()).toMatchObject([{ address: '0.0.0.0' }]);
  });

  it('keeps an idle connection for server.keep_alive, and waits for a request for server.request_timeout', async () => {
    await using server = await startConfigured('server: { keep_alive: 7, request_timeout: 1s }');
    expect((await raw(`${server.url}/health`, 'GET', { connection: 'keep-alive' })).headers['keep-alive']).toBe(
      'timeout=7',
    );
    const slow = await raw(`${server.url}/api/v1/tasks`, 'POST', { 'content-type': 'application/json' }, 100);
    expect([408, 504]).toContain(slow.status);
  });

  it('believes the proxies of server.trust_proxy, and nobody else', async () => {
    const auth = 'auth: { api_keys: [{ key: k-k-k-k, name: n, role: reader, allowed_ips: ["203.0.113.7"] }] }';
    const headers = { 'x-api-key': 'k-k-k-k', 'x-forwarded-for': '203.0.113.7' };
    for (const [server, status] of [
      ['server: { trust_proxy: ["127.0.0.1"] }', 200],
      ['server: { trust_proxy: ["192.0.2.1"] }', 401],
    ] as const) {
      await using started = await startConfigured(`${server}\n${auth}`);
      expect((await raw(`${started.url}/api/v1/tasks`, 'GET', headers)).status, server).toBe(status);
    }
  });

  it('runs server.worker_threads executions at once, or workers.count where that is set', async () => {
    for (const [yaml, count] of [
      ['server: { worker_threads: 3 }', 3],
      ['server: { worker_threads: 3 }\nworkers: { count: 2 }', 2],
    ] as const) {
      await using server = await startConfigured(yaml);
      const { body } = await server.call('GET', '/api/v1/workers');
      expect(body, yaml).toMatchObject({ workers: [{ capacity: count }] });
    }
  });
});

describe('web pages', () => {
  it('may call as server.cors says, and REST as rest.cors says', async () => {
    await using server = await startConfigured(
      `server: { cors: { enabled: true, origins: ["${PAGE}"], credentials: true } }\n` +
        `rest: { cors: { enabled: true, origins: ["*"], credentials: false } }`,
    );
    expect(await pageAt(server.url, '/graphql')).toEqual([PAGE, 'true']);
    expect(await pageAt(server.url, '/api/v1/tasks')).toEqual(['*', undefined]);
  });

  it('may not call where enabled is false', async () => {
    await using server = await startConfigured(
      `server: { cors: { enabled: false, origins: ["${PAGE}"], credentials: true } }\n` +
        `rest: { cors: { enabled: true, origins: ["${PAGE}"], credentials: true } }`,
    );
    expect(await pageAt(server.url, '/graphql')).toEqual([undefined, undefined]);
    expect(await pageAt(server.url, '/api/v1/tasks')).toEqual([PAGE, 'true']);
    await using other = await startConfigured(
      `server: { cors: { origins: ["${PAGE}"] } }\nrest: { cors: { enabled: false, origins: ["${PAGE}"] } }`,
    );
    expect(await pageAt(other.url, '/graphql')).toEqual([PAGE, undefined]);
    expect(await pageAt(other.url, '/api/v1/tasks')).toEqual([undefined, undefined]);
  });
});

const ask = (server: Awaited<ReturnType<typeof startConfigured>>, path: string, query: string) =>
  server.call('POST', path, { query });

describe('surfaces', () => {
  it('are below rest.prefix and at graphql.endpoint, with playground and introspection as asked', async () => {
    await using server = await startConfigured(
      'rest: { prefix: /rest/v9 }\ngraphql: { endpoint: /ask, playground: true, introspection: false }',
    );
    const statuses = ['/rest/v9/tasks', '/api/v1/tasks', '/traces/x/visualize'].map(
      async (path) => (await raw(`${server.url}${path}`, 'GET')).status,
    );
    expect(await Promise.all(statuses)).toEqual([200, 404, 404]);
    expect((await ask(server, '/graphql', '{ __typename }')).status).toBe(404);
    expect((await ask(server, '/ask', '{ __typename }')).body).toEqual({ data: { __typename: 'Query' } });
    expect((await ask(server, '/ask', '{ __schema { queryType { name } } }')).body).toHaveProperty('errors');
    expect((await raw(`${server.url}/ask`, 'GET', { accept: 'text/html' })).headers['content-type']).toMatch(/html/);
  });

  it('are not there when they are switched off', async () => {
    await using server = await startConfigured('rest: { enabled: false }\ngraphql: { playground: false }');
    for (const path of ['/api/v1/tasks', '/api/v1/openapi.json', '/docs', '/traces/x']) {
      expect((await raw(`${server.url}${path}`, 'GET')).status, path).toBe(404);
    }
    expect((await raw(`${server.url}/api/v1/tasks`, 'DELETE')).status).toBe(404);
    expect((await raw(`${server.url}/health`, 'GET')).status).toBe(200);
    expect((await ask(server, '/graphql', '{ __schema { queryType { name } } }')).body).toHaveProperty('data.__schema');
    const page = await raw(`${server.url}/graphql`, 'GET', { accept: 'text/html' });
    expect(page.headers['content-type']).not.toMatch(/html/);
    await using other = await startConfigured('graphql: { enabled: false }');
    expect((await ask(other, '/graphql', '{ __typename }')).status).toBe(404);
  });
});

describe('limits', () => {
  it('bound the size of requests and answers', async () => {
    await using server = await startConfigured('limits: { max_request_size: 2KB, max_response_size: 20KB }');
    await server.task('repeat', 'function main({ times }) { return "x".repeat(times); }');
    expect(
      (await raw(`${server.url}/api/v1/tasks`, 'POST', { 'content-type': 'application/json' }, 3_000)).status,
    ).toBe(413);
    const execute = (times: number) =>
      server.call('POST', '/api/v1/tasks/execute', { task_id: 'repeat', input: { times } });
    expect((await execute(1_000)).status).toBe(200);
    expect((await execute(30_000)).body).toMatchObject({ code: 'response_too_large' });
  });

  it('bound connections', async () => {
    await using server = await startConfigured('limits: { max_concurrent_connections: 1 }');
    const open = request(`${server.url}/api/v1/events`, { headers: { accept: 'text/event-stream' } });
    open.on('error', () => undefined).end();
    await once(open, 'response');
    const beyond = await raw(`${server.url}/health`, 'GET');
    open.destroy();
    expect([beyond.status, JSON.parse(beyond.body)]).toMatchObject([503, { code: 'too_many_connections' }]);
  });
});

it('each limit on requests counts as rate_limiting says', async () => {
  await using server = await startConfigured(`rate_limiting:
  global: { requests_per_minute: 1000, burst_size: 100 }
  per_user: { requests_per_minute: 700, burst_size: 70 }
  security: { requests_per_minute: 50/second, burst_size: 50 }
  rest: { requests_per_minute: 600, burst_size: 60 }
  endpoints: { "/api/v1/tasks": { requests_per_minute: 2, burst_size: 1 } }
  window: { window_ms: 120000, max_requests: 90 }
`);
  const first = await server.call('GET', '/api/v1/tasks');
  expect(
    first.headers
      .get('ratelimit-policy')
      ?.split(', ')
      .toSorted((a, b) => a.localeCompare(b)),
  ).toEqual([
    '1000;w=60;burst=100',
    '2;w=60;burst=1',
    '50;w=1;burst=50',
    '600;w=60;burst=60',
    '700;w=60;burst=70',
    '90;w=120',
  ]);
  const second = await server.call('GET', '/api/v1/tasks');
  expect([second.status, second.body['code']]).toEqual([429, 'rate_limited']);
});

it('variables of the environment are at work before the file', async () => {
  const env = {
    RATCHET_HOST: '0.0.0.0',
    RATCHET_ENABLE_GRAPHQL: 'false',
    RATCHET_ENABLE_MCP: 'false',
    RATE_LIMIT_WINDOW_MS: '60000',
    RATE_LIMIT_MAX_REQUESTS: '77',
    JWT_SECRET: 'a secret of more than thirty-two characters',
  };
  const yaml = 'server: { host: 127.0.0.1 }\ngraphql: { enabled: true }\nmcp: { enabled: true }\n';
  await using server = await startConfigured(yaml, { env });
  expect(server.server.http.addresses()).toMatchObject([{ address: '0.0.0.0' }]);
  const asked = await server.call('GET', '/api/v1/tasks');
  expect([asked.status, asked.headers.get('ratelimit-policy')]).toEqual([401, '77;w=60']);
  expect((await ask(server, '/graphql', '{ __typename }')).status).toBe(404);
  expect((await server.call('POST', '/mcp', {})).status).toBe(404);
  await expect(startConfigured('auth: { type: none }', { env: { RATCHET_ENV: 'production' } })).rejects.toThrow(
    /lets everybody in/,
  );
});

it('goes on without Redis, and says so in the log and in its health', async () => {
  const yaml = `redis: { url: "redis://user:hidden@127.0.0.1:1" }
rate_limiting: { global: { requests_per_minute: 3 } }
logging: { sinks: [{ type: file, path: server.log, format: json }] }
`;
  await using server = await startConfigured(yaml, { logs: true });
  const statuses = [];
  for (let count = 0; count < 4; count += 1) statuses.push((await server.call('GET', '/api/v1/tasks')).status);
  expect(statuses).toEqual([200, 200, 200, 429]);
  const { status, body } = await server.call('GET', '/api/v1/health');
  expect([status, body['status']]).toEqual([200, 'degraded']);
  expect(body['redis']).toMatchObject({ status: 'away', error: expect.stringContaining('ECONNREFUSED') });
  await server.closeLog();
  const log = readFileSync(server.path('server.log'), 'utf8');
  const told = log.split('\n').filter((line) => line.includes('Redis'));
  expect(told).toHaveLength(1);
  expect(told[0]).toContain('Redis at 127.0.0.1:1 can not be reached: limits are counted in memory');
  expect(told[0]).toContain('ECONNREFUSED');
  expect(log + JSON.stringify(body)).not.toContain('hidden');
});

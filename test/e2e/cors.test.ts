import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Server, type ServeSettings, startServer } from '../../src/cli/serve.ts';
import { TEST_SETTINGS } from '../support/app.ts';
import { openHome, startServerProcess } from '../support/server.ts';

const APP = 'https://app.example.com';
const LISTENER: ServeSettings = {
  host: '127.0.0.1',
  port: 0,
  restPrefix: '/api/v1',
  maxRequestBytes: 100_000,
  requestTimeoutMs: 30_000,
  keepAliveMs: 5_000,
  version: '1',
};
const servers: Server[] = [];

async function start(corsRules: ServeSettings['corsRules']): Promise<string> {
  const server = await startServer(TEST_SETTINGS, { ...LISTENER, ...(corsRules === undefined ? {} : { corsRules }) });
  servers.push(server);
  return server.url;
}
afterAll(async () => {
  for (const server of servers) await server.close();
});

const told = (headers: Headers, name: string) => headers.get(`access-control-${name}`);

function preflight(url: string, origin: string, path = '/api/v1/tasks/execute'): Promise<Response> {
  const headers = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization, content-type',
    // As from another machine: preflights bring no key, and are answered all the same.
    'x-forwarded-for': '192.0.2.1',
  };
  return fetch(`${url}${path}`, { method: 'OPTIONS', headers });
}

describe('a list of origins', () => {
  let url: string;
  beforeAll(async () => {
    url = await start({
      server: { origins: [`${APP}/`, 'http://LOCALHOST:3000'], credentials: true },
      rest: undefined,
    });
  });

  it('answers preflights of its pages without asking who calls', async () => {
    const answer = await preflight(url, APP);
    expect(answer.status).toBe(204);
    expect(told(answer.headers, 'allow-origin')).toBe(APP);
    expect(told(answer.headers, 'allow-credentials')).toBe('true');
    expect(told(answer.headers, 'allow-methods')).toBe('GET, HEAD, POST, PUT, PATCH, DELETE');
    expect(told(answer.headers, 'allow-headers')).toBe('authorization, content-type');
    expect(told(answer.headers, 'max-age')).toBe('600');
    expect(told((await preflight(url, 'http://localhost:3000')).headers, 'allow-origin')).toBe('http://localhost:3000');
  });

  it.each(['https://evil.example.com', 'https://app.example.com.evil.org', 'http://app.example.com', 'null'])(
    'gives nothing to the page %s',
    async (origin) => {
      const answer = await preflight(url, origin);
      expect(told(answer.headers, 'allow-origin')).toBeNull();
      expect(told(answer.headers, 'allow-credentials')).toBeNull();
      const asked = await fetch(`${url}/api/v1/tasks`, { headers: { origin } });
      expect(told(asked.headers, 'allow-origin')).toBeNull();
    },
  );

  it('lets its pages read answers, refusals and streams, and the headers that matter', async () => {
    for (const [path, more, status] of [
      ['/api/v1/tasks', {}, 200],
      ['/api/v1/nothing', {}, 404],
      ['/api/v1/tasks', { 'x-forwarded-for': '192.0.2.1' }, 401],
      ['/api/v1/events', { accept: 'text/event-stream' }, 200],
    ] as const) {
      const answer = await fetch(`${url}${path}`, { headers: { origin: APP, ...more } });
      await answer.body?.cancel();
      expect([answer.status, told(answer.headers, 'allow-origin')]).toEqual([status, APP]);
      expect(told(answer.headers, 'expose-headers')).toMatch(
        /ratelimit-remaining.*x-correlation-id, x-ratchet-position/,
      );
      expect(answer.headers.get('vary')).toMatch(/origin/i);
    }
  });

  it('changes nothing for those who are no pages', async () => {
    const answer = await fetch(`${url}/api/v1/tasks`);
    expect([answer.status, told(answer.headers, 'allow-origin'), told(answer.headers, 'expose-headers')]).toEqual([
      200,
      null,
      null,
    ]);
    expect(answer.headers.get('vary')).toMatch(/origin/i);
    const options = await fetch(`${url}/api/v1/tasks`, { method: 'OPTIONS' });
    expect([options.status, options.headers.get('allow')]).toEqual([405, 'GET, POST']);
  });
});

describe('each surface', () => {
  it('has origins of its own, and all pages get no credentials', async () => {
    const url = await start({
      server: { origins: [APP], credentials: true },
      rest: { origins: ['*'], credentials: true },
    });
    const other = 'https://other.example.com';
    const rest = await preflight(url, other);
    expect([told(rest.headers, 'allow-origin'), told(rest.headers, 'allow-credentials')]).toEqual(['*', null]);
    expect(told((await preflight(url, other, '/traces/x/visualize')).headers, 'allow-origin')).toBe('*');
    expect(told((await preflight(url, other, '/graphql')).headers, 'allow-origin')).toBeNull();
    expect(told((await preflight(url, APP, '/graphql')).headers, 'allow-origin')).toBe(APP);
  });

  it('is closed to pages where its origins are switched off', async () => {
    const url = await start({ server: { origins: ['*'], credentials: false }, rest: null });
    expect(told((await preflight(url, APP)).headers, 'allow-origin')).toBeNull();
    expect(told((await preflight(url, APP, '/graphql')).headers, 'allow-origin')).toBe('*');
  });
});

describe('a server', () => {
  it('takes origins from its configuration', async () => {
    using home = openHome();
    const more = `server:\n  cors: { enabled: true, origins: ["${APP}"], credentials: true }\nrest:\n  cors: { origins: ["*"] }\n`;
    await using server = await startServerProcess(home, { more });
    expect(told((await preflight(server.url, APP, '/graphql')).headers, 'allow-credentials')).toBe('true');
    expect(told((await preflight(server.url, 'https://any.example.com')).headers, 'allow-origin')).toBe('*');
  });
});

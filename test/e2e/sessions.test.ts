/** Sessions of browsers: opened with a key or token, worth what that is worth now, good for pages of the server only, over every interface. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { MAX_LOGINS } from '../../src/domain/login.ts';
import { type Browser, logIn } from '../support/browser.ts';
import { type Configured, startConfigured } from '../support/configured.ts';
import { stream, subscribe } from '../support/graphql-live.ts';
import { call, eventually } from '../support/server.ts';

const SECRET = 'a secret of more than thirty-two characters';
const KEYS = `auth:
  jwt: { secret: "${SECRET}" }
  api_keys:
    - { key: k-admin, name: boss, role: admin }
    - { key: k-read, name: reader, role: reader }
    - { key: k-many, name: many, role: reader }
    - { key: k-home, name: home, role: reader, allowed_ips: ["192.0.2.0/24", "127.0.0.1"] }
server: { trust_proxy: ["127.0.0.1"] }
mcp: { enabled: true }
`;
const ADMIN = { 'x-api-key': 'k-admin' };
const CODE = 'function main() { return 1; }';
const LIVE = 'subscription { taskChanged { type } }';

let server: Configured;
let number = 0;
beforeAll(async () => {
  server = await startConfigured(KEYS);
  await server.task('one', CODE);
});
afterAll(() => server[Symbol.asyncDispose]());

/** A key of its own for a test, and how it is ended. */
async function madeKey(more: object = { role: 'admin' }) {
  number += 1;
  const { body } = await server.call('POST', '/api/v1/keys', { name: `made-${number}`, ...more }, ADMIN);
  const path = `/api/v1/keys/${String(body['key_id'])}`;
  return {
    name: `key:made-${number}`,
    headers: { 'x-api-key': String(body['key']) },
    revoke: () => server.call('DELETE', path, undefined, ADMIN),
    rotate: (seconds: number) => server.call('POST', `${path}/rotate`, { keep_old_seconds: seconds }, ADMIN),
  };
}

const tasks = async (browser: Browser) => (await browser.ask('GET', '/tasks', undefined, browser.bare)).status;

/** Resolves with the code of its end; fails when it is refused. */
function socketOf(url: string, path: string, headers: Record<string, string>) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, { headers });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  const opened = new Promise<number>((resolve) => {
    socket.once('open', () => resolve(101));
    socket.once('unexpected-response', (_request, { statusCode = 0 }) => resolve(statusCode));
    socket.once('error', () => resolve(0));
  });
  return { opened, closed, socket };
}

describe('a session', () => {
  it('is opened with a key, and counts in its place', async () => {
    const browser = await logIn(server.url, ADMIN);
    expect(browser.opened).toMatchObject({
      principal: 'key:boss',
      csrf_token: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(browser.opened['permissions']).toContain('administer');
    const left = Date.parse(String(browser.opened['expires_at'])) - Date.now();
    expect(left).toBeGreaterThan(11.9 * 3_600_000);
    expect(left).toBeLessThanOrEqual(12 * 3_600_000);
    expect(browser.setCookie).toMatch(
      /^ratchet_session=[\w.-]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43(?:200|199)$/,
    );
    expect(await tasks(browser)).toBe(200);
    const look = await browser.ask('GET', '/session', undefined, browser.bare);
    expect(look.body).toEqual(browser.opened);
    expect(look.headers.get('cache-control')).toBe('no-store');
  });

  it('changes things only with its CSRF token', async () => {
    const browser = await logIn(server.url, ADMIN);
    const other = await logIn(server.url, ADMIN);
    const task = { name: 'made-by-page', code: CODE };
    const create = (headers: Record<string, string>) => browser.ask('POST', '/tasks', task, headers);
    for (const token of [undefined, '', 'x', other.token, `${browser.token}0`]) {
      const answer = await create({ ...browser.bare, ...(token === undefined ? {} : { 'x-csrf-token': token }) });
      expect([token, answer.status]).toEqual([token, 403]);
      expect(answer.body['detail']).toMatch(/^Permission denied: .*CSRF/);
    }
    expect((await browser.ask('DELETE', '/tasks/one', undefined, browser.bare)).status).toBe(403);
    expect((await create(browser.own)).status).toBe(201);
  });

  it('does not count beside a key', async () => {
    const browser = await logIn(server.url, ADMIN);
    const both = await server.call('GET', '/api/v1/session', undefined, { ...browser.bare, 'x-api-key': 'k-read' });
    expect(both.body).toMatchObject({ principal: 'key:reader', csrf_token: null });
    expect((await server.call('GET', '/api/v1/tasks', undefined, { ...browser.bare, 'x-api-key': 'no' })).status).toBe(
      401,
    );
  });

  it('may do what its key may, and opens no other session', async () => {
    const browser = await logIn(server.url, { 'x-api-key': 'k-read' });
    expect((await browser.ask('POST', '/tasks', { name: 'x', code: CODE })).status).toBe(403);
    expect((await browser.ask('GET', '/keys')).status).toBe(403);
    expect((await browser.ask('POST', '/session')).status).toBe(403);
    expect((await server.call('POST', '/api/v1/session')).status).toBe(401);
  });

  it('ends at once when it is told to, and takes its cookie away', async () => {
    const browser = await logIn(server.url, ADMIN);
    const other = await logIn(server.url, ADMIN);
    expect((await browser.ask('DELETE', '/session', undefined, browser.bare)).status).toBe(403);
    const end = await browser.ask('DELETE', '/session');
    expect([end.status, end.body]).toEqual([200, { status: 'ended' }]);
    expect(end.headers.get('set-cookie')).toMatch(/^ratchet_session=; .*Max-Age=0$/);
    const late = await browser.ask('GET', '/tasks');
    expect(late.status).toBe(401);
    expect(late.headers.get('set-cookie')).toMatch(/^ratchet_session=; .*Max-Age=0$/);
    expect(await tasks(other)).toBe(200);
    expect((await server.call('DELETE', '/api/v1/session', undefined, ADMIN)).status).toBe(404);
  });

  it.each([
    ['is revoked', (key: Awaited<ReturnType<typeof madeKey>>) => key.revoke()],
    ['is replaced', (key: Awaited<ReturnType<typeof madeKey>>) => key.rotate(0)],
  ])('ends when its key %s, also for one of the same name', async (_what, end) => {
    const key = await madeKey();
    const browser = await logIn(server.url, key.headers);
    expect(await tasks(browser)).toBe(200);
    await end(key);
    expect(await tasks(browser)).toBe(401);
    await server.call('POST', '/api/v1/keys', { name: key.name.slice(4), role: 'admin' }, ADMIN);
    expect(await tasks(browser)).toBe(401);
  });

  it('ends when its key expires', async () => {
    const expires_at = new Date(Date.now() + 1_500).toISOString();
    const browser = await logIn(server.url, (await madeKey({ role: 'reader', expires_at })).headers);
    expect(browser.opened['expires_at']).toBe(expires_at);
    await eventually('it is refused', async () => ((await tasks(browser)) === 401 ? true : undefined));
  });

  it('counts where its key does', async () => {
    const browser = await logIn(server.url, { 'x-api-key': 'k-home' });
    const from = async (address: string) =>
      (await browser.ask('GET', '/tasks', undefined, { ...browser.bare, 'x-forwarded-for': address })).status;
    expect([await from('192.0.2.7'), await from('198.51.100.1')]).toEqual([200, 401]);
  });

  it('is opened with a token, and ends no later', async () => {
    const asked = { name: 'ada', role: 'reader', denied_task_patterns: ['one'], expires_in_seconds: 600 };
    const { body } = await server.call('POST', '/api/v1/tokens', asked, ADMIN);
    const browser = await logIn(server.url, { authorization: `Bearer ${String(body['token'])}` });
    expect(browser.opened['principal']).toBe('token:ada');
    expect(Date.parse(String(browser.opened['expires_at'])) - Date.now()).toBeLessThanOrEqual(660_000);
    expect((await browser.ask('GET', '/tasks/one')).status).toBe(403);
    expect((await browser.ask('GET', '/keys')).status).toBe(403);
    expect((await browser.ask('GET', '/executions')).status).toBe(200);
  });

  it('makes room for newer ones of its caller', async () => {
    const first = await logIn(server.url, { 'x-api-key': 'k-many' });
    const others: Browser[] = [];
    for (let count = 1; count < MAX_LOGINS; count += 1) others.push(await logIn(server.url, { 'x-api-key': 'k-many' }));
    expect(await tasks(first)).toBe(200);
    const last = await logIn(server.url, { 'x-api-key': 'k-many' });
    expect([await tasks(first), await tasks(last)]).toEqual([401, 200]);
    for (const other of others) expect(await tasks(other)).toBe(200);
  });

  it('stands in the audit trail from login to logout, and with its secret nowhere', async () => {
    const key = await madeKey();
    const browser = await logIn(server.url, key.headers);
    await browser.ask('DELETE', '/session');
    const { body } = await server.call('GET', `/api/v1/audit?limit=1000`, undefined, ADMIN);
    const entries = (body['entries'] as { principal: string; action: string }[]).filter(
      ({ principal }) => principal === key.name,
    );
    expect(entries.map(({ action }) => action).toSorted()).toEqual(['LoggedIn', 'LoggedOut']);
    expect(entries.find(({ action }) => action === 'LoggedIn')).toMatchObject({ details: { by: 'key' } });
    const events = await server.call('GET', '/api/v1/events?category=access&limit=1000', undefined, ADMIN);
    const told = JSON.stringify([body, events.body]);
    const secret = browser.cookie.split('.').at(-1) ?? '';
    const { runtime } = server.server.app.core.execute;
    expect(told).toContain('LoggedIn');
    for (const hidden of [secret, runtime.sha256(secret), browser.token]) expect(told).not.toContain(hidden);
  });
});

describe('the cookie of a session', () => {
  it('is kept to the host and to TLS behind a trusted proxy that says https', async () => {
    const browser = await logIn(server.url, { ...ADMIN, 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.1' });
    expect(browser.setCookie).toMatch(/^__Host-ratchet_session=\S+; Path=\/; HttpOnly; SameSite=Strict; .*; Secure$/);
    const tls = { ...browser.bare, 'x-forwarded-proto': 'https' };
    expect((await browser.ask('GET', '/tasks', undefined, tls)).status).toBe(200);
    const tossed = { ...tls, cookie: browser.cookie.replace('__Host-', '') };
    expect((await browser.ask('GET', '/tasks', undefined, tossed)).status).toBe(401);
  });

  it('that nobody was given counts as a failed login', async () => {
    await using strict = await startConfigured(KEYS);
    const browser = await logIn(strict.url, ADMIN);
    const ended = await logIn(strict.url, ADMIN);
    await ended.ask('DELETE', '/session');
    const [account = '', login = ''] = browser.cookie.split('=').at(-1)?.split('.') ?? [];
    const look = async (value: string) =>
      (await strict.call('GET', '/api/v1/tasks', undefined, { cookie: `a=b; ratchet_session=${value}; c=d` })).status;
    for (let count = 0; count < 25; count += 1) expect(await look(ended.cookie.split('=').at(-1) ?? '')).toBe(401);
    const guesses = [`${account}.${login}.${'0'.repeat(64)}`, `${login}.${account}.${'0'.repeat(64)}`, 'x', ''];
    const statuses: number[] = [];
    for (let count = 0; count < 21; count += 1) statuses.push(await look(guesses[count % guesses.length] ?? ''));
    expect(statuses).toEqual([...Array.from({ length: 20 }, () => 401), 429]);
    expect(await tasks(browser)).toBe(429);
  });

  it('is not looked at by /mcp: agents use keys', async () => {
    const browser = await logIn(server.url, ADMIN);
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} };
    const refused = await call(server.url, 'POST', '/mcp', list, { ...browser.own, accept: 'application/json' });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('set-cookie')).toBeNull();
    expect(JSON.stringify(refused.body)).toContain('sessions of browsers do not count');
    const { status } = await call(server.url, 'POST', '/mcp', list, { ...ADMIN, accept: '*/*' });
    expect([status, await tasks(browser)]).toEqual([200, 200]);
  });
});

describe('with a session', () => {
  const origin = (): string => server.url;
  const graphql = (browser: Browser, headers: Readonly<Record<string, string>>) =>
    call(
      server.url,
      'POST',
      '/graphql',
      { query: '{ tasks { edges { node { name } } } }' },
      {
        accept: 'application/json',
        ...browser.bare,
        ...headers,
      },
    );

  it('GraphQL is asked like REST', async () => {
    const browser = await logIn(server.url, ADMIN);
    expect((await graphql(browser, {})).status).toBe(403);
    const answer = await graphql(browser, browser.own);
    expect(JSON.stringify(answer.body)).toContain('"one"');
  });

  it('event streams are opened by pages of the server only', async () => {
    const browser = await logIn(server.url, ADMIN);
    const open = async (path: string, headers: Record<string, string>) => {
      const gone = new AbortController();
      const init = { headers: { accept: 'text/event-stream', ...browser.bare, ...headers }, signal: gone.signal };
      const { status } = await fetch(`${server.url}${path}`, init);
      gone.abort();
      return status;
    };
    for (const path of ['/api/v1/events', `/graphql?query=${encodeURIComponent(LIVE)}`]) {
      expect([path, await open(path, {})]).toEqual([path, 403]);
      expect(await open(path, { origin: 'https://evil.example' })).toBe(403);
      expect(await open(path, { 'sec-fetch-site': 'same-site' })).toBe(403);
      expect(await open(path, { origin: origin(), 'sec-fetch-site': 'cross-site' })).toBe(403);
      expect(await open(path, { origin: origin() })).toBe(200);
      expect(await open(path, { 'sec-fetch-site': 'same-origin' })).toBe(200);
      expect(await open(path, { 'x-csrf-token': browser.token })).toBe(200);
    }
  });

  it('GraphQL sockets are opened by pages of the server only', async () => {
    const browser = await logIn(server.url, ADMIN);
    const heard = subscribe(server.url, LIVE, {}, { headers: { ...browser.bare, origin: origin() } });
    const foreign = subscribe(server.url, LIVE, {}, { headers: { ...browser.bare, 'sec-fetch-site': 'same-site' } });
    await expect(foreign.completed).rejects.toThrow();
    let made = 0;
    await eventually('a change is told', async () => {
      made += 1;
      await server.task(`told-${made}`, CODE);
      return heard.results[0];
    });
    await heard.stop();
  });

  it('debug sockets are opened by pages of the server only', async () => {
    const browser = await logIn(server.url, ADMIN);
    const run = await browser.ask('POST', '/tasks/execute', { task_id: 'one', input: {} });
    const { body } = await browser.ask('POST', '/debug/sessions', { execution_id: run.body['execution_id'] });
    const path = `/api/v1/debug/sessions/${String(body['session_id'])}/socket`;
    expect(await socketOf(server.url, path, browser.bare).opened).toBe(403);
    const own = socketOf(server.url, path, { ...browser.bare, origin: origin() });
    expect(await own.opened).toBe(101);
    await browser.ask('DELETE', '/session');
    expect(await own.closed).toBe(1008);
  });

  it.each([
    ['its key is revoked', (key: Awaited<ReturnType<typeof madeKey>>) => key.revoke()],
    ['it is ended', (_key: unknown, browser: Browser) => browser.ask('DELETE', '/session')],
  ])('streams and sockets end when %s', async (_what, end) => {
    const key = await madeKey();
    const browser = await logIn(server.url, key.headers);
    const rest = await fetch(`${server.url}/api/v1/events`, {
      headers: { accept: 'text/event-stream', ...browser.own },
    });
    expect(rest.status).toBe(200);
    const live = stream(server.url, LIVE, {}, browser.own);
    const heard = subscribe(server.url, LIVE, {}, { headers: { ...browser.bare, origin: origin() } });
    await eventually('all are told of changes', async () => {
      number += 1;
      await server.task(`live-${number}`, CODE);
      return live.results.length > 0 && heard.results.length > 0 ? true : undefined;
    });
    await end(key, browser);
    await expect(heard.completed).rejects.toThrow();
    await live.completed.catch(() => undefined);
    expect(await rest.text()).toContain(': connected');
  });
});

describe('a session of the person at this machine', () => {
  it('is opened without a key, and needs its CSRF token like any other', async () => {
    await using local = await startConfigured('server: { port: 0 }\n');
    const browser = await logIn(local.url);
    expect(browser.opened['principal']).toBe('local:admin');
    expect((await browser.ask('GET', '/keys', undefined, browser.bare)).status).toBe(200);
    expect((await browser.ask('POST', '/tasks', { name: 'one', code: CODE }, browser.bare)).status).toBe(403);
    expect((await browser.ask('POST', '/tasks', { name: 'one', code: CODE })).status).toBe(201);
    const away = { ...browser.bare, 'x-forwarded-for': '192.0.2.1' };
    expect((await browser.ask('GET', '/tasks', undefined, away)).status).toBe(401);
    expect((await browser.ask('DELETE', '/session')).status).toBe(200);
    // Without a session, and with an old cookie, it is the person at this machine again.
    expect((await browser.ask('POST', '/session', undefined, browser.bare)).status).toBe(201);
  });
});

describe('sessions of two nodes on one log', () => {
  let folder: string;
  const node = () => startConfigured(KEYS, { env: { DATABASE_URL: `sqlite:${join(folder, 'ratchet.db')}` } });
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'ratchet-sessions-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }));

  it('count at both and after a restart, and end at both at once, with what they opened', async () => {
    await using one = await node();
    let browser: Browser;
    let ended: Browser;
    {
      await using other = await node();
      browser = await logIn(one.url, ADMIN);
      ended = await logIn(one.url, ADMIN);
      const there = ended.at(other.url);
      expect([await tasks(browser.at(other.url)), await tasks(there)]).toEqual([200, 200]);
      const events = await fetch(`${other.url}/api/v1/events`, {
        headers: { accept: 'text/event-stream', ...ended.own },
      });
      expect(events.status).toBe(200);
      await ended.ask('DELETE', '/session');
      expect(await events.text()).toContain(': connected');
      expect(await tasks(there)).toBe(401);
    }
    await using again = await node();
    expect([await tasks(browser.at(again.url)), await tasks(ended.at(again.url))]).toEqual([200, 401]);
  });

  it('end where the key that they were opened with is no more, whatever was stored', async () => {
    const yaml = KEYS.replace('key: k-read', 'key: k-replaced');
    let browser: Browser;
    let token: Browser;
    {
      await using one = await node();
      browser = await logIn(one.url, { 'x-api-key': 'k-read' });
      const { body } = await one.call('POST', '/api/v1/tokens', { name: 'ada', role: 'reader' }, ADMIN);
      token = await logIn(one.url, { authorization: `Bearer ${String(body['token'])}` });
    }
    const env = { DATABASE_URL: `sqlite:${join(folder, 'ratchet.db')}` };
    await using changed = await startConfigured(yaml.replace(SECRET, `${SECRET}!`), { env });
    expect([await tasks(browser.at(changed.url)), await tasks(token.at(changed.url))]).toEqual([401, 401]);
  });
});

describe('the time of a session', () => {
  it('is auth.session.idle_timeout without a request, also for what it has opened', async () => {
    await using short = await startConfigured(`${KEYS.replace('auth:', 'auth:\n  session: { idle_timeout: 1s }')}`);
    const idle = await logIn(short.url, ADMIN);
    const events = await fetch(`${short.url}/api/v1/events`, { headers: { accept: 'text/event-stream', ...idle.own } });
    expect(events.status).toBe(200);
    expect(await events.text()).toContain(': connected');
    expect(await tasks(idle)).toBe(401);
    expect(Date.parse(String(idle.opened['expires_at']))).toBeGreaterThan(Date.now());
  });

  it('is auth.session.max_age at most, however much it is used', async () => {
    await using short = await startConfigured(`${KEYS.replace('auth:', 'auth:\n  session: { max_age: 2s }')}`);
    const browser = await logIn(short.url, ADMIN);
    expect(browser.setCookie).toMatch(/Max-Age=[12]$/);
    await eventually('it is refused', async () => ((await tasks(browser)) === 401 ? true : undefined));
    expect(Date.parse(String(browser.opened['expires_at']))).toBeLessThanOrEqual(Date.now());
  });
});

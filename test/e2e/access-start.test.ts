/** How a server begins to know its callers: the first key, sections of the configuration, several nodes, tokens from the command line. */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { credentials } from '../../infra/credentials.ts';
import { FollowedKeys } from '../../src/reactors/follow-keys.ts';
import { openTestApp } from '../support/app.ts';
import { call, eventually, openHome, ratchet, startServerProcess } from '../support/server.ts';

const KEY = /rk_[0-9a-f]{64}/;
const SECRET = 'a secret of more than thirty-two characters';

/** A request as a proxy, or a machine of another name, would send it. */
function fromElsewhere(url: string, headers: Record<string, string>): Promise<{ status: number; detail: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/api/v1/tasks`, { headers: { host: 'ratchet.example', ...headers } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, detail: String(JSON.parse(text).detail) }));
    });
    sent.on('error', reject).end();
  });
}

describe('without a section about access', () => {
  it('the first start tells a key once, and it is the only way in from elsewhere', async () => {
    using home = openHome();
    const more = 'logging:\n  sinks:\n    - type: file\n      path: server.log\n';
    const first = await startServerProcess(home, { more });
    const key = KEY.exec(first.stderr())?.[0] ?? '';
    expect(key).not.toBe('');
    expect((await call(first.url, 'GET', '/api/v1/tasks')).status).toBe(200);
    const refused = await fromElsewhere(first.url, {});
    expect(refused.status).toBe(401);
    expect(refused.detail).toMatch(/first start .* printed one on its standard error/);
    expect((await fromElsewhere(first.url, { 'x-api-key': key })).status).toBe(200);
    expect((await fromElsewhere(first.url, { 'x-api-key': `${key.slice(0, -1)}x` })).status).toBe(401);
    expect((await call(first.url, 'GET', '/api/v1/tasks', undefined, { 'x-api-key': 'wrong' })).status).toBe(401);
    await first.stop();

    await using second = await startServerProcess(home, { more });
    expect((await fromElsewhere(second.url, { authorization: `Bearer ${key}` })).status).toBe(200);
    expect(second.stderr()).not.toMatch(KEY);
    expect(first.stdout() + second.stdout()).not.toContain(key);
    for (const name of ['server.log', 'ratchet.db', 'ratchet.db.read']) {
      expect(readFileSync(join(home.folder, name)).includes(key), name).toBe(false);
    }
  });
});

describe('with a section about access', () => {
  it('this machine has no privilege, no key is told, and a token from the command line lets in', async () => {
    using home = openHome();
    const more = `auth:\n  jwt:\n    secret: "${SECRET}"\n  api_keys:\n    - key: \${CI_KEY}\n      name: ci\n      role: reader\n`;
    const env = { CI_KEY: 'a key of the environment' };
    await using server = await startServerProcess(home, { more, env });
    expect(server.stderr()).not.toMatch(KEY);
    expect((await call(server.url, 'GET', '/api/v1/tasks')).status).toBe(401);
    const headers = { authorization: 'ApiKey nobody has this one' };
    expect((await call(server.url, 'GET', '/api/v1/tasks', undefined, headers)).status).toBe(401);
    expect((await call(server.url, 'GET', '/api/v1/tasks', undefined, { 'x-api-key': env.CI_KEY })).status).toBe(200);

    const config = join(home.folder, 'config.yaml');
    const create = (...more: string[]) => ratchet(home, ['token', 'create', '--config', config, ...more], { env });
    const made = await create('--name', 'ada', '--role', 'operator', '--expires-in', '1h', '--deny-tasks', 'secret*');
    expect(made.code, made.stderr).toBe(0);
    const { token, expires_at } = made.json() as { token: string; expires_at: string };
    expect(Math.round((Date.parse(expires_at) - Date.now()) / 60_000)).toBe(60);
    const withToken = (method: string, path: string, body?: object) =>
      call(server.url, method, `/api/v1${path}`, body, { authorization: `Bearer ${token}` });
    expect((await withToken('GET', '/tasks')).status).toBe(200);
    expect((await withToken('GET', '/keys')).status).toBe(403);
    const code = 'function main() {}';
    expect((await withToken('POST', '/tasks', { name: 'open', code })).status).toBe(201);
    expect((await withToken('POST', '/tasks', { name: 'secret-one', code })).body['detail']).toBe(
      'Permission denied: Task not allowed',
    );

    const wrong = [await create('--name', 'ada', '--role', 'king'), await create('--name', 'a b', '--role', 'read')];
    expect(wrong.map(({ code }) => code)).toEqual([2, 2]);
  });

  it('that lets everybody in, everybody may do all; production does not start so', async () => {
    using home = openHome();
    const more = 'auth:\n  type: none\n';
    const server = await startServerProcess(home, { more });
    expect((await fromElsewhere(server.url, {})).status).toBe(200);
    expect((await fromElsewhere(server.url, { 'x-api-key': 'wrong' })).status).toBe(401);
    await server.kill();
    const config = home.file('production.yaml', `environment: production\n${more}`);
    const refused = await ratchet(home, ['serve', '--config', config, '--port', '0']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('auth type none lets everybody in');
  });
});

describe('several nodes', () => {
  it('refuse a key as soon as another one has revoked it', async () => {
    await using one = await openTestApp();
    const { store, core } = one.app;
    const stop = new AbortController();
    const other = new FollowedKeys({ store, runtime: core.execute.runtime, credentials }, []);
    const followed = other.follow(() => undefined, stop.signal);
    const { key, key_id } = await one.call('create_key', { name: 'ci', role: 'reader' });
    const admission = await eventually('it is known', () => {
      const found = other.admit(String(key), '10.0.0.1');
      return 'principal' in found ? found : undefined;
    });
    let ended = 0;
    other.watch(admission.principal, () => (ended += 1));
    await one.call('revoke_key', { key_id });
    expect(core.access.keys.admit(String(key), '10.0.0.1')).toHaveProperty('refused');
    await eventually('the other refuses it', () =>
      'refused' in other.admit(String(key), '10.0.0.1') ? true : undefined,
    );
    expect(ended).toBe(1);
    stop.abort();
    await followed;
  });
});

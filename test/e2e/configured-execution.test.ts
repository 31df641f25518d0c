/** What each key about tasks and their executions does, seen from outside a server that was started with it. */
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type Configured, startConfigured } from '../support/configured.ts';
import { startHttpApi } from '../support/http-api.ts';
import { eventually } from '../support/server.ts';

const codeOf = (told: Record<string, unknown>): unknown =>
  typeof told['error'] === 'object' && told['error'] !== null && 'code' in told['error']
    ? told['error'].code
    : told['code'];

async function ran(server: Configured, code: string, input: unknown = {}, more: object = {}) {
  const name = `task-${crypto.randomUUID()}`;
  await server.task(name, code);
  return server.run(name, input, more);
}

function addressOf(server: TcpServer, scheme = 'http'): string {
  const address = server.address();
  return `${scheme}://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}

const running = async (server: Configured, status: string): Promise<number> => {
  const { body } = await server.call('GET', `/api/v1/executions?status=${status}`);
  return Array.isArray(body['executions']) ? body['executions'].length : -1;
};

describe('execution', () => {
  it('bounds time, output, log, steps and bodies', async () => {
    const api = await startHttpApi();
    await using server = await startConfigured(`execution:
  max_execution_time: 3s
  max_output_bytes: 1KB
  max_log_lines: 5
  max_log_bytes: 2KB
  max_steps: 3
  max_response_body_bytes: 20
outbound: { allow: ["127.0.0.0/8"] }
`);
    const codes = [
      'function main() { for (;;); }',
      'function main() { return "x".repeat(2000); }',
      'function main() { for (let n = 0; n < 6; n++) console.log(n); }',
      'function main() { console.log("x".repeat(3000)); }',
      'function main() { for (let n = 0; n < 4; n++) sleep(1); }',
    ].map(async (code) => codeOf(await ran(server, code)));
    expect(await Promise.all(codes)).toEqual([
      'execution_timeout',
      'output_too_large',
      'log_limit_exceeded',
      'log_limit_exceeded',
      'step_limit_exceeded',
    ]);
    const fetches = 'function main(url) { try { fetch(url); } catch (error) { return error.code; } }';
    expect((await ran(server, fetches, `${api.url}/v1/search?name=London`))['output']).toBe('body_too_large');
    await api.close();
  });

  it('bounds the queue and the executions of one caller', async () => {
    await using server = await startConfigured(
      'workers: { count: 2 }\nexecution: { queue_size: 2, max_concurrent_per_client: 1 }',
    );
    await server.task('waits', 'async function main() { for (;;) await sleep(200); }');
    const request = async () =>
      (await server.call('POST', '/api/v1/executions', { task_id: 'waits', input: {} })).status;
    expect(await request()).toBe(202);
    await eventually('it runs', async () => ((await running(server, 'running')) === 1 ? true : undefined));
    expect([await request(), await request(), await request()]).toEqual([202, 202, 429]);
    expect([await running(server, 'running'), await running(server, 'pending')]).toEqual([1, 2]);
    await server.call('POST', '/api/v1/executions/cancel', { dry_run: false, task_id: 'waits' });
    await eventually('all have ended', async () => ((await running(server, 'cancelled')) === 3 ? true : undefined));
  });

  it('waits as long as wait_seconds_default and wait_seconds_max say', async () => {
    await using server = await startConfigured('execution: { wait_seconds_default: 0, wait_seconds_max: 1 }');
    await server.task('short', 'async function main() { await sleep(3000); }');
    await server.task('long', 'async function main() { await sleep(120000); }');
    const statusOf = async (task: string, more: object) => (await server.run(task, {}, more))['status'];
    // The default would have waited for the end of the first, and the wish for longer than this test may take.
    expect(await statusOf('short', {})).toBe('running');
    expect(await statusOf('long', { wait_seconds: 50 })).toBe('running');
  });
});

describe('tasks', () => {
  it('have the memory of limits.task_execution_memory_limit', async () => {
    await using server = await startConfigured('limits: { task_execution_memory_limit: 64MB }');
    const code =
      'function main() { const kept = []; for (let n = 0; n < 90; n++) kept.push(new Array(131072).fill(n)); return kept.length; }';
    expect(codeOf(await ran(server, code))).toBe('memory_limit_exceeded');
    await using other = await startConfigured('limits: { task_execution_memory_limit: 256MB }');
    expect((await ran(other, code))['output']).toBe(90);
  });

  it('read files below tasks.file_roots, and are dangerous only where tasks.allow_dangerous lets them', async () => {
    const files = { 'data/a.txt': 'content of a' };
    const reads = 'function main(path) { return readFile(path); }';
    const danger = { dangerous: true };
    await using server = await startConfigured('tasks: { file_roots: [data], allow_dangerous: true }', { files });
    expect((await ran(server, reads, 'a.txt'))['output']).toBe('content of a');
    await server.task('danger', 'function main() { return 1; }', danger);
    expect((await server.run('danger'))['output']).toBe(1);
    await using other = await startConfigured('', { files });
    expect((await ran(other, reads, 'a.txt'))['status']).toBe('failed');
    await other.task('danger', 'function main() { return 1; }', danger);
    expect(codeOf(await other.run('danger'))).toBe('dangerous_task');
  });

  it('tell their secrets to the hosts of the secret alone', async () => {
    const api = await startHttpApi();
    await using server = await startConfigured(
      `outbound: { allow: ["127.0.0.0/8"] }
secrets:
  here: { value: "\${WORD}", allowed_hosts: ["127.0.0.1"] }
  nowhere: { value: other }
`,
      { env: { WORD: 'a word of the environment' } },
    );
    const code =
      'function main({ url, name }) { return fetch(url, { headers: { "x-secret": secret(name) } }).body.headers["x-secret"]; }';
    const told = await ran(server, code, { url: `${api.url}/echo`, name: 'here' });
    expect(JSON.stringify(told)).not.toContain('a word of the environment');
    expect(told['status']).toBe('completed');
    expect((await ran(server, code, { url: `${api.url}/echo`, name: 'nowhere' }))['status']).toBe('failed');
    await api.close();
  });

  it('come from registry.sources, watched or not', async () => {
    const files = Object.fromEntries(
      ['still', 'asleep', 'awake'].flatMap((name) => [
        [`${name}/${name}/metadata.json`, JSON.stringify({ name })],
        [`${name}/${name}/main.js`, 'function main() { return 1; }'],
      ]),
    );
    await using server = await startConfigured(
      `registry:
  sources:
    - { name: not-watched, uri: "file://./still" }
    - { name: not-reloaded, uri: asleep, watch_for_changes: true, auto_reload: false }
    - { name: watched, uri: awake, config: { watch_for_changes: true, auto_reload: true } }
`,
      { files },
    );
    const { body } = await server.call('GET', '/api/v1/sources');
    expect(JSON.stringify(body)).toMatch(/"not-watched".*"tasks":1/);
    for (const name of ['still', 'asleep', 'awake']) {
      expect((await server.run(name))['output'], name).toBe(1);
      writeFileSync(server.path(`${name}/${name}/main.js`), 'function main() { return 2; }');
    }
    await eventually('the watched one has changed', async () =>
      (await server.run('awake'))['output'] === 2 ? true : undefined,
    );
    expect([(await server.run('still'))['output'], (await server.run('asleep'))['output']]).toEqual([1, 1]);
  });
});

describe('outbound', () => {
  const reason =
    'function main(url) { try { fetch(url); return "answered"; } catch (error) { return error.code + " " + error.message; } }';

  it('reaches private addresses that are allowed, and waits outbound.timeout for an answer', async () => {
    const api = await startHttpApi();
    await using server = await startConfigured('outbound: { allow: ["127.0.0.0/8"], timeout: 1s }');
    expect((await ran(server, reason, `${api.url}/json`))['output']).toBe('answered');
    expect((await ran(server, reason, `${api.url}/never`))['output']).toMatch(/within 1000 ms/);
    await using closed = await startConfigured('');
    expect((await ran(closed, reason, `${api.url}/json`))['output']).not.toBe('answered');
    await api.close();
  });

  it('waits outbound.connect_timeout for a connection', async () => {
    // It takes connections and never answers the handshake, which belongs to connecting.
    const silent = createTcpServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    await using server = await startConfigured('outbound: { allow: ["127.0.0.0/8"], connect_timeout: 200ms }');
    const told = await ran(server, reason, addressOf(silent, 'https'), { timeout: 5 });
    expect(told['output']).toMatch(/timeout|connect/i);
    silent.close();
  });

  it.each([
    ['max_sockets: 2', 2, ['keep-alive', 'keep-alive']],
    ['max_sockets: 1', 1, ['keep-alive', 'keep-alive']],
    ['max_free_sockets: 1', 2, ['close', 'keep-alive']],
    ['keep_alive: false', 2, ['close', 'close']],
  ])('opens and keeps as many connections as asked: %s', async (yaml, most, connections) => {
    const seen: string[] = [];
    const held: (() => void)[] = [];
    let mostAtOnce = 0;
    // Two that come together are held until both are there; one that comes alone has to wait for no other.
    const api = createServer((request, response) => {
      seen.push(String(request.headers.connection));
      held.push(() => response.end('1'));
      mostAtOnce = Math.max(mostAtOnce, held.length);
      if (held.length === most) for (const answer of held.splice(0)) answer();
    }).listen(0, '127.0.0.1');
    await once(api, 'listening');
    await using server = await startConfigured(`outbound: { allow: ["127.0.0.0/8"], ${yaml} }`);
    const both = 'async function main(url) { return (await Promise.all([fetch(url), fetch(url)])).length; }';
    expect((await ran(server, both, addressOf(api)))['output']).toBe(2);
    expect([mostAtOnce, seen.toSorted((a, b) => a.localeCompare(b))]).toEqual([most, connections]);
    api.close();
    api.closeAllConnections();
  });
});

it('event_store.url is where the log is, database.url where it is not set', async () => {
  await using server = await startConfigured(
    'database: { url: "sqlite:one.db" }\nevent_store: { url: "sqlite:log.db" }',
    {
      ownDatabase: true,
    },
  );
  await server.task('kept', 'function main() {}');
  const stored = ['log.db', 'log.db-wal'].map((name) => readFileSync(server.path(name)).includes('kept'));
  expect(stored).toContain(true);
  expect(existsSync(server.path('one.db'))).toBe(false);
  await using other = await startConfigured('database: { url: "sqlite:one.db" }', { ownDatabase: true });
  expect(existsSync(other.path('one.db'))).toBe(true);
});

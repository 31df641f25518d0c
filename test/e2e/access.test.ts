/** Who may do what over REST: every operation for every kind of caller, and every way a caller is refused. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { accessSettings } from '../../src/cli/access-settings.ts';
import { type Server, startServer } from '../../src/cli/serve.ts';
import { LIVE } from '../../src/interfaces/live.ts';
import { ROUTES } from '../../src/interfaces/surfaces.ts';
import { TEST_SETTINGS } from '../support/app.ts';
import { type Answer, call, eventually } from '../support/server.ts';

const LISTENER = {
  host: '127.0.0.1',
  port: 0,
  restPrefix: '/api/v1',
  maxRequestBytes: 200_000,
  requestTimeoutMs: 30_000,
  keepAliveMs: 5_000,
  webhooks: [],
  version: '1.2.3',
};

const NO_PERMISSIONS = {
  canExecuteTasks: false,
  canManageTasks: false,
  canReadLogs: false,
  canReadTraces: false,
  canAccessSystemInfo: false,
  canAdminister: false,
  allowedTaskPatterns: ['*'],
  deniedTaskPatterns: [] as string[],
};
const READER = { ...NO_PERMISSIONS, canReadLogs: true, canReadTraces: true };
const OPERATOR = { ...READER, canExecuteTasks: true, canManageTasks: true };
const ADMIN = { ...OPERATOR, canAccessSystemInfo: true, canAdminister: true };

function key(name: string, permissions: typeof NO_PERMISSIONS, more: object = {}) {
  const rateLimits = { executionsPerMinute: null, logsPerMinute: null };
  return { key: `key-of-${name}`, name, permissions, rateLimits, active: true, allowedIps: [], ...more };
}

const ACCESS = accessSettings({
  type: 'api_key',
  apiKeys: [
    key('admin', ADMIN),
    key('operator', OPERATOR),
    key('reader', READER),
    key('runner', { ...NO_PERMISSIONS, canExecuteTasks: true }),
    key('empty', NO_PERMISSIONS),
    key('bound', { ...OPERATOR, allowedTaskPatterns: ['ci_*'], deniedTaskPatterns: ['ci_secret'] }),
    key('sleeping', ADMIN, { active: false }),
    key('elsewhere', ADMIN, { allowedIps: ['10.0.0.0/8'] }),
    key('here', READER, { allowedIps: ['127.0.0.0/8', '::1'] }),
  ],
  jwt: { secret: 's'.repeat(32), algorithm: 'HS256', expiresInMs: 3_600_000, issuer: 'ratchet', audience: null },
  oauth2: null,
});

let server: Server;
const rest = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  call(server.url, method, `/api/v1${path}`, body, headers);
const as = (name: string) => ({ 'x-api-key': `key-of-${name}` });

beforeAll(async () => {
  server = await startServer({ ...TEST_SETTINGS, access: ACCESS }, LISTENER);
  for (const name of ['ci_build', 'ci_secret', 'other']) {
    const { status } = await rest('POST', '/tasks', { name, code: 'function main() { return 1; }' }, as('admin'));
    expect(status).toBe(201);
  }
});
afterAll(() => server.close());

type Kind = 'admin' | 'operator' | 'reader' | 'runner';

/** Who may do each operation; written down by hand, so that a change of a permission is noticed. */
const ALL: readonly Kind[] = ['admin', 'operator', 'reader', 'runner'];
const RUNS: readonly Kind[] = ['admin', 'operator', 'runner'];
const WRITES: readonly Kind[] = ['admin', 'operator'];
const READS: readonly Kind[] = ['admin', 'operator', 'reader'];
const ADMINS: readonly Kind[] = ['admin'];
const MAY: Readonly<Record<string, readonly Kind[]>> = {
  list_available_tasks: ALL,
  get_task: ALL,
  list_task_versions: ALL,
  list_executions: ALL,
  get_execution_status: ALL,
  list_projections: ALL,
  execute_task: RUNS,
  create_execution: RUNS,
  cancel_execution: RUNS,
  retry_execution: RUNS,
  fork_execution: RUNS,
  answer_question: RUNS,
  cancel_executions: RUNS,
  retry_executions: RUNS,
  get_stats: ALL,
  list_workers: ADMINS,
  list_sources: ADMINS,
  network_interfaces: ADMINS,
  sync_source: WRITES,
  list_batches: ALL,
  get_batch: ALL,
  batch_execute: RUNS,
  cancel_batch: RUNS,
  list_schedules: ALL,
  get_schedule: ALL,
  create_schedule: RUNS,
  edit_schedule: RUNS,
  delete_schedule: RUNS,
  enable_schedule: RUNS,
  disable_schedule: RUNS,
  trigger_schedule: RUNS,
  list_deliveries: READS,
  get_delivery: READS,
  redeliver: ADMINS,
  create_task: WRITES,
  edit_task: WRITES,
  delete_task: WRITES,
  restore_task: WRITES,
  validate_task: WRITES,
  run_task_tests: WRITES,
  enable_task: WRITES,
  disable_task: WRITES,
  get_execution_logs: READS,
  get_audit_trail: READS,
  get_execution_trace: READS,
  visualize_execution_trace: READS,
  list_steps: READS,
  list_execution_events: READS,
  list_events: READS,
  get_event: READS,
  analyze_execution_error: READS,
  compare_executions: READS,
  list_failures: READS,
  profile_execution: READS,
  debug_execution: READS,
  replay_execution: READS,
  replay_failures: READS,
  list_replays: READS,
  get_replay: READS,
  open_debug_session: READS,
  list_debug_sessions: READS,
  get_debug_session: READS,
  send_debug_command: READS,
  close_debug_session: READS,
  rebuild_projections: ADMINS,
  create_key: ADMINS,
  list_keys: ADMINS,
  get_key: ADMINS,
  rotate_key: ADMINS,
  revoke_key: ADMINS,
  create_token: ADMINS,
};

describe('every operation', () => {
  const target = (path: string): string => path.replaceAll(/:\w+/g, 'missing');
  const isWrite = (method: string): boolean => method !== 'GET' && method !== 'DELETE';

  it.each(ROUTES.map(({ method, path, operation }) => ({ method, path, operation })))(
    '$method $path is open to who may, and to nobody else',
    async ({ method, path, operation }) => {
      // Nothing is carried out: where an input is asked for, the empty one is refused after the caller was let through.
      const body = isWrite(method) && operation !== 'rebuild_projections' ? {} : undefined;
      for (const kind of ALL) {
        const answer = await rest(method, target(path), body, as(kind));
        const expected = MAY[operation]?.includes(kind);
        expect(expected, `${operation} stands in the table`).toBeDefined();
        const refused = answer.status === 401 || answer.status === 403;
        expect({ kind, refused }, JSON.stringify(answer.body)).toEqual({ kind, refused: !expected });
        if (refused) expect(answer.body['detail']).toMatch(/^Permission denied: /);
      }
      expect((await rest(method, target(path), body, as('empty'))).status).toBe(403);
      const nobody = await rest(method, target(path), body);
      expect(nobody.status).toBe(401);
      expect(nobody.headers.get('www-authenticate')).toBe('Bearer realm="ratchet", ApiKey realm="ratchet"');
    },
  );

  it('refuses in the words of the documents', async () => {
    const detail = async (method: string, path: string, name: string, body?: object) =>
      (await rest(method, path, body, as(name))).body['detail'];
    const input = { task_id: 'ci_build', input: {} };
    expect(await detail('POST', '/tasks/execute', 'reader', input)).toBe('Permission denied: Cannot execute tasks');
    expect(await detail('GET', '/executions/missing/logs', 'runner')).toBe('Permission denied: Cannot read logs');
    const other = { task_id: 'other', input: {} };
    expect(await detail('POST', '/tasks/execute', 'bound', other)).toBe('Permission denied: Task not allowed');
  });

  const live = ROUTES.filter(({ operation }) => LIVE.has(operation));
  it.each(live.map(({ path, operation }) => ({ path, operation })))(
    '$path is as closed when it is watched',
    async ({ path, operation }) => {
      const { body } = await rest('POST', '/tasks/execute', { task_id: 'other', input: {} }, as('admin'));
      const { body: batch } = await rest('POST', '/batches', { tasks: [{ task_id: 'other', input: {} }] }, as('admin'));
      const batchId = String(batch['batch_id']);
      const url = path.replace(':batch_id', batchId).replaceAll(/:\w+/g, String(body['execution_id']));
      const watch = async (headers: Record<string, string>): Promise<number> => {
        const gone = new AbortController();
        const init = { headers: { accept: 'text/event-stream', ...headers }, signal: gone.signal };
        const { status } = await fetch(`${server.url}/api/v1${url}`, init);
        gone.abort();
        return status;
      };
      expect(await watch({})).toBe(401);
      expect(await watch(as('empty'))).toBe(403);
      expect(await watch(as('runner'))).toBe(MAY[operation]?.includes('runner') === true ? 200 : 403);
      expect(await watch(as('bound'))).toBe(path.includes(':') ? 403 : 200);
      expect(await watch(as('reader'))).toBe(200);
    },
  );

  it('has no privilege on this machine once keys are configured', async () => {
    expect((await rest('GET', '/tasks')).status).toBe(401);
    expect((await call(server.url, 'GET', '/health')).status).toBe(200);
  });

  it('live calls of a replay need the right to execute', async () => {
    const { body } = await rest('POST', '/tasks/execute', { task_id: 'ci_build', input: {} }, as('admin'));
    const path = `/executions/${String(body['execution_id'])}/replay`;
    expect((await rest('POST', path, { allow_live: true }, as('reader'))).status).toBe(403);
    expect((await rest('POST', path, { allow_live: true }, as('operator'))).status).toBe(200);
  });
});

describe('a key', () => {
  it.each([
    ['x-api-key', 'key-of-reader'],
    ['authorization', 'Bearer key-of-reader'],
    ['authorization', 'ApiKey key-of-reader'],
    ['authorization', 'apikey key-of-reader'],
  ])('is taken from %s: %s', async (header, value) => {
    expect((await rest('GET', '/tasks', undefined, { [header]: value })).status).toBe(200);
  });

  it('is not taken from an address', async () => {
    expect((await rest('GET', '/tasks?api_key=key-of-reader&key=key-of-reader')).status).toBe(401);
  });

  it.each([
    ['that nobody has', { 'x-api-key': 'wrong' }],
    ['that is almost one', { 'x-api-key': 'key-of-reade' }],
    ['that is empty', { 'x-api-key': '' }],
    ['in another scheme', { authorization: 'Basic a2V5LW9mLXJlYWRlcg==' }],
    ['that is too long', { 'x-api-key': 'x'.repeat(8_193) }],
    ['that is not active', as('sleeping')],
    ['from a wrong address', as('elsewhere')],
  ])('%s is refused with one and the same message', async (_what, headers) => {
    const answer = await rest('GET', '/tasks', undefined, headers);
    expect(answer.status).toBe(401);
    expect(answer.body['detail']).toBe('the key or token is not accepted');
    expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"');
  });

  it('may come from its addresses', async () => {
    expect((await rest('GET', '/tasks', undefined, as('here'))).status).toBe(200);
  });

  it('is bound to its task patterns', async () => {
    const run = (task_id: string) => rest('POST', '/tasks/execute', { task_id, input: {} }, as('bound'));
    expect((await run('ci_build')).body['status']).toBe('completed');
    expect((await run('ci_secret')).status).toBe(403);
    expect((await run('other')).status).toBe(403);
    const { body } = await rest('GET', '/tasks', undefined, as('bound'));
    expect((body['tasks'] as { name: string }[]).map(({ name }) => name)).toEqual(['ci_build']);
  });
});

describe('keys that are made', () => {
  const make = async (name: string, more: object = { role: 'reader' }): Promise<{ id: string; key: string }> => {
    const { status, body } = await rest('POST', '/keys', { name, ...more }, as('admin'));
    expect(status, JSON.stringify(body)).toBe(201);
    return { id: String(body['key_id']), key: String(body['key']) };
  };
  const look = (apiKey: string, path = '/tasks') => rest('GET', path, undefined, { 'x-api-key': apiKey });

  it('let in until they are revoked, and stand in no event', async () => {
    const { id, key: made } = await make('first');
    expect((await look(made)).status).toBe(200);
    expect((await look(made, '/keys')).status).toBe(403);
    const { body: listed } = await rest('GET', '/keys', undefined, as('admin'));
    expect(listed['keys']).toMatchObject([{ key_id: id, name: 'first', status: 'active', prefix: made.slice(0, 11) }]);
    const { body: events } = await rest('GET', '/events?category=access&limit=1000', undefined, as('admin'));
    const told = JSON.stringify(events) + JSON.stringify(listed);
    expect(told).toContain('KeyCreated');
    expect(told).not.toContain(made);
    expect(told).not.toContain(server.app.core.execute.runtime.sha256(made));
    expect((await rest('DELETE', `/keys/${id}`, undefined, as('admin'))).body).toMatchObject({ status: 'revoked' });
    expect((await look(made)).status).toBe(401);
    expect((await rest('GET', `/keys/${id}`, undefined, as('admin'))).body).toMatchObject({ status: 'revoked' });
  });

  it('are replaced at once, or after a while', async () => {
    const { id, key: old } = await make('turning');
    const { body: hard } = await rest('POST', `/keys/${id}/rotate`, {}, as('admin'));
    expect([(await look(old)).status, (await look(String(hard['key']))).status]).toEqual([401, 200]);
    const { body: soft } = await rest('POST', `/keys/${id}/rotate`, { keep_old_seconds: 60 }, as('admin'));
    expect([(await look(String(hard['key']))).status, (await look(String(soft['key']))).status]).toEqual([200, 200]);
  });

  it('expire', async () => {
    const { key: made } = await make('short', {
      role: 'reader',
      expires_at: new Date(Date.now() + 1_500).toISOString(),
    });
    expect((await look(made)).status).toBe(200);
    await eventually('it is refused', async () => ((await look(made)).status === 401 ? true : undefined));
  });

  it('have one name each, also beside those of the configuration', async () => {
    await make('twice');
    expect((await rest('POST', '/keys', { name: 'twice', role: 'reader' }, as('admin'))).status).toBe(409);
    expect((await rest('POST', '/keys', { name: 'reader', role: 'reader' }, as('admin'))).status).toBe(409);
  });

  it('are made once under one idempotency key, and then not told again', async () => {
    const headers = { ...as('admin'), 'idempotency-key': 'make-it' };
    const first = await rest('POST', '/keys', { name: 'once', role: 'reader' }, headers);
    const again = await rest('POST', '/keys', { name: 'once', role: 'reader' }, headers);
    expect(first.body['key']).toMatch(/^rk_[0-9a-f]{64}$/);
    expect(again.body).toMatchObject({ key_id: first.body['key_id'], key: null });
    const both = await Promise.all(
      [1, 2].map(() =>
        rest('POST', '/keys', { name: 'same', role: 'reader' }, { ...as('admin'), 'idempotency-key': 'b' }),
      ),
    );
    const keys = both.flatMap(({ body }) => (body['key'] === null ? [] : [String(body['key'])]));
    expect(keys).toHaveLength(1);
    expect((await look(keys[0] ?? '')).status).toBe(200);
  });

  it('need a role or permissions', async () => {
    const { status, body } = await rest('POST', '/keys', { name: 'none' }, as('admin'));
    expect([status, body['detail']]).toEqual([400, 'role: give a role or permissions']);
  });

  it('end the event streams and debug sockets of their callers when they are revoked', async () => {
    const { id, key: made } = await make('watching', { role: 'reader' });
    const { body: run } = await rest('POST', '/tasks/execute', { task_id: 'ci_build', input: {} }, as('admin'));
    const headers = { 'x-api-key': made };
    const { body: session } = await rest('POST', '/debug/sessions', { execution_id: run['execution_id'] }, headers);
    const address = `${server.url.replace('http', 'ws')}/api/v1/debug/sessions/${String(session['session_id'])}/socket`;
    const socket = new WebSocket(address, { headers });
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const stream = await fetch(`${server.url}/api/v1/events`, { headers: { ...headers, accept: 'text/event-stream' } });
    expect(stream.status).toBe(200);
    await rest('DELETE', `/keys/${id}`, undefined, as('admin'));
    expect(await closed).toBe(1008);
    expect(await stream.text()).toContain(': connected');
    await rest('DELETE', `/debug/sessions/${String(session['session_id'])}`, undefined, as('admin'));
  });

  it('show an event stream only what their patterns allow', async () => {
    const headers = { ...as('bound'), accept: 'text/event-stream' };
    const gone = new AbortController();
    const stream = await fetch(`${server.url}/api/v1/events?category=execution`, { headers, signal: gone.signal });
    const run = async (task_id: string) =>
      String((await rest('POST', '/tasks/execute', { task_id, input: {} }, as('admin'))).body['execution_id']);
    const hidden = await run('other');
    const shown = await run('ci_build');
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of stream.body ?? []) {
      text += decoder.decode(chunk);
      if (text.includes(shown) && text.includes('ExecutionCompleted')) break;
    }
    gone.abort();
    expect(text).not.toContain(hidden);
  });
});

describe('a token that is made', () => {
  it('carries its rights with it', async () => {
    const { status, body } = await rest(
      'POST',
      '/tokens',
      { name: 'ada', role: 'operator', denied_task_patterns: ['ci_*'], expires_in_seconds: 600 },
      as('admin'),
    );
    expect(status).toBe(201);
    const headers = { authorization: `Bearer ${String(body['token'])}` };
    expect((await rest('GET', '/tasks', undefined, headers)).status).toBe(200);
    expect((await rest('GET', '/keys', undefined, headers)).status).toBe(403);
    const run = (task_id: string) => rest('POST', '/tasks/execute', { task_id, input: {} }, headers);
    expect((await run('other')).body['status']).toBe('completed');
    expect((await run('ci_build')).status).toBe(403);
    const { body: trail } = await rest('GET', '/audit?action=TokenIssued', undefined, as('admin'));
    expect(trail['entries']).toMatchObject([{ principal: 'key:admin', details: { subject: 'ada' } }]);
    expect(JSON.stringify(trail)).not.toContain(String(body['token']));
  });
});

describe('refusals', () => {
  it('stand in the audit trail under the name of the caller', async () => {
    await rest('POST', '/tasks/execute', { task_id: 'other', input: {} }, as('bound'));
    await eventually('it is there', async () => {
      const { body } = await rest('GET', '/audit?action=AccessRefused&limit=1000', undefined, as('admin'));
      const entries = body['entries'] as { details: { principal: string } }[];
      return entries.find(({ details }) => details.principal === 'key:bound');
    });
  });
});

describe('failures', () => {
  it('after 20 in a minute get no answer but 429, also with a good key', async () => {
    const strict = await startServer({ ...TEST_SETTINGS, access: ACCESS }, LISTENER);
    try {
      const look = (apiKey: string) => call(strict.url, 'GET', '/api/v1/tasks', undefined, { 'x-api-key': apiKey });
      const statuses: number[] = [];
      for (let count = 0; count < 22; count += 1) statuses.push((await look(`guess-${count}`)).status);
      expect(statuses).toEqual([...Array.from({ length: 20 }, () => 401), 429, 429]);
      const good = await look('key-of-admin');
      expect(good.status).toBe(429);
      expect(Number(good.headers.get('retry-after'))).toBeGreaterThan(0);
      expect((await call(strict.url, 'GET', '/api/v1/tasks')).status).toBe(401);
    } finally {
      await strict.close();
    }
  });
});

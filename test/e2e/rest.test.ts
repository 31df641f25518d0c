import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Server, startServer } from '../../src/cli/serve.ts';
import { ERRORS } from '../../src/domain/errors.ts';
import { ROUTES } from '../../src/interfaces/surfaces.ts';
import { TEST_SETTINGS } from '../support/app.ts';
import { type HttpApi, startHttpApi } from '../support/http-api.ts';
import { target } from '../support/result-receiver.ts';
import { type Answer, call, eventually, type Home, openHome } from '../support/server.ts';

const MAX_BYTES = 200_000;
const LISTENER = {
  host: '127.0.0.1',
  port: 0,
  restPrefix: '/api/v1',
  maxRequestBytes: MAX_BYTES,
  requestTimeoutMs: 30_000,
  keepAliveMs: 5_000,
  version: '1.2.3',
};

let home: Home;
let server: Server;
let api: HttpApi;

beforeAll(async () => {
  api = await startHttpApi();
  home = openHome();
  const source = { name: 'empty', root: join(home.folder, 'tasks'), watch: false };
  const results = [target('out', { kind: 'webhook', url: `${api.url}/json` }, { onRequest: true })];
  server = await startServer({ ...TEST_SETTINGS, sources: [source], results }, LISTENER);
  await task('echo', 'function main(input) { console.log("seen", { input }); return input; }');
  await task('fetching', 'async function main({ url }) { return (await fetch(url + "/json")).json(); }');
  await task('failing', 'function main() { throw new TypeError("no luck"); }');
  await task(
    'slow',
    'async function main({ url, ms }) { reportProgress({ progress: 0.5, step: "half" }); return (await fetch(url + "/slow?ms=" + ms)).json(); }',
  );
  await task('endless', 'function main() { for (;;); }');
});
afterAll(async () => {
  await server.close();
  await api.close();
  home[Symbol.dispose]();
});

const rest = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
  call(server.url, method, `/api/v1${path}`, body, headers);
const get = (path: string) => rest('GET', path);
const post = (path: string, body?: unknown, headers?: Record<string, string>) => rest('POST', path, body, headers);

async function task(name: string, code: string, more: object = {}): Promise<Answer> {
  const answer = await post('/tasks', { name, code, ...more });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer;
}

async function run(taskId: string, input: unknown = {}, more: object = {}): Promise<string> {
  const { body } = await post('/tasks/execute', { task_id: taskId, input, ...more });
  return String(body['execution_id']);
}

/** Sends bytes as they are, for what `fetch` would not send. */
function raw(path: string, headers: Record<string, string>, body = '', method = 'POST'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(`${server.url}${path}`, { method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        const told = Object.entries(response.headers).map(([name, value]): [string, string] => [name, String(value)]);
        resolve({ status: response.statusCode ?? 0, headers: new Headers(told), body: JSON.parse(text) });
      });
    });
    sent.on('error', reject).end(body);
  });
}

/** Every refusal is a problem document that says what happened, and what to do. */
function expectProblem(answer: Answer, code: keyof typeof ERRORS): void {
  expect({ status: answer.status, code: answer.body['code'] }).toEqual({ status: ERRORS[code].status, code });
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(answer.body).toMatchObject({
    type: `urn:ratchet:error:${code}`,
    title: code.replaceAll('_', ' '),
    status: ERRORS[code].status,
    remedy: ERRORS[code].remedy,
    instance: answer.headers.get('x-correlation-id'),
  });
  expect(String(answer.body['detail'])).not.toBe('');
}

function expectField(answer: Answer, field: string): void {
  expectProblem(answer, 'invalid_request');
  const { problems } = answer.body['details'] as { problems: readonly { field: string }[] };
  expect(problems.map((problem) => problem.field)).toContain(field);
}

/** A good body for each operation that needs one. */
const BODIES: Readonly<Record<string, unknown>> = {
  create_task: { name: 'routes', code: 'function main() { return 1; }' },
  execute_task: { task_id: 'routes', input: {} },
  create_execution: { task_id: 'routes', input: {} },
  edit_task: { description: 'edited' },
  validate_task: { code: 'function main() { return 1; }' },
  create_schedule: { name: 'daily', task_id: 'routes', cron: '@daily', input: {} },
  edit_schedule: { description: 'edited' },
  answer_question: { answer: 1 },
  batch_execute: { tasks: [{ task_id: 'routes', input: {} }] },
  send_debug_command: { method: 'Runtime.getIsolateId' },
  create_key: { name: 'routes', role: 'reader' },
  create_token: { name: 'routes', role: 'reader' },
  replay_failures: { fingerprint: '0000000000000000' },
};

/** What is missing where the first parameter of a path names nothing. */
const MISSING: Readonly<Record<string, keyof typeof ERRORS>> = {
  task_id: 'task_not_found',
  execution_id: 'execution_not_found',
  replay_id: 'replay_not_found',
  schedule_id: 'schedule_not_found',
  batch_id: 'batch_not_found',
  session_id: 'debug_session_not_found',
  delivery_id: 'delivery_not_found',
};

/** Operations on executions in another state than completed, by the task that leaves one there. */
const NEEDS: Readonly<Record<string, string>> = {
  cancel_execution: 'endless',
  answer_question: 'asking',
  analyze_execution_error: 'failing',
};

describe('every route', () => {
  async function executionIn(state: string): Promise<string> {
    if (state === 'asking') await post('/tasks', { name: state, code: "function main() { return ask('what?'); }" });
    if (state === 'failing') await post('/tasks', { name: state, code: "function main() { throw new Error('no'); }" });
    const { body } = await post('/executions', { task_id: state, input: {} });
    const executionId = String(body['execution_id']);
    const wanted = { endless: 'running', asking: 'waiting', failing: 'failed' }[state];
    await eventually(`it is ${wanted}`, async () => {
      const { body: told } = await rest('GET', `/executions/${executionId}`);
      return told['status'] === wanted ? true : undefined;
    });
    return executionId;
  }

  /** A good request for each, in the order in which they can be sent; what it answers is checked by its own tests. */
  it('gives its own status for a good request', async () => {
    const wish = { task_id: 'fetching', input: { url: api.url }, result_to: ['out'] };
    const { body: ended } = await post('/tasks/execute', wish);
    expect(ended['status']).toBe('completed');
    const executionId = String(ended['execution_id']);
    await eventually('its result was delivered', async () => {
      const { body } = await get(`/deliveries/${executionId}_out`);
      return body['status'] === 'delivered' ? true : undefined;
    });
    const { body: replayed } = await post(`/executions/${executionId}/replay`, {});
    const { body: session } = await post('/debug/sessions', { execution_id: executionId });
    const { body: schedule } = await post('/schedules', {
      name: 'x',
      task_id: 'fetching',
      cron: '@daily',
      input: { url: api.url },
    });
    const { body: batch } = await post('/batches', { tasks: [{ task_id: 'endless', input: {} }] });
    const params: Record<string, string> = {
      batch_id: String(batch['batch_id']),
      schedule_id: String(schedule['id']),
      session_id: String(session['session_id']),
      task_id: 'routes',
      source: 'empty',
      position: String(ended['position']),
      delivery_id: `${executionId}_out`,
      other_id: executionId,
      key_id: server.app.core.execute.runtime.uuidOf('key\nroutes'),
      replay_id: String(replayed['replayId']),
    };
    const named = (name: string) => ROUTES.filter(({ operation }) => operation === name);
    const between = ROUTES.filter(({ operation }) => operation !== 'create_task' && operation !== 'delete_task');
    for (const route of [...named('create_task'), ...between, ...named('delete_task')]) {
      const state = NEEDS[route.operation];
      const execution_id = state === undefined ? executionId : await executionIn(state);
      const filled = route.path.replaceAll(/:(\w+)/g, (_, name: string) => ({ ...params, execution_id })[name] ?? name);
      // A schedule still runs it.
      const path = route.operation === 'delete_task' ? `${filled}?force=true` : filled;
      if (route.operation === 'enable_task') await post('/tasks/routes/disable');
      const body = route.operation === 'open_debug_session' ? { execution_id } : BODIES[route.operation];
      const answer = await rest(route.method, path, body);
      expect(answer.status, `${route.method} ${path}: ${JSON.stringify(answer.body)}`).toBe(route.status);
      if (route.operation === 'disable_task') await post('/tasks/routes/enable');
      if (route.bare === true) expect((await call(server.url, route.method, path)).status).toBe(route.status);
    }
  });

  const withParameter = ROUTES.filter(({ path }) => path.includes(':'));
  it.each(withParameter.map(({ method, path, operation }) => ({ method, path, operation })))(
    '$method $path says that there is no such thing',
    async ({ method, path, operation }) => {
      const answer = await rest(method, path.replaceAll(/:\w+/g, 'missing'), BODIES[operation]);
      expectProblem(answer, MISSING[/:(\w+)/.exec(path)?.[1] ?? ''] ?? 'not_found');
    },
  );

  it.each(ROUTES.map(({ method, path }) => ({ method, path })))(
    '$method $path names a field that it does not have',
    async ({ method, path }) => {
      const target = path.replaceAll(/:\w+/g, 'missing');
      const hasBody = method !== 'GET' && method !== 'DELETE';
      const answer = await rest(
        method,
        hasBody ? target : `${target}?nonsense=1`,
        hasBody ? { nonsense: 1 } : undefined,
      );
      expectField(answer, 'nonsense');
    },
  );

  it('refuses other methods, naming those that it takes', async () => {
    const answer = await rest('DELETE', '/tasks');
    expectProblem(answer, 'method_not_allowed');
    expect(answer.headers.get('allow')).toBe('GET, POST');
    expectProblem(await rest('DELETE', '/nowhere'), 'not_found');
    expectProblem(await call(server.url, 'GET', '/executions'), 'not_found');
  });
});

describe('health', () => {
  it('is short at /health and has every part below the prefix', async () => {
    expect(await call(server.url, 'GET', '/health')).toMatchObject({
      status: 200,
      body: { status: 'ok', version: '1.2.3' },
    });
    const { body } = await get('/health');
    expect(body).toMatchObject({
      status: 'ok',
      isolation: expect.stringMatching(/^(?:namespaces|uid|process)$/),
      executions: { pending: expect.any(Number), running: expect.any(Number), here: expect.any(Number) },
      deliveries: { open: expect.any(Number), dead_lettered: expect.any(Number) },
      head: expect.any(String),
      sources: [expect.objectContaining({ source: 'empty', error: null })],
    });
    const { projections } = body as { projections: readonly { status: string }[] };
    expect(projections.map(({ status }) => status)).toEqual(projections.map(() => 'live'));
  });
});

describe('bodies', () => {
  const JSON_TYPE = { 'content-type': 'application/json' };
  const execute = '/api/v1/tasks/execute';

  it('may be empty where nothing is needed, and are asked for where something is', async () => {
    await task('switched', 'function main() {}');
    expect((await raw('/api/v1/tasks/switched/disable', JSON_TYPE)).status).toBe(200);
    expect((await raw('/api/v1/tasks/switched/enable', {})).status).toBe(200);
    expectField(await raw(execute, JSON_TYPE), 'task_id');
  });

  it.each(['text/plain', 'text/xml', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])(
    'of type %s are refused',
    async (type) => expectProblem(await raw(execute, { 'content-type': type }, '{}'), 'unsupported_media_type'),
  );

  it('that are too large are refused', async () => {
    const body = { task_id: 'echo', input: 'x'.repeat(MAX_BYTES) };
    expectProblem(await post('/tasks/execute', body), 'payload_too_large');
  });

  it.each(['{"task_id":', '{task_id:1}', 'nonsense', '{"a":1}{"b":2}'])(
    'that are broken are refused: %s',
    async (body) => {
      expectProblem(await raw(execute, JSON_TYPE, body), 'invalid_json');
    },
  );

  it.each(['[1]', '"text"', '7', 'true'])('that are no object are refused: %s', async (body) => {
    expectProblem(await raw(execute, JSON_TYPE, body), 'invalid_request');
  });

  it.each(['__proto__', 'constructor'])(
    'with the key %s are refused, however deep, and the place is named',
    async (key) => {
      const answer = await raw(execute, JSON_TYPE, `{"task_id":"echo","input":{"list":[{"${key}":{"x":1}}]}}`);
      expectProblem(answer, 'invalid_json');
      expect(answer.body['detail']).toContain(`/input/list/0/${key}`);
    },
  );

  it('that are nested without end are refused', async () => {
    const nested = '['.repeat(50_000) + ']'.repeat(50_000);
    expectProblem(await raw(execute, JSON_TYPE, `{"task_id":"echo","input":${nested}}`), 'invalid_json');
  });

  it.each([
    [{ task_id: 'echo' }, 'input'],
    [{ input: {} }, 'task_id'],
    [{ task_id: 7, input: {} }, 'task_id'],
    [{ task_id: 'echo', input: {}, wait_seconds: -1 }, 'wait_seconds'],
    [{ task_id: 'echo', input: {}, wait_seconds: 51 }, 'wait_seconds'],
    [{ task_id: 'echo', input: {}, priority: 1000 }, 'priority'],
    [{ task_id: 'echo', input: {}, retry: { max_attempts: 0 } }, 'retry.max_attempts'],
    [{ task_id: 'echo', input: {}, retry: { max_attempts: 2, tries: 1 } }, 'retry.tries'],
    [{ task_id: 'echo', input: {}, run_at: 'tomorrow' }, 'run_at'],
  ])('name the field that is wrong: %j', async (body, field) => {
    expectField(await post('/tasks/execute', body), field);
  });
});

describe('headers', () => {
  it('keep the correlation id of the caller, and give one otherwise', async () => {
    const answer = await rest('GET', '/tasks', undefined, { 'x-correlation-id': 'mine-1' });
    expect(answer.headers.get('x-correlation-id')).toBe('mine-1');
    const bad = await rest('GET', '/nowhere', undefined, { 'x-correlation-id': 'mine-2' });
    expect(bad.body['instance']).toBe('mine-2');
    const odd = await rest('GET', '/tasks', undefined, { 'x-correlation-id': 'not one; of ours' });
    expect(odd.headers.get('x-correlation-id')).toMatch(/^[\w-]{36}$/);
  });

  it('with the same idempotency key are one execution; another request with it is refused', async () => {
    const headers = { 'idempotency-key': 'order-1' };
    const body = { task_id: 'echo', input: { order: 1 } };
    const first = await post('/tasks/execute', body, headers);
    const again = await post('/tasks/execute', body, headers);
    const other = await post('/executions', body, headers);
    expect(again.body).toEqual(first.body);
    expect(other.body).toMatchObject({ execution_id: first.body['execution_id'], created: false });
    expectProblem(await post('/tasks/execute', { ...body, input: { order: 2 } }, headers), 'idempotency_mismatch');
    expectField(await post('/executions', body, { 'idempotency-key': 'x'.repeat(257) }), 'idempotency-key');
    const created = { name: 'keyed', code: 'function main() {}' };
    const one = await post('/tasks', created, { 'idempotency-key': 'task-1' });
    const two = await post('/tasks', created, { 'idempotency-key': 'task-1' });
    expect([one.status, two.status, two.body['changed']]).toEqual([201, 201, false]);
  });

  it('continue the trace of the caller', async () => {
    const traceId = 'a'.repeat(32);
    const traceparent = `00-${traceId}-${'b'.repeat(16)}-01`;
    const { body } = await post('/tasks/execute', { task_id: 'echo', input: 1 }, { traceparent });
    const shown = await get(
      `/executions/${String(body['execution_id'])}/trace?min_position=${String(body['position'])}`,
    );
    expect(shown.body['trace']).toMatchObject({ trace_id: traceId, spans: [{ parent_span_id: 'b'.repeat(16) }] });
  });

  it('and queries ask for answers that are not older than a position', async () => {
    const { body, headers } = await post('/tasks/execute', { task_id: 'echo', input: 'positioned' });
    const position = String(body['position']);
    expect(headers.get('x-ratchet-position')).toBe(position);
    for (const answer of [
      await get(`/executions?limit=1&min_position=${position}`),
      await rest('GET', '/executions?limit=1', undefined, { 'x-min-position': position }),
    ]) {
      expect(answer.body['executions']).toMatchObject([{ input: 'positioned', status: 'completed' }]);
    }
    expectProblem(await get('/executions?min_position=zzz'), 'invalid_request');
  });
});

describe('tasks', () => {
  it('have names with segments, which stand escaped in a path', async () => {
    await task('team/sub.task-1', 'function main() { return 1; }');
    const { body } = await get('/tasks/team%2Fsub.task-1');
    expect(body).toMatchObject({ name: 'team/sub.task-1', code: 'function main() { return 1; }' });
    expect((await get(`/tasks/${String(body['id'])}`)).body['name']).toBe('team/sub.task-1');
    for (const name of ['', 'a b', '../up', 'a//b', 'a%2Fb', '100%', '-x', 'x'.repeat(129), 'a\u0000b', 'ä'])
      expectField(await post('/tasks', { name, code: 'function main() {}' }), 'name');
  });

  it.each(['100%25', '%F0%9F%90%9B', '..%2F..%2Fetc'])('with odd names in the path are not found: %s', async (name) => {
    expectProblem(await get(`/tasks/${name}`), 'task_not_found');
  });

  it.each(['100%', '%zz', 'x'.repeat(600)])(
    'at an address that can not be read are a problem document too: %s',
    async (name) => {
      expectProblem(await raw(`/api/v1/tasks/${name}`, {}, '', 'GET'), 'invalid_request');
    },
  );

  it('that are wrong are refused with line and column, or the place in the schema', async () => {
    const syntax = await post('/tasks', { name: 'wrong', code: 'function main() {\n  return (;\n}' });
    expectProblem(syntax, 'syntax_error');
    expect(syntax.body['details']).toMatchObject({ line: 2, column: 11 });
    const schema = await post('/tasks', { name: 'wrong', code: 'function main() {}', input_schema: { type: 'nope' } });
    expectProblem(schema, 'invalid_schema');
    expect(schema.body['details']).toMatchObject({ place: '/type' });
    expectProblem(await post('/tasks', { name: 'echo', code: 'function main() {}' }), 'already_exists');
  });

  it('are edited in versions, switched and deleted', async () => {
    await task('living', 'function main() { return 1; }', { tags: ['t'], category: 'c', description: 'first' });
    const edited = await rest('PATCH', '/tasks/living', { code: 'function main() { return 2; }', base_version: 1 });
    expect(edited.body).toMatchObject({ version: 2, changed: true });
    expectProblem(await rest('PUT', '/tasks/living', { description: 'late', base_version: 1 }), 'version_conflict');
    expect((await rest('PUT', '/tasks/living', { description: 'first' })).body).toMatchObject({
      version: 2,
      changed: false,
    });
    expect((await get('/tasks/living/versions')).body['versions']).toMatchObject([{ version: 2 }, { version: 1 }]);
    expect((await get('/tasks/living?version=1')).body['code']).toContain('return 1');
    expect((await get('/tasks/living?include_code=false')).body).not.toHaveProperty('code');
    expectProblem(await get('/tasks/living?version=9'), 'not_found');
    const old = await post('/tasks/execute', { task_id: 'living', input: {}, version: 1 });
    expect(old.body['output']).toBe(1);

    await post('/tasks/living/disable', { reason: 'pause' });
    expectProblem(await post('/tasks/execute', { task_id: 'living', input: {} }), 'task_disabled');
    expect((await get('/tasks?status=disabled')).body['tasks']).toMatchObject([{ name: 'living' }]);
    await post('/tasks/living/enable');
    expect((await post('/tasks/execute', { task_id: 'living', input: {} })).body['output']).toBe(2);

    expect((await rest('DELETE', '/tasks/living?reason=old')).body).toMatchObject({ status: 'deleted' });
    expectProblem(await post('/tasks/execute', { task_id: 'living', input: {} }), 'task_not_found');
    expectProblem(await rest('DELETE', '/tasks/living'), 'task_not_found');
    const { tasks } = (await get('/tasks?limit=1000')).body as { tasks: readonly { name: string }[] };
    expect(tasks.map(({ name }) => name)).not.toContain('living');
  });

  it('are filtered by text, tag and category', async () => {
    await task('filter-1', 'function main() {}', {
      tags: ['red', 'blue'],
      category: 'filtered',
      description: 'CSV things',
    });
    await task('filter-2', 'function main() {}', { tags: ['red'], category: 'filtered' });
    const names = async (query: string) =>
      ((await get(`/tasks?${query}`)).body['tasks'] as readonly { name: string }[]).map(({ name }) => name);
    expect(await names('category=filtered')).toEqual(['filter-1', 'filter-2']);
    expect(await names('tag=blue')).toEqual(['filter-1']);
    expect(await names('filter=csv%20th')).toEqual(['filter-1']);
    expect(await names('filter=filter-')).toEqual(['filter-1', 'filter-2']);
    expect(await names('filter=none-such')).toEqual([]);
  });
});

describe('lists', () => {
  /** @returns ids of all pages, read with this many in each. */
  async function pages(
    path: string,
    list: string,
    id: string,
    size: number,
  ): Promise<{ ids: string[]; count: number }> {
    const ids: string[] = [];
    let cursor: unknown = null;
    let count = 0;
    do {
      const { body } = await get(`${path}&limit=${size}${cursor === null ? '' : `&cursor=${String(cursor)}`}`);
      ids.push(...(body[list] as readonly Record<string, unknown>[]).map((row) => String(row[id])));
      cursor = body['next_cursor'];
      count += 1;
    } while (cursor !== null);
    return { ids, count };
  }

  it('of executions have no gaps and nothing twice over many pages, in both orders, while more are made', async () => {
    await task('paged', 'function main(input) { return input; }');
    const made: string[] = [];
    for (let n = 0; n < 11; n++) made.push(await run('paged', n));
    const newest = await pages('/executions?task_id=paged', 'executions', 'execution_id', 3);
    expect(newest).toEqual({ ids: [...made].reverse(), count: 4 });
    const oldest = await pages('/executions?task_id=paged&order=oldest', 'executions', 'execution_id', 4);
    expect(oldest).toEqual({ ids: made, count: 3 });

    const first = await get('/executions?task_id=paged&limit=5');
    await run('paged', 'meanwhile');
    const rest = await pages(
      `/executions?task_id=paged&cursor=${String(first.body['next_cursor'])}`,
      'executions',
      'execution_id',
      100,
    );
    expect(rest.ids).toEqual([...made].reverse().slice(5));
  });

  it('of tasks, versions, log lines and audit entries are paged too', async () => {
    for (let n = 0; n < 5; n++) await task(`page-of/task-${n}`, 'function main() {}', { category: 'pages' });
    const tasks = await pages('/tasks?category=pages', 'tasks', 'name', 2);
    expect(tasks).toEqual({ ids: [0, 1, 2, 3, 4].map((n) => `page-of/task-${n}`), count: 3 });
    for (let n = 0; n < 4; n++) await rest('PATCH', '/tasks/page-of%2Ftask-0', { description: `v${n}` });
    const versions = await pages('/tasks/page-of%2Ftask-0/versions?', 'versions', 'version', 2);
    expect(versions).toEqual({ ids: ['5', '4', '3', '2', '1'], count: 3 });

    await task('talking', 'function main() { for (let n = 0; n < 25; n++) console.log("line " + n); }');
    const id = await run('talking');
    const lines = await pages(`/executions/${id}/logs?`, 'logs', 'message', 4);
    expect(lines).toEqual({ ids: Array.from({ length: 25 }, (_, n) => `line ${n}`), count: 7 });

    const audit = await pages('/audit?action=TaskCreated', 'entries', 'position', 3);
    expect(audit.count).toBeGreaterThan(2);
    expect(audit.ids).toEqual([...new Set(audit.ids)].sort().reverse());
  });

  it('are filtered by status, task, source, time and lineage', async () => {
    const failed = await run('failing');
    const ids = async (query: string) =>
      ((await get(`/executions?${query}`)).body['executions'] as readonly { execution_id: string }[]).map(
        (row) => row.execution_id,
      );
    expect(await ids('status=failed')).toContain(failed);
    expect(await ids('status=completed&task_id=failing')).toEqual([]);
    expect(await ids('source=mcp')).toEqual([]);
    expect(await ids('task_id=failing&source=rest&principal=local:admin')).toContain(failed);
    const { body } = await get(`/executions/${failed}`);
    expect(await ids(`task_id=failing&since=${String(body['requested_at'])}`)).toContain(failed);
    expect(await ids(`task_id=failing&until=2020-01-01T00:00:00Z`)).toEqual([]);
  });

  it.each([
    ['/executions?limit=0', 'limit'],
    ['/executions?limit=1001', 'limit'],
    ['/executions?limit=many', 'limit'],
    ['/executions?limit=1&limit=2', 'limit'],
    ['/executions?status=done', 'status'],
    ['/executions?order=upwards', 'order'],
    ['/executions?since=yesterday', 'since'],
    ['/tasks?include_schemas=perhaps', 'include_schemas'],
    ['/events?category=nothing', 'category.0'],
    ['/audit?since=1', 'since'],
  ])('%s names the wrong parameter', async (path, field) => expectField(await get(path), field));

  it.each(['zzz', 'bnVsbA', 'WzFd', '%00'])('refuse the cursor %s', async (cursor) => {
    expectProblem(await get(`/executions?cursor=${cursor}`), 'invalid_cursor');
    expectProblem(await get(`/tasks?cursor=${cursor}`), 'invalid_cursor');
  });
});

describe('executions', () => {
  it('that take longer than the caller waits answer 202 with running and where to look, and complete later', async () => {
    const asked = { task_id: 'slow', input: { url: api.url, ms: 700 }, wait_seconds: 0 };
    const answer = await post('/tasks/execute', asked);
    expect(answer.status).toBe(202);
    const id = String(answer.body['execution_id']);
    expect(answer.body).toMatchObject({
      status: 'running',
      output: null,
      trace_url: `/traces/${id}`,
      logs_url: `/logs/${id}`,
      poll: { tool: 'get_execution_status', url: `/api/v1/executions/${id}`, after_seconds: expect.any(Number) },
    });
    const { url: poll } = answer.body['poll'] as { url: string };
    await eventually('progress is told', async () => {
      const { body } = await call(server.url, 'GET', poll);
      return (body['progress'] as { percent: number } | null)?.percent === 50 ? true : undefined;
    });
    const ended = await eventually('it has completed', async () => {
      const { body } = await call(server.url, 'GET', poll);
      return body['status'] === 'completed' ? body : undefined;
    });
    expect(ended['output']).toEqual({ slow: true });
  });

  it('that fail are a result, with the error explained', async () => {
    const { status, body } = await post('/tasks/execute', { task_id: 'failing', input: {} });
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'failed', error: { error_type: 'TypeError', message: 'no luck' } });
  });

  it('keep the lineage that their caller tells, and that of a retry', async () => {
    const original = await run('failing');
    const told = await run('echo', {}, { metadata: { retry_reason: 'told', original_execution: original } });
    const { body: shown } = await get(`/executions/${told}`);
    expect(shown).toMatchObject({
      original_execution: original,
      retry_reason: 'told',
      metadata: { retry_reason: 'told', original_execution: original },
    });
    await rest('PATCH', '/tasks/failing', { description: 'a new version' });
    const retried = await post(`/executions/${original}/retry`, { reason: 'again', same_version: true });
    expect(retried).toMatchObject({ status: 202, body: { original_execution: original } });
    const { body } = await get(`/executions/${String(retried.body['execution_id'])}`);
    expect(body).toMatchObject({ original_execution: original, retry_reason: 'again', task_version: 1 });
    const listed = await get(`/executions?original_execution=${original}`);
    expect(listed.body['executions']).toHaveLength(2);
  });

  it('are cancelled while they run, and not after', async () => {
    const { body } = await post('/executions', { task_id: 'endless', input: {} });
    const id = String(body['execution_id']);
    expectProblem(await post(`/executions/${id}/retry`), 'execution_running');
    const cancelled = await post(`/executions/${id}/cancel`, { reason: 'enough' });
    expect(cancelled.status).toBe(202);
    await eventually('it is cancelled', async () =>
      (await get(`/executions/${id}`)).body['status'] === 'cancelled' ? true : undefined,
    );
    expectProblem(await post(`/executions/${await run('echo')}/cancel`), 'execution_finished');
  });

  it('show steps, log lines, spans and events, and replay without a call', async () => {
    const id = await run('fetching', { url: api.url });
    const { body: steps } = await get(`/executions/${id}/steps`);
    expect(steps['steps']).toMatchObject([{ kind: 'http', status: 'completed', outcome: { ok: true } }]);
    const { body: trace } = await get(`/traces/${id}`);
    const spansOf = (shown: Record<string, unknown>) => JSON.stringify((shown['trace'] as { spans: unknown }).spans);
    expect(spansOf(trace)).toContain('/json');
    expect(spansOf((await get(`/traces/${id}?include_http_calls=false`)).body)).not.toContain('/json');
    const { body: events } = await get(`/executions/${id}/events`);
    const types = (events['events'] as readonly { type: string; data: { seed?: string } }[]).map(({ type }) => type);
    expect(types.filter((type) => type.startsWith('Execution'))).toEqual([
      'ExecutionRequested',
      'ExecutionStarted',
      'ExecutionCompleted',
    ]);
    expect(JSON.stringify(events)).toMatch(/"seed":"\*\*\*"/);
    const calls = api.calls();
    const replayed = await post(`/executions/${id}/replay`);
    expect(replayed.body).toMatchObject({ identical: true, differences: [], steps: 1 });
    expect(api.calls()).toBe(calls);

    const logged = await run('echo', 5);
    const { body: logs } = await call(server.url, 'GET', `/logs/${logged}?level=info`);
    expect(logs['logs']).toMatchObject([{ message: expect.stringContaining('seen'), context: { input: 5 } }]);
    expect((await get(`/logs/${logged}?level=error`)).body['logs']).toEqual([]);
    expect((await get(`/logs/${logged}?search=seen`)).body['logs']).toHaveLength(1);
  });

  it('wait for their time', async () => {
    const { body } = await post('/executions', { task_id: 'echo', input: 1, delay_ms: 300 });
    const id = String(body['execution_id']);
    expect((await get(`/executions/${id}`)).body['status']).toBe('pending');
    const ended = await eventually('it has run', async () => {
      const shown = await get(`/executions/${id}`);
      return shown.body['status'] === 'completed' ? shown.body : undefined;
    });
    expect(Date.parse(String(ended['started_at'])) - Date.parse(String(ended['requested_at']))).toBeGreaterThanOrEqual(
      295,
    );
  });
});

describe('the stream of events', () => {
  interface Told {
    readonly id: string;
    readonly type: string;
  }

  /** Reads events until `enough`, then leaves. */
  async function listen(
    query: string,
    lastId: string | null,
    enough: (told: readonly Told[]) => boolean,
  ): Promise<Told[]> {
    const leave = new AbortController();
    const headers = { accept: 'text/event-stream', ...(lastId === null ? {} : { 'last-event-id': lastId }) };
    const response = await fetch(`${server.url}/api/v1/events?${query}`, { headers, signal: leave.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const told: Told[] = [];
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks.filter((one) => one.startsWith('id: '))) {
        const [, id = '', type = '', data = ''] = /^id: (.*)\nevent: (.*)\ndata: (.*)$/.exec(block) ?? [];
        expect(JSON.parse(data)).toMatchObject({ position: id, type });
        told.push({ id, type });
      }
      if (enough(told)) break;
    }
    leave.abort();
    return told;
  }

  it('loses and doubles nothing for a client that goes and comes back while events are stored', async () => {
    const { body: health } = await get('/health');
    const start = String(health['head']);
    const runs = 40;
    const writing = (async () => {
      for (let n = 0; n < runs; n++) await run('echo', n);
    })();
    const told: Told[] = [];
    const ends = (some: readonly Told[]): number => some.filter(({ type }) => type === 'ExecutionCompleted').length;
    while (ends(told) < runs) {
      const isEnough = (some: readonly Told[]): boolean => some.length >= 17 || ends(told) + ends(some) >= runs;
      told.push(...(await listen('category=execution', told.at(-1)?.id ?? start, isEnough)));
    }
    await writing;
    const { body } = await get(`/events?category=execution&limit=1000&after=${start}`);
    const stored = (body['events'] as readonly { position: string; type: string }[]).map(({ position, type }) => ({
      id: position,
      type,
    }));
    expect(told).toEqual(stored);
  });

  it('begins at the head unless asked otherwise, and tells only the types asked for', async () => {
    let isTold = false;
    const listening = listen('type=TaskCreated,TaskDisabled', null, (told) => (isTold = told.length >= 2));
    for (let n = 0; !isTold; n++) {
      await task(`told-${n}`, 'function main() {}');
      await post(`/tasks/told-${n}/disable`);
    }
    const types = (await listening).map(({ type }) => type);
    expect([...new Set(types)].sort()).toEqual(['TaskCreated', 'TaskDisabled']);
  });

  it('refuses what is no position and no filter', async () => {
    const accept = { accept: 'text/event-stream' };
    expectProblem(await rest('GET', '/events', undefined, { ...accept, 'last-event-id': 'zzz' }), 'invalid_request');
    expectProblem(await rest('GET', '/events?after=zzz', undefined, accept), 'invalid_request');
    expectField(await rest('GET', '/events?nonsense=1', undefined, accept), 'nonsense');
    expectProblem(await get('/events?after=zzz'), 'invalid_request');
  });
});

describe('callers who are not on this machine', () => {
  const host = (): string => new URL(server.url).host;
  const port = (): string => new URL(server.url).port;

  it.each([
    ['another host', () => ({ host: 'ratchet.example.com' })],
    ['a name that only begins like ours', () => ({ host: `localhost.example.com:${port()}` })],
    ['a proxy', () => ({ host: host(), 'x-forwarded-for': '127.0.0.1' })],
    ['a proxy that says Forwarded', () => ({ host: host(), forwarded: 'for=127.0.0.1' })],
    ['a proxy that says X-Real-IP', () => ({ host: host(), 'x-real-ip': '127.0.0.1' })],
    ['a page of another site', () => ({ host: host(), 'sec-fetch-site': 'cross-site' })],
  ])('are told to bring a key: %s', async (_name, headers) => {
    expectProblem(await raw('/api/v1/tasks', headers(), '', 'GET'), 'unauthenticated');
    const sent = await raw(
      '/api/v1/tasks/execute',
      { ...headers(), 'content-type': 'application/json' },
      '{"task_id":"echo","input":1}',
    );
    expectProblem(sent, 'unauthenticated');
    expectProblem(
      await raw('/api/v1/events', { ...headers(), accept: 'text/event-stream' }, '', 'GET'),
      'unauthenticated',
    );
  });

  it.each(['localhost', '127.0.0.1', '127.1.2.3', '[::1]', 'LOCALHOST'])(
    'are not those who ask for %s',
    async (name) => {
      expect((await raw('/api/v1/tasks', { host: `${name}:${port()}` }, '', 'GET')).status).toBe(200);
    },
  );

  it('may ask for health', async () => {
    expect((await raw('/health', { host: 'ratchet.example.com' }, '', 'GET')).status).toBe(200);
  });
});

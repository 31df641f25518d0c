import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GraphqlServer, startGraphql } from '../support/graphql.ts';
import { type HttpApi, startHttpApi } from '../support/http-api.ts';
import type { Answer } from '../support/server.ts';

const PRICE = `function main({ url, n }) {
  const rate = fetch(url + '/rate').body.rate;
  console.log('rate', rate);
  return { total: n * rate };
}`;
const MOCK = { http: { url: '/rate', response: { body: { rate: 3 } } } };
const TESTS = [
  { name: 'three', input: { url: 'https://rates.example', n: 2 }, expected_output: { total: 6 }, mock: MOCK },
  {
    name: 'no answer',
    input: { url: 'https://rates.example', n: 2 },
    should_fail: true,
    mock: { http: { url: '/rate', response: { status: 503, body: '' } } },
  },
];

let served: GraphqlServer;
let api: HttpApi;
const rest = (method: string, path: string, body?: unknown): Promise<Answer> => served.rest(method, path, body);
const post = (path: string, body: unknown = {}) => rest('POST', path, body);

async function create(name: string, code: string, more: object = {}): Promise<void> {
  const { status, body } = await post('/tasks', { name, code, ...more });
  expect(status, JSON.stringify(body)).toBe(201);
}

beforeAll(async () => {
  api = await startHttpApi();
  served = await startGraphql();
  await create('price', PRICE, { test_cases: TESTS });
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await api.close();
});

describe('tests that are stored with a task', () => {
  it('are run by the engine of file tests, with mocks, should_fail, logs and spans', async () => {
    const { status, body } = await post('/tasks/price/test');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      task_name: 'price',
      version: 1,
      passed: 2,
      failed: 0,
      not_run: [],
      results: [
        {
          name: 'three',
          passed: true,
          expected: { output: { total: 6 } },
          actual: { total: 6 },
          difference: [],
          logs: [
            {
              level: 'info',
              message: 'rate 3',
            },
          ],
        },
        {
          name: 'no answer',
          passed: true,
          expected: { error: true },
          error: {
            name: 'ServiceUnavailableError',
            line: 2,
          },
        },
      ],
    });
    const [first] = body['results'] as { trace: object[] }[];
    expect(first?.trace).toContainEqual(
      expect.objectContaining({
        ok: true,
        attributes: expect.objectContaining({ 'ratchet.kind': 'http', 'http.response.status_code': 200 }),
      }),
    );
  });

  it('never let a call out, whether or not they mock anything', async () => {
    const calls = api.calls('/json');
    await create(
      'caller',
      'function main({ url }) { try { return fetch(url + "/json").body; } catch { return "caught"; } }',
      {
        test_cases: [{ name: 'out', input: { url: api.url }, expected_output: 'caught' }],
      },
    );
    const { body } = await post('/tasks/caller/test');
    expect(body).toMatchObject({ passed: 0, failed: 1, results: [{ reason: `no mock matches GET ${api.url}/json` }] });
    expect(api.calls('/json')).toBe(calls);
  });

  it('with a clock wait for nothing, and their spans tell the time of the task', async () => {
    await create('sleeper', 'async function main() { await sleep(60_000); return Date.now(); }', {
      test_cases: [{ name: 'slept', input: {}, clock: '1970-01-01T00:00:00Z', expected_output: 60_000 }],
    });
    const { body } = await post('/tasks/sleeper/test');
    expect(body).toMatchObject({
      passed: 1,
      results: [{ trace: [{ name: 'sleep 60000 ms', start_ms: 0, duration_ms: 60_000 }] }],
    });
  });

  it('tell where the output differs, and on which line it failed', async () => {
    await create(
      'wrong',
      'function main({ n }) {\n  if (n > 1) throw new RangeError("too many");\n  return { list: [n, 2] };\n}',
      {
        test_cases: [
          { name: 'differs', input: { n: 1 }, expected_output: { list: [1, 3] } },
          { name: 'throws', input: { n: 2 }, expected_output: {} },
        ],
      },
    );
    const { body } = await post('/tasks/wrong/test', { parallel: true, include_traces: false });
    expect(body).toMatchObject({
      failed: 2,
      results: [
        { difference: [{ path: '/list/1', expected: 3, actual: 2 }], error: null },
        {
          difference: [],
          error: { name: 'RangeError', line: 2, column: 20, source: expect.stringContaining('2 |   if (n > 1) throw') },
        },
      ],
    });
    expect(JSON.stringify(body)).not.toContain('"trace"');
    const stopped = await post('/tasks/wrong/test', { stop_on_failure: true });
    expect(stopped.body).toMatchObject({ failed: 1, not_run: ['throws'] });
    const named = await post('/tasks/wrong/test', { test_names: ['throws'] });
    expect(named.body).toMatchObject({ failed: 1, results: [{ name: 'throws' }] });
    const unknown = await post('/tasks/wrong/test', { test_names: ['trows'] });
    expect(unknown).toMatchObject({ status: 400, body: { detail: expect.stringContaining('did you mean throws?') } });
  });

  it('leave no trace in the log of events', async () => {
    const before = await served.server.app.store.head();
    await post('/tasks/price/test');
    await post('/tasks/validate', { task_id: 'price' });
    expect(await served.server.app.store.head()).toBe(before);
  });

  it('are refused where they can not be read, naming the field', async () => {
    const test_cases = [{ name: 'a', input: {}, mock: { http: { url: '/x' } } }];
    const answer = await post('/tasks', { name: 'unread', code: 'function main() {}', test_cases });
    expect(answer).toMatchObject({
      status: 400,
      body: { details: { problems: [{ field: expect.stringMatching(/^test_cases\.0\.mock\.http/) }] } },
    });
  });
});

describe('validating', () => {
  it('tells everything that is wrong at once, and stores nothing', async () => {
    const code =
      'function main(input) {\n  const key = process.env.KEY;\n  return { key, count: input.lenght + cuont };\n  let cnt;\n}';
    const { body } = await post('/tasks/validate', {
      code,
      input_schema: { type: 'objekt' },
      output_schema: { properties: { a: { pattern: '(' } } },
    });
    expect(body).toMatchObject({ valid: false, errors: 4, warnings: 0, task_name: null, tests: null });
    expect(body['problems']).toMatchObject([
      {
        severity: 'error',
        code: 'forbidden_global',
        in: 'code',
        line: 2,
        column: 15,
        source: '2 |   const key = process.env.KEY;\n  |               ^',
      },
      { code: 'unknown_name', line: 3, column: 39 },
      { code: 'invalid_schema', in: 'input_schema', pointer: '/type', line: null },
      { code: 'invalid_schema', in: 'output_schema', pointer: '/properties/a/pattern' },
    ]);
  });

  it.each([
    ['function main() {\n  return (1;\n}', 'syntax_error', 2, 12],
    ["import fs from 'fs';\nexport default () => fs;", 'invalid_task', 1, 1],
    ['function mian(input) { return input; }', 'no_entry_point', 1, 10],
    [`function main() { return ${'['.repeat(100_000)}; }`, 'syntax_error', 1, expect.any(Number)],
  ])('names line and column of what can not run: %#', async (code, kind, line, column) => {
    const { body } = await post('/tasks/validate', { code, syntax_only: true });
    expect(body).toMatchObject({ valid: false, errors: 1, problems: [{ code: kind, line, column }] });
  });

  it('looks at the syntax alone where that is asked for', async () => {
    const { body } = await post('/tasks/validate', {
      task_id: 'wrong',
      code: 'function main() { return nope; }',
      syntax_only: true,
    });
    expect(body).toMatchObject({ valid: true, problems: [], tests: null });
  });

  it('tries code with the schemas and tests of a stored task', async () => {
    expect((await post('/tasks/validate', { task_id: 'price' })).body).toMatchObject({
      valid: true,
      tests: { passed: 2 },
    });
    const code = PRICE.replace('n * rate', 'n + rate');
    const { body } = await post('/tasks/validate', { task_id: 'price', code });
    expect(body).toMatchObject({
      valid: false,
      errors: 0,
      task_name: 'price',
      tests: { failed: 1, results: [{ name: 'three', difference: [{ path: '/total' }] }, {}] },
    });
    expect((await rest('GET', '/tasks/price')).body['version']).toBe(1);
  });

  it('asks for a task or for code', async () => {
    expect(await post('/tasks/validate', {})).toMatchObject({
      status: 400,
      body: { details: { problems: [{ field: 'task_id' }] } },
    });
  });
});

describe('editing', () => {
  it('by a patch publishes what is checked and tested, and tells what changed', async () => {
    await create('edited', 'function main({ n }) {\n  return n * 2;\n}', {
      test_cases: [{ name: 'two', input: { n: 2 }, expected_output: 4 }],
    });
    const patch = [{ find: 'n * 2', replace: 'n + n' }];
    const { status, body } = await rest('PATCH', '/tasks/edited', { patch, tags: ['math'], base_version: 1 });
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body).toMatchObject({
      version: 2,
      previous_version: 1,
      changed: true,
      changed_parts: ['code', 'tags'],
      problems: [],
      code_difference: {
        line: 2,
        removed: 1,
        added: 1,
        shown: ['-   return n * 2;', '+   return n + n;'],
      },
      tests: {
        passed: 1,
        failed: 0,
      },
    });
    const { body: versions } = await rest('GET', '/tasks/edited/versions');
    expect(versions['versions']).toMatchObject([{ version: 2 }, { version: 1 }]);
  });

  it('is refused with nothing stored where a test fails, a name is unknown, or the code is broken', async () => {
    const head = await served.server.app.store.head();
    const failing = await rest('PATCH', '/tasks/edited', { patch: [{ find: 'n + n', replace: 'n * n * n' }] });
    expect(failing).toMatchObject({
      status: 422,
      body: { code: 'invalid_task', detail: 'the test two fails: expected 4, it returned 8', details: { test: 'two' } },
    });
    const unknown = await rest('PATCH', '/tasks/edited', { patch: [{ find: 'n + n', replace: 'n + m' }] });
    expect(unknown).toMatchObject({
      status: 422,
      body: { code: 'invalid_task', details: { line: 2, column: 14, problems: [{ code: 'unknown_name' }] } },
    });
    const broken = await rest('PATCH', '/tasks/edited', { patch: [{ find: 'n + n', replace: 'n +' }] });
    expect(broken).toMatchObject({ status: 422, body: { code: 'syntax_error', details: { line: 2 } } });
    const twice = await rest('PATCH', '/tasks/edited', { patch: [{ find: 'n ', replace: '' }] });
    expect(twice).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', details: { occurrences: 4, lines: [1, 2] } },
    });
    const both = await rest('PATCH', '/tasks/edited', { patch: [{ find: 'n + n', replace: '' }], code: 'x' });
    expect(both).toMatchObject({ status: 400, body: { details: { problems: [{ field: 'patch' }] } } });
    expect(await served.server.app.store.head()).toBe(head);
  });

  it('publishes without checks where that is asked for', async () => {
    const { body } = await rest('PATCH', '/tasks/edited', {
      patch: [{ find: 'n + n', replace: 'n + m' }],
      validate_changes: false,
    });
    expect(body).toMatchObject({ version: 3, tests: null, problems: [{ code: 'unknown_name', line: 2 }] });
  });

  it('on a version that is no longer current is refused, telling the current one and what has changed', async () => {
    const { status, body } = await rest('PATCH', '/tasks/edited', { description: 'mine', base_version: 1 });
    expect(status).toBe(409);
    expect(body).toMatchObject({
      code: 'version_conflict',
      details: {
        expected: 1,
        actual: 3,
        changed_parts: ['code', 'tags'],
        code_difference: { line: 2, shown: ['-   return n * 2;', '+   return n + m;'] },
      },
    });
  });

  it('of words alone runs no test', async () => {
    const { body } = await rest('PATCH', '/tasks/price', { description: 'Prices.' });
    expect(body).toMatchObject({ version: 2, changed_parts: ['description'], code_difference: null, tests: null });
  });
});

it('GraphQL validates, tests and edits as REST does', async () => {
  const validated = await served.data('mutation($c: String!) { validateTask(input: { code: $c }) }', {
    c: 'function main() { return nope; }',
  });
  expect(validated).toMatchObject({ validateTask: { valid: false, problems: [{ line: 1, column: 26 }] } });
  const tested = await served.data('mutation { runTaskTests(input: { taskId: "price", includeTraces: false }) }', {});
  expect(tested).toMatchObject({ runTaskTests: { passed: 2, failed: 0 } });
  const edit =
    'mutation($i: EditTaskInput!) { editTask(input: $i) { version previousVersion changedParts codeDifference tests } }';
  const patch = [{ find: "'rate', ", replace: '' }];
  expect(await served.data(edit, { i: { taskId: 'price', patch } })).toMatchObject({
    editTask: {
      version: 3,
      previousVersion: 2,
      changedParts: ['code'],
      codeDifference: { line: 3 },
      tests: { passed: 2 },
    },
  });
});

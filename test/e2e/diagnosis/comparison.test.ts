/** How two executions differ, over the operation and on the command line. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Analysis } from '../../../src/domain/diagnosis/analysis.ts';
import type { ComparisonResult } from '../../../src/domain/diagnosis/compare-runs.ts';
import { openTestApp, type TestApp } from '../../support/app.ts';
import { type HttpApi, startHttpApi } from '../../support/http-api.ts';
import { call, eventually, openHome, ratchet, startServerProcess } from '../../support/server.ts';

const CODE = `async function main({ url, paths }) {
  const answers = [];
  for (const path of paths) answers.push((await fetch(url + path)).status);
  return { answers };
}`;

let app: TestApp;
let api: HttpApi;

beforeAll(async () => {
  api = await startHttpApi();
  app = await openTestApp({ workers: 4 });
  await app.task('walks', CODE);
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await api.close();
});

async function ran(...paths: string[]): Promise<string> {
  return String((await app.run('walks', { url: api.url, paths }))['execution_id']);
}

async function compared(execution_id: string, other_id: string): Promise<ComparisonResult> {
  return (await app.call('compare_executions', { execution_id, other_id })) as unknown as ComparisonResult;
}

describe('two executions', () => {
  test('that did the same differ in nothing', async () => {
    expect(await compared(await ran('/json', '/text'), await ran('/json', '/text'))).toMatchObject({
      same_task: true,
      same_version: true,
      same_code: true,
      same_input: true,
      first_difference: { what: 'nothing' },
      steps: {
        counts: { same: 2, changed_request: 0, changed_outcome: 0, only_in_a: 0, only_in_b: 0 },
        truncated: false,
      },
      output_differences: [],
      error_differences: [],
    });
  });

  test('differ first where the cause is: the input, and what followed from it', async () => {
    const comparison = await compared(await ran('/json'), await ran('/text', '/empty'));
    expect(comparison.first_difference).toEqual({
      what: 'input',
      sentence: 'the input differs at /paths/0: "/json" in a, "/text" in b',
    });
    expect(comparison.steps.pairs.map(({ state }) => state)).toEqual(['changed_request', 'only_in_b']);
    expect(comparison.output_differences).toEqual([{ path: '/answers/1', a: null, b: 204, how: 'absent_in_a' }]);
  });

  test('differ by an answer, or by how they ended', async () => {
    await app.task('once', 'function main({ url }) { return fetch(url + "/flaky/compared?fails=1&status=500").body; }');
    const run = async () => String((await app.run('once', { url: api.url }))['execution_id']);
    const comparison = await compared(await run(), await run());
    expect(comparison.first_difference).toEqual({
      what: 'step',
      sentence: `step 1 (GET ${api.url}/flaky/compared) answered 500 in a, and answered 200 in b`,
    });
    expect(comparison.a).toMatchObject({
      status: 'failed',
      steps: 1,
      error: { error_type: 'ServiceUnavailableError' },
    });
    expect(comparison.steps.pairs[0]?.outcome_differences).toContainEqual({
      path: '/status',
      a: 500,
      b: 200,
      how: 'changed',
    });
  });

  test('may be of other tasks, other versions, or run still', async () => {
    await app.task('other', 'function main() { return 1; }');
    const other = String((await app.run('other'))['execution_id']);
    expect((await compared(await ran('/json'), other)).first_difference.what).toBe('task');
    await app.call('edit_task', { task_id: 'other', code: 'function main() { return 2; }' });
    const edited = String((await app.run('other'))['execution_id']);
    const versions = await compared(other, edited);
    expect(versions.first_difference.sentence).toBe('a ran version 1 of other, b version 2');
    expect(versions.output_differences).toEqual([{ path: '', a: 1, b: 2, how: 'changed' }]);
    const asked = await app.call('create_execution', {
      task_id: 'walks',
      input: { url: api.url, paths: ['/json', '/never'] },
    });
    const running = String(asked['execution_id']);
    await eventually('its first step is done', async () => {
      const { steps } = (await app.call('list_steps', { execution_id: running })) as { steps: unknown[] };
      return steps.length > 0 ? true : undefined;
    });
    const half = await compared(await ran('/json', '/text'), running);
    expect(half).toMatchObject({
      b: { status: 'running', steps: 1, duration_ms: null },
      steps: { counts: { same: 1, only_in_a: 1 } },
    });
    await app.call('cancel_execution', { execution_id: running });
    await expect(compared(running, 'nobody')).rejects.toMatchObject({ code: 'execution_not_found' });
  });
});

test('an analysis and a comparison are asked for over REST and on the command line', async () => {
  using home = openHome();
  let ids: string[];
  {
    await using server = await startServerProcess(home);
    await call(server.url, 'POST', '/api/v1/tasks', {
      name: 'reads',
      code: 'function main(input) {\n  return input.user.name;\n}',
    });
    const execute = async (input: object): Promise<string> => {
      const { body } = await call(server.url, 'POST', '/api/v1/tasks/execute', { task_id: 'reads', input });
      return String(body['execution_id']);
    };
    ids = [await execute({ user: { name: 'Ada' } }), await execute({})];
    const analysis = await call(server.url, 'GET', `/api/v1/executions/${ids[1]}/analysis?include_suggestions=false`);
    expect(analysis).toMatchObject({ status: 200, body: { kind: 'null_access', suggestions: [] } });
    const comparison = await call(server.url, 'GET', `/api/v1/executions/${ids[0]}/compare/${ids[1]}`);
    expect(comparison).toMatchObject({ status: 200, body: { first_difference: { what: 'input' } } });
    const failures = await call(server.url, 'GET', '/api/v1/failures?task_id=reads&limit=5');
    expect(failures.body).toMatchObject({ failures: [{ count: 1, sample: { execution_id: ids[1] } }] });
    expect(await call(server.url, 'GET', `/api/v1/executions/${ids[0]}/analysis`)).toMatchObject({
      status: 409,
      body: { code: 'not_failed' },
    });
  }
  const config = ['--config', `${home.folder}/config.yaml`];
  const analyzed = await ratchet(home, ['analyze', ids[1] ?? '', ...config]);
  expect(analyzed.code).toBe(0);
  const analysis = analyzed.json() as Analysis;
  expect(analysis).toMatchObject({
    kind: 'null_access',
    context: { failing_line: { line: 2 }, first_difference: { execution_id: ids[0] } },
  });
  const comparison = await ratchet(home, ['compare', ids[0] ?? '', ids[1] ?? '', ...config]);
  expect(comparison.code).toBe(1);
  expect(comparison.json()).toMatchObject({
    first_difference: { sentence: 'the input differs at /user: {"name":"Ada"} in a, absent in b' },
  });
}, 60_000);

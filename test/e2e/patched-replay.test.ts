/** "Does my fix work?", asked of one failure and of many, with the answer kept as a replay and as a test. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSandbox } from '../../infra/sandbox/pool.ts';
import { LOCAL_ADMIN, type Permission } from '../../src/domain/access.ts';
import { streamName } from '../../src/domain/event.ts';
import type { Sandbox } from '../../src/ports/sandbox.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { type HttpApi, startHttpApi } from '../support/http-api.ts';
import { countRequests } from '../support/replayed.ts';
import { runSavedTest } from '../support/saved-test.ts';

let app: TestApp;
let api: HttpApi;
let sandbox: Sandbox;
beforeAll(async () => {
  app = await openTestApp({
    workers: 4,
    warmWorkers: 2,
    secrets: { key: { value: 'hidden-value-1', allowedHosts: ['127.0.0.1'] } },
  });
  api = await startHttpApi();
  sandbox = await openSandbox({ size: 2, warm: 1 });
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await api.close();
  await sandbox.close();
});

type Told = Record<string, unknown> & { readonly test: Record<string, unknown> };

const replay = async (executionId: unknown, more: object): Promise<Told> =>
  (await app.call('replay_execution', { execution_id: executionId, ...more })) as Told;

const CHECK = { type: 'object', required: ['url'], properties: { url: { type: 'string' }, n: { type: 'integer' } } };
const BROKEN = `async function main({ url, n }) {
  const found = await fetch(url + '/v1/search?name=' + (n ?? 'Berlin')).then((answer) => answer.json());
  return found.results[0].name;
}`;
const FIXED = BROKEN.replace('found.results[0].name', 'found.results?.[0]?.name ?? null');

async function failure(task: string): Promise<unknown> {
  const { execution_id, status } = await app.run(task, { url: api.url, n: 7 });
  expect(status).toBe('failed');
  return execution_id;
}

/** Runs a saved test, and counts what goes out. */
async function tested(code: string, file: unknown) {
  const { value, requests } = await countRequests(() => runSavedTest(sandbox, code, file));
  expect(requests).toBe(0);
  return value;
}

describe('a patched replay', () => {
  let executionId: unknown;
  beforeAll(async () => {
    await app.task('found', BROKEN, { input_schema: CHECK });
    executionId = await failure('found');
  });

  it('changes nothing of the execution, and is itself kept with its result', async () => {
    const stored = () =>
      Promise.all(
        (['execution', 'telemetry'] as const).map((category) =>
          app.app.store.readStream(streamName(category, String(executionId))),
        ),
      );
    const before = await stored();
    const told = await replay(executionId, { code: FIXED });
    expect(told).toMatchObject({ verdict: 'succeeds', mode: 'patched', output: null });
    expect(await stored()).toEqual(before);
    const kept = await app.call('get_replay', { replay_id: told['replay_id'] });
    expect(kept).toMatchObject({ mode: 'patched', status: 'ended', verdict: 'succeeds', patched_code: true });
    expect(kept['result']).toEqual(JSON.parse(JSON.stringify(told)));
    const { replays } = await app.call('list_replays', { execution_id: executionId, mode: 'patched' });
    expect(replays).toMatchObject([{ replay_id: told['replay_id'], execution_id: executionId, task_name: 'found' }]);
  });

  it('stays faithful, in the form it always had, when nothing stands in for what was recorded', async () => {
    expect(await replay(executionId, {})).toMatchObject({ executionId, identical: true, differences: [] });
    const { replays } = (await app.call('list_replays', { execution_id: executionId, mode: 'faithful' })) as {
      replays: { replay_id: string }[];
    };
    expect(await app.call('get_replay', { replay_id: replays[0]?.replay_id })).toMatchObject({ result: null });
  });

  it('runs a published version instead of code', async () => {
    await app.call('edit_task', { task_id: 'found', code: FIXED });
    const told = await replay(executionId, { version: 2 });
    expect(told).toMatchObject({ verdict: 'succeeds', counts: { reused: 1 } });
    await expect(replay(executionId, { version: 9 })).rejects.toMatchObject({ code: 'not_found' });
  });

  it.each([
    [{ code: 'function main( {' }, 'syntax_error', /main\.js:1/],
    [{ code: 'import fs from "fs"; export function main() {}' }, 'invalid_task', /./],
    [{ input: { url: 3 } }, 'input_schema_violation', /url/],
    [{ code: FIXED, version: 1 }, 'invalid_request', /not both/],
    [{ mode: 'faithful', code: FIXED }, 'invalid_request', /for a patched replay only/],
    [{ stubs: [{ match: {}, value: 1 }] }, 'invalid_request', /at least one/],
    [{ stubs: [{ match: { url: 'x' } }] }, 'invalid_request', /one of response, value and error/],
    [{ stubs: [{ match: { url: 'x' }, value: 1, error: { name: 'Error' } }] }, 'invalid_request', /one of response/],
    [{ stubs: Array.from({ length: 101 }, () => ({ match: { url: 'x' }, value: 1 })) }, 'invalid_request', /stubs/],
  ])('refuses %#: what is wrong with code, input or stubs', async (patch, code, message) => {
    const refused: unknown = await replay(executionId, patch).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('refuses what is not there, still runs, or was never run', async () => {
    await expect(replay('nowhere', { code: FIXED })).rejects.toMatchObject({ code: 'execution_not_found' });
    await app.task('sleeps', 'function main() { sleep(60000); }');
    const { execution_id } = await app.call('create_execution', { task_id: 'sleeps', input: {} });
    await expect(replay(execution_id, { code: FIXED })).rejects.toMatchObject({ code: 'execution_running' });
    await app.call('cancel_execution', { execution_id });
    await expect(app.call('get_replay', { replay_id: 'nowhere' })).rejects.toMatchObject({ code: 'replay_not_found' });
  });

  it('lets nothing out for a caller who may not execute', async () => {
    const permissions = new Set([...LOCAL_ADMIN.permissions].filter((permission) => permission !== 'execute_tasks'));
    const input = { execution_id: executionId, code: FIXED, allow_live: true };
    const asked = app.call('replay_execution', input, { principal: { ...LOCAL_ADMIN, id: 'key:reader', permissions } });
    await expect(asked).rejects.toMatchObject({ code: 'permission_denied' });
  });

  it('lets no code out that the caller may not publish, also over past failures', async () => {
    const permissions = new Set<Permission>(['read_traces', 'execute_tasks']);
    const caller = { principal: { ...LOCAL_ADMIN, id: 'key:executor', permissions } };
    const input = { execution_id: executionId, allow_live: true };
    const code = `async function main() { return fetch('${api.url}/echo', { method: 'DELETE' }).then((a) => a.status); }`;
    const { value, requests } = await countRequests(() =>
      Promise.allSettled([
        app.call('replay_execution', { ...input, code }, caller),
        app.call('replay_failures', { ...input, code, task_id: 'found' }, caller),
      ]),
    );
    const refused = { reason: { code: 'permission_denied', details: { permission: 'manage_tasks' } } };
    expect(value).toMatchObject([refused, refused]);
    expect(requests).toBe(0);
    // What was published, and what does not leave, is for the caller to run.
    for (const more of [
      { ...input, version: 1 },
      { ...input, input: { url: api.url } },
      { ...input, allow_live: false, code },
    ])
      expect(await app.call('replay_execution', more, caller)).toMatchObject({ mode: 'patched' });
  });

  it('tells no secret of a call that was let out', async () => {
    await app.task('signs', 'async function main() { return 1; }');
    const { execution_id } = await app.run('signs', {});
    const code = `async function main() {
      const sent = await fetch('${api.url}/echo', { headers: { authorization: 'Bearer ' + secret('key') } });
      return sent.json();
    }`;
    const told = await replay(execution_id, { code, allow_live: true });
    expect(JSON.stringify(told)).not.toContain('hidden-value-1');
    expect(told).toMatchObject({ output: { headers: { authorization: 'Bearer {{secret:key}}' } } });
  });
});

describe('over past failures', () => {
  beforeAll(async () => {
    await app.task('fails-often', BROKEN, { input_schema: CHECK });
    for (let n = 0; n < 5; n += 1) await failure('fails-often');
    await app.task('alike', BROKEN, { input_schema: CHECK });
    await failure('alike');
  });

  interface Table {
    readonly fingerprint: string;
    readonly counts: Readonly<Record<string, number>>;
    readonly rows: readonly { execution_id: string; replay_id: string | null; verdict: string; summary: string }[];
  }
  const over = async (input: object): Promise<Table> =>
    (await app.call('replay_failures', { task_id: 'fails-often', ...input })) as unknown as Table;
  const lastFailure = async (): Promise<unknown> => {
    const { executions } = (await app.call('list_executions', { task_id: 'fails-often', status: 'failed' })) as {
      executions: { execution_id: string }[];
    };
    return executions[0]?.execution_id;
  };

  it('a fix is tried on each, newest first, and each try is a replay of its own', async () => {
    const execution_id = await failure('fails-often');
    const { value, requests } = await countRequests(() => over({ execution_id, code: FIXED }));
    expect(requests).toBe(0);
    expect(value.counts).toEqual({ succeeds: 6, fails_same: 0, fails_otherwise: 0, undecided: 0, not_replayable: 0 });
    expect(value.rows[0]).toMatchObject({ execution_id, verdict: 'succeeds' });
    expect(new Set(value.rows.map(({ replay_id }) => replay_id)).size).toBe(6);
    const by = await over({ fingerprint: value.fingerprint, limit: 2 });
    expect(by.rows).toHaveLength(2);
    expect(by.counts['fails_same']).toBe(2);
  });

  it('a fix that may owe its end to a call that was blocked is not counted as one', async () => {
    const execution_id = await lastFailure();
    const code = FIXED.replace('return', `await Promise.race([fetch(url + '/text'), sleep(9)]); return`);
    expect((await over({ execution_id, code, limit: 2 })).counts).toMatchObject({ succeeds: 0, undecided: 2 });
  });

  it('what can not be replayed stands in the table', async () => {
    await app.task('loops', 'async function main({ n }) { if (n) for (;;); return n.x.y; }');
    const { execution_id } = await app.run('loops', { n: 1 }, { timeout: 0.3 });
    await app.call('edit_task', {
      task_id: 'loops',
      code: 'async function main() { return 1; }',
      input_schema: { required: ['m'] },
    });
    const table = (await app.call('replay_failures', {
      task_id: 'loops',
      execution_id,
      version: 2,
    })) as unknown as Table;
    expect(table.counts['not_replayable']).toBe(1);
    expect(table.rows[0]).toMatchObject({ replay_id: null, verdict: 'not_replayable' });
    expect(table.rows[0]?.summary).toBe('input/m: expected a value, got none');
  });

  it('wrong code, an execution that did not fail, and a task that is not there are refused', async () => {
    const execution_id = await lastFailure();
    await expect(over({ execution_id, code: 'function (' })).rejects.toMatchObject({ code: 'syntax_error' });
    await expect(over({ code: FIXED })).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(over({ task_id: 'nowhere', execution_id })).rejects.toMatchObject({ code: 'task_not_found' });
    await expect(over({ task_id: 'alike', execution_id })).rejects.toMatchObject({ code: 'invalid_request' });
    await app.task('good', 'function main() { return 1; }');
    const good = await app.run('good');
    const asked = over({ task_id: 'good', execution_id: good['execution_id'] });
    await expect(asked).rejects.toMatchObject({ code: 'not_failed' });
  });
});

describe('a saved test', () => {
  it('passes at once without network, and fails with the old code', async () => {
    await app.task('saves', BROKEN, { input_schema: CHECK });
    const told = await replay(await failure('saves'), { code: FIXED, save_test: 'unknown-place' });
    expect(told.test).toMatchObject({ name: 'unknown-place', expected_output: null });
    expect(await tested(FIXED, told.test)).toMatchObject({ passed: true, reason: null });
    expect(await tested(BROKEN, told.test)).toMatchObject({ passed: false });
  });

  it('of a failure expects that error', async () => {
    await app.task('saves-failure', BROKEN, { input_schema: CHECK });
    const told = await replay(await failure('saves-failure'), { save_test: 'still-broken' });
    expect(told).toMatchObject({ verdict: 'fails_same' });
    expect(await tested(BROKEN, told.test)).toMatchObject({ passed: true });
    expect(await tested(FIXED, told.test)).toMatchObject({ passed: false });
  });

  it('is not made of an open verdict', async () => {
    await app.task('saves-nothing', BROKEN, { input_schema: CHECK });
    const code = BROKEN.replace('/v1/search', '/text');
    const told = await replay(await failure('saves-nothing'), { code, save_test: 'open' });
    expect(told).toMatchObject({ verdict: 'undecided', test: null });
  });

  it('repeats clock, randomness, order of answers, races, errors and steps of every kind', async () => {
    await app.task('other', 'function main(input) { return input * 2; }');
    const code = `async function main({ url }, context) {
      const out = [Date.now(), Math.random(), crypto.randomUUID(), context.executionId];
      for (let n = 0; n < 3; n += 1) out.push(await fetch(url + '/flaky/saved?fails=1').then((a) => a.status));
      out.push(await Promise.race([fetch(url + '/slow?ms=40').then(() => 'slow'), sleep(5).then(() => 'sleep')]));
      out.push(await Promise.all([fetch(url + '/slow?ms=20'), fetch(url + '/slow?ms=1')].map((f, i) => f.then(() => i))));
      out.push(await Promise.any([fetch(url + '/slow?ms=9').then(() => 'a'), fetch(url + '/slow?ms=3').then(() => 'b')]));
      try { await fetch(url + '/drop'); } catch (error) { out.push(error.name); }
      out.push(await runTask('other', 21), await hmac('key', 'data'));
      void fetch(url + '/slow?ms=2');
      out.push([...new Uint8Array(await fetch(url + '/bytes').then((a) => a.arrayBuffer()))].length);
      return [...out, Date.now(), await step('sum', () => 1 + 1)];
    }`;
    await app.task('saves-all', code);
    const ran = await app.run('saves-all', { url: api.url });
    expect(ran['status']).toBe('completed');
    const told = await replay(ran['execution_id'], { save_test: 'everything' });
    expect(told).toMatchObject({ verdict: 'succeeds', output: ran['output'], output_diff: [] });
    expect(await tested(code, told.test)).toMatchObject({ reason: null, passed: true, output: ran['output'] });
    expect(await tested(code.replace('1 + 1', '1 + 2'), told.test)).toMatchObject({ passed: false });
  });

  it('of blocking code passes too', async () => {
    const code = `function main({ url }) { sleep(3); return [fetch(url + '/json').body.items, Date.now(), Math.random()]; }`;
    await app.task('saves-blocking', code);
    const ran = await app.run('saves-blocking', { url: api.url });
    const told = await replay(ran['execution_id'], { save_test: 'blocking' });
    expect(await tested(code, told.test)).toMatchObject({ passed: true, output: ran['output'] });
  });

  it('with stubs keeps their answers', async () => {
    await app.task('saves-stubs', 'async function main() { return 1; }');
    const { execution_id } = await app.run('saves-stubs');
    const code = `async function main() { const a = await fetch('https://nowhere.example/a'); return [a.status, await a.text()]; }`;
    const stubs = [{ match: { url: 'nowhere' }, response: { status: 201, body: 'aGk=', bodyEncoding: 'base64' } }];
    const told = await replay(execution_id, { code, stubs, save_test: 'stubs' });
    expect(told).toMatchObject({ output: [201, 'hi'] });
    expect(await tested(code, told.test)).toMatchObject({ passed: true, output: [201, 'hi'] });
  });
});

describe('a test file', () => {
  it('with a clock lets nothing out, also without mocks', async () => {
    const code = `async function main() { return fetch('${api.url}/json').then((a) => a.status); }`;
    const result = await tested(code, { input: {}, clock: '2026-01-02T03:04:05.006Z', expected_output: 200 });
    expect(result).toMatchObject({ passed: false, reason: expect.stringContaining('no mock matches GET') });
  });

  it('may start at a time and with a seed, and move on by delays', async () => {
    const code = `async function main() { const at = Date.now(); await fetch('https://a.example/'); return [at, Date.now() - at, Math.random()]; }`;
    const file = {
      input: {},
      clock: 1_767_323_045_006,
      seed: '07'.repeat(32),
      mock: { http: { url: 'a.example', delay_ms: 250, response: { body: 1 } } },
    };
    const first = await tested(code, file);
    expect(first).toMatchObject({ passed: true, output: [1_767_323_045_006, 250, expect.any(Number)] });
    expect((await tested(code, file)).output).toEqual(first.output);
  });

  it('answers so many calls and no more, and mocks steps of other kinds', async () => {
    const code = `async function main() {
      const all = []; for (let n = 0; n < 2; n += 1) all.push(await fetch('https://a.example/').then((a) => a.text()));
      return [...all, await runTask('none', 1), await readFile('a.txt')];
    }`;
    const http = ['x', 'y'].map((body) => ({ url: 'a.example', times: 1, response: { body } }));
    const steps = [
      { kind: 'task', name: 'none', value: 5 },
      { kind: 'file', value: 'content' },
    ];
    const good = await tested(code, { input: {}, mock: { http, steps }, expected_output: ['x', 'y', 5, 'content'] });
    expect(good).toMatchObject({ passed: true });
    const short = await tested(code, { input: {}, mock: { http: http.slice(1), steps } });
    expect(short.reason).toContain('no mock matches GET https://a.example/ any more');
    const thrown = [{ kind: 'task', error: { name: 'DataError', message: 'no' } }];
    expect(
      await tested(code, { input: {}, mock: { http, steps: thrown }, expected_error: 'DataError: no' }),
    ).toMatchObject({
      passed: true,
    });
  });
});

/**
 * The whole way of a failure: it is analysed, stopped at its line with the real data, mended, the mending proven on this and
 * on past failures, published, and kept from coming back; with the network of the machine that it called gone after it ran.
 */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startHttpApi } from '../support/http-api.ts';
import {
  type Answer,
  call,
  eventually,
  type Home,
  openHome,
  ratchet,
  type ServerProcess,
  startServerProcess,
} from '../support/server.ts';

const SAMPLE = fileURLToPath(new URL('../../sample/js-tasks/flaky', import.meta.url));
const FAILURES = 20;
const BROKEN = 'user.profile.name';
const MENDED = "user.profile?.name ?? 'nobody'";

let home: Home;
let server: ServerProcess;
beforeAll(async () => {
  home = openHome();
  cpSync(SAMPLE, join(home.folder, 'tasks', 'flaky'), { recursive: true });
  server = await startServerProcess(home);
});
afterAll(async () => {
  await server.stop();
  home[Symbol.dispose]();
});

const ask = (method: string, path: string, body?: object): Promise<Answer> =>
  call(server.url, method, `/api/v1${path}`, body);

it('flaky fails, is analysed, debugged, mended, proven on 20 failures, published, and stays mended', {
  timeout: 120_000,
}, async () => {
  const api = await startHttpApi();
  const code = readFileSync(join(SAMPLE, 'task.js'), 'utf8');
  const line = code.split('\n').findIndex((text) => text.includes(BROKEN)) + 1;
  const ids: string[] = [];
  for (let n = 0; n < FAILURES; n += 1) {
    const { body } = await ask('POST', '/tasks/execute', {
      task_id: 'flaky',
      input: { fail: 'null_access', base_url: api.url },
    });
    expect(body).toMatchObject({ status: 'failed', error: { error_type: 'TypeError' } });
    ids.push(String(body['execution_id']));
  }
  const calls = api.calls();
  await api.close();
  const [id] = ids.slice(-1);

  const analysis = await ask('GET', `/executions/${id}/analysis`);
  expect(analysis.body).toMatchObject({
    kind: 'null_access',
    recoverable: false,
    context: { history: { count: FAILURES }, failing_line: { line } },
  });
  const told = JSON.stringify(analysis.body);
  expect(told).toContain(`"line":${line}`);
  expect(told).toContain('user.profile');

  const debugged = await ask('POST', `/executions/${id}/debug`, { breakpoints: [line], watches: ['user.message'] });
  expect(debugged.body).toMatchObject({
    result: 'threw',
    hits: [{ line, watches: [{ expression: 'user.message', value: { value: 'hello' } }] }],
  });
  expect(JSON.stringify(debugged.body['hits'])).toContain('items');

  const mended = code.replace(BROKEN, MENDED);
  const replayed = await ask('POST', `/executions/${id}/replay`, { code: mended, save_test: 'nobody' });
  expect(replayed.body).toMatchObject({ verdict: 'succeeds', counts: { reused: 1, changed: 0, new: 0, missing: 0 } });
  const still = await ask('POST', `/executions/${id}/replay`, { code: `${code}\n// looked at` });
  expect(still.body).toMatchObject({ verdict: 'fails_same' });

  const all = await ask('POST', '/tasks/flaky/replay-failures', { execution_id: id, code: mended, limit: FAILURES });
  expect(all.body).toMatchObject({ counts: { succeeds: FAILURES } });
  expect(all.body['rows']).toHaveLength(FAILURES);

  // A test of the sample wants the failure: what breaks a test is not published unless the test changes with it.
  const refused = await ask('PUT', '/tasks/flaky', { code: mended, base_version: 1 });
  expect(refused.body).toMatchObject({ code: 'invalid_task', details: { test: 'a null access' } });
  const test_cases = [{ name: 'nobody is no failure', input: { fail: 'null_access' } }];
  const published = await ask('PUT', '/tasks/flaky', { code: mended, base_version: 1, test_cases });
  expect(published.body).toMatchObject({ version: 2, changed: true });
  const again = await ask('POST', `/executions/${id}/replay`, { version: 2 });
  expect(again.body).toMatchObject({ verdict: 'succeeds' });

  const folder = join(home.folder, 'mended', 'flaky');
  cpSync(SAMPLE, folder, { recursive: true });
  home.file('mended/flaky/tests/nobody.json', JSON.stringify(replayed.body['test']));
  const passes = async (): Promise<unknown> => {
    const tested = (await ratchet(home, ['test', '--from-fs', folder])).json() as { results: { name: string }[] };
    return tested.results.find(({ name }) => name === 'nobody');
  };
  expect(await passes()).toMatchObject({ passed: false });
  writeFileSync(join(folder, 'task.js'), mended);
  expect(await passes()).toMatchObject({ passed: true });

  expect(api.calls()).toBe(calls);
  const { body: events } = await ask('GET', `/executions/${id}/events`);
  expect(JSON.stringify(events)).not.toContain('Replay');
  await eventually('the replays are on record', async () => {
    const { body } = await ask('GET', `/replays?execution_id=${id}`);
    const modes = (body['replays'] as { mode: string }[]).map(({ mode }) => mode);
    return modes.includes('debug') && modes.filter((mode) => mode === 'patched').length === 4 ? true : undefined;
  });
});

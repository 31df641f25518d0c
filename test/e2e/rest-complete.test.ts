import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApp, type TestApp } from '../support/app.ts';
import { type Served, serveTestApp } from '../support/served.ts';
import { type Answer, call } from '../support/server.ts';

let test: TestApp;
let served: Served;

beforeAll(async () => {
  test = await openTestApp();
  served = await serveTestApp(test);
  await test.task('echo', 'function main(input) { return input; }');
  await test.task('failing', 'function main() { throw new TypeError("no luck"); }');
});
afterAll(async () => {
  await served.close();
  await test[Symbol.asyncDispose]();
});

const rest = (method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer> =>
  call(served.url, method, `/api/v1${path}`, body, headers);
const tagOf = async (path: string): Promise<string> => (await rest('GET', path)).headers.get('etag') ?? '';

describe('entity tags', () => {
  const schedule = async (): Promise<string> => {
    const wish = { name: 'x', task_id: 'echo', cron: '@daily', input: 1 };
    return `/schedules/${String((await rest('POST', '/schedules', wish)).body['id'])}`;
  };
  const task = async (): Promise<string> => {
    const name = `edited-${Math.floor(performance.now() * 1_000)}`;
    await rest('POST', '/tasks', { name, code: 'function main() {}' });
    return `/tasks/${name}`;
  };

  it.each([
    ['task', task],
    ['schedule', schedule],
    ['execution', async () => `/executions/${String((await test.run('echo', 1))['execution_id'])}`],
  ])('of a %s say that it has not changed', async (_, make) => {
    const path = await make();
    const etag = await tagOf(path);
    expect(etag).toMatch(/^"(?:v1-)?[0-9a-f]{32}"$/);
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const response = await fetch(`${served.url}/api/v1${path}`, { headers: { 'if-none-match': known } });
      expect([response.status, await response.text(), response.headers.get('etag')]).toEqual([304, '', etag]);
    }
    expect((await rest('GET', path, undefined, { 'if-none-match': '"other"' })).status).toBe(200);
  });

  it.each([
    ['task', task],
    ['schedule', schedule],
  ])('of a %s bind edits to the version that they were made on', async (_, make) => {
    const path = await make();
    const first = await tagOf(path);
    const edit = (method: string, description: string, tag: string) =>
      rest(method, path, method === 'DELETE' ? undefined : { description }, { 'if-match': tag });
    expect((await edit('PATCH', 'one', first)).status).toBe(200);
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      for (const stale of [first, `W/${await tagOf(path)}`, '"nonsense"', '']) {
        const refused = await edit(method, 'two', stale);
        expect([refused.status, refused.body['code']], `${method} ${stale}`).toEqual([412, 'precondition_failed']);
      }
    }
    const current = await tagOf(path);
    expect(current).not.toBe(first);
    const both = await rest('PATCH', path, { description: 'x', base_version: 1 }, { 'if-match': current });
    expect([both.status, both.body['code']]).toEqual([400, 'invalid_request']);
    expect((await edit('PUT', 'three', '*')).status).toBe(200);
    expect((await edit('DELETE', '', await tagOf(path))).status).toBe(200);
    const stale = path.startsWith('/tasks') ? 'task_not_found' : 'schedule_not_found';
    expect((await edit('DELETE', '', current)).body['code']).toBe(stale);
  });

  it('of a schedule stay good for an edit when it has fired', async () => {
    const path = await schedule();
    const etag = await tagOf(path);
    await rest('POST', `${path}/trigger`);
    expect(await tagOf(path)).not.toBe(etag);
    expect((await rest('PATCH', path, { description: 'x' }, { 'if-match': etag })).status).toBe(200);
  });
});

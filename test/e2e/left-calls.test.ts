import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApp } from '../support/app.ts';
import { startHttpApi } from '../support/http-api.ts';

let api: Awaited<ReturnType<typeof startHttpApi>>;
beforeAll(async () => {
  api = await startHttpApi();
});
afterAll(() => api.close());

describe('a call that nobody awaits when the task returns', () => {
  it('still goes out once, is recorded, and the run replays the same', async () => {
    await using test = await openTestApp();
    const code =
      'async function main({ url }) { await sleep(1); fetch(url, { method: "POST", body: "x" }); return "sent"; }';
    await test.task('careless', code);
    const before = api.calls('/json');
    const { execution_id, output } = await test.run('careless', { url: `${api.url}/json` });
    expect(output).toBe('sent');
    expect(api.calls('/json')).toBe(before + 1);
    const { steps } = await test.call('list_steps', { execution_id });
    expect(steps).toMatchObject([{ kind: 'sleep' }, { kind: 'http', status: 'completed', outcome: { ok: true } }]);
    expect(await test.call('replay_execution', { execution_id })).toMatchObject({ identical: true });
    expect(api.calls('/json')).toBe(before + 1);
  });

  it('does not go out when the task throws in the same turn', async () => {
    await using test = await openTestApp();
    await test.task('broken', 'async function main({ url }) { fetch(url); throw new Error("no"); }');
    const before = api.calls('/json');
    expect((await test.run('broken', { url: `${api.url}/json` })).status).toBe('failed');
    expect(api.calls('/json')).toBe(before);
  });
});

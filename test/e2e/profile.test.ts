/** Processor-time profiles of recorded executions: taken from a replay, with nothing going out. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LOCAL_ADMIN } from '../../src/domain/access.ts';
import type { CpuProfileFile } from '../../src/domain/cpu-profile-forms.ts';
import type { SpeedscopeFile } from '../../src/domain/speedscope.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { type HttpApi, startHttpApi } from '../support/http-api.ts';
import { countRequests } from '../support/replayed.ts';
import { type Served, serveTestApp } from '../support/served.ts';

let app: TestApp;
let api: HttpApi;
let served: Served;
let executionId: unknown;
beforeAll(async () => {
  api = await startHttpApi();
  app = await openTestApp();
  served = await serveTestApp(app);
  await app.task(
    'hot',
    `function quick(n) { return n + 1; }
function hottest(n) { let sum = 0; for (let i = 0; i < n; i++) sum += Math.sqrt(i) % 7; return sum; }
async function main(url) {
  const answer = await fetch(url + '/json');
  const told = await answer.json();
  return [quick(told.items.length), hottest(2e7) > 0];
}`,
  );
  executionId = (await app.run('hot', api.url))['execution_id'];
});
afterAll(async () => {
  await served.close();
  await app[Symbol.asyncDispose]();
  await api.close();
});

const profile = (more: object = {}) => app.call('profile_execution', { execution_id: executionId, ...more });

describe('a profile', () => {
  test('names the function that took the time, touches no network, and is a replay on record', async () => {
    const before = await app.call('list_execution_events', { execution_id: executionId });
    const calls = api.calls();
    const { value, requests } = await countRequests(() => profile());
    expect([requests, api.calls()]).toEqual([0, calls]);
    expect(value).toMatchObject({
      execution_id: executionId,
      attempt: 1,
      format: 'cpuprofile',
      interval_us: 100,
      identical: true,
    });
    const { nodes, samples, timeDeltas } = value['profile'] as CpuProfileFile;
    expect(value['samples']).toBe(samples.length);
    expect(timeDeltas).toHaveLength(samples.length);
    const hot = nodes.filter(({ callFrame }) => callFrame.functionName === 'hottest');
    expect(hot[0]?.callFrame).toMatchObject({ url: 'hot/main.js', lineNumber: 1 });
    const hits = (of: readonly { hitCount: number }[]): number => of.reduce((sum, { hitCount }) => sum + hitCount, 0);
    const busy = nodes.filter(({ callFrame }) => callFrame.functionName !== '(idle)');
    expect(hits(hot)).toBeGreaterThan(hits(busy) * 0.5);
    const urls = new Set(nodes.map(({ callFrame }) => callFrame.url));
    expect([...urls].toSorted()).toEqual(['', 'hot/main.js']);
    const stored = await app.app.store.readStream(`replay-${String(value['replay_id'])}`);
    expect(stored.map(({ type }) => type)).toEqual(['ReplayStarted', 'ReplayEnded']);
    expect(JSON.parse(stored[0]?.payload ?? '')).toMatchObject({ mode: 'profile', executionId, attempt: 1 });
    expect(JSON.parse(stored[1]?.payload ?? '')).toMatchObject({ verdict: 'identical' });
    expect(await app.call('list_execution_events', { execution_id: executionId })).toEqual(before);
  });

  test('is told as folded stacks and SVG with their media types, and as speedscope file', async () => {
    const ask = async (format: string) =>
      fetch(`${served.url}/api/v1/executions/${String(executionId)}/profile`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ format, interval_us: 1_000 }),
      });
    const folded = await ask('folded');
    expect(folded.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await folded.text()).toMatch(/^hot;main hot\/main\.js:3;hottest hot\/main\.js:2 \d+$/m);
    const svg = await ask('svg');
    expect([svg.status, svg.headers.get('content-type')]).toEqual([200, 'image/svg+xml; charset=utf-8']);
    expect(svg.headers.get('x-ratchet-replay')).toMatch(/^[\w-]{36}$/);
    expect(await svg.text()).toMatch(/<title>hottest hot\/main\.js:2 \([\d.]+ m?s, /);
    const told = (await (await ask('speedscope')).json()) as { profile: SpeedscopeFile };
    const { shared, profiles } = told.profile;
    expect(profiles[0]).toMatchObject({ type: 'sampled', unit: 'microseconds', startValue: 0 });
    expect(shared.frames).toContainEqual({ name: 'hottest', file: 'hot/main.js', line: 2, col: expect.any(Number) });
  });

  test('of compiled code tells the lines of the file that its author wrote', async () => {
    const map = { version: 3, sources: ['shop.ts'], names: [], mappings: ';AAQA' };
    const comment = `//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}`;
    const code = `function main() { return inner(3e6); }
function inner(n) { let sum = 0; for (let i = 0; i < n; i++) sum += Math.sqrt(i) % 7; return sum; }
${comment}`;
    await app.task('compiled', code);
    const { execution_id } = await app.run('compiled');
    const told = await profile({ execution_id, format: 'speedscope' });
    const { shared } = told['profile'] as SpeedscopeFile;
    expect(shared.frames).toContainEqual({ name: 'inner', file: 'shop.ts', line: 9, col: 1 });
  });

  test('of a failed execution is as good', async () => {
    await app.task(
      'fails',
      'function main() { let n = 0; for (let i = 0; i < 3e6; i++) n += i; throw new DataError("no " + n); }',
    );
    const { execution_id } = await app.run('fails');
    expect(await profile({ execution_id })).toMatchObject({ identical: true, samples: expect.any(Number) });
  });
});

describe('a profile is refused', () => {
  test('for an execution that nobody knows, or that has not ended', async () => {
    await expect(profile({ execution_id: 'nobody' })).rejects.toMatchObject({ code: 'execution_not_found' });
    await app.task('endless', 'function main(url) { fetch(url + "/never"); }');
    const { execution_id } = await app.call('create_execution', { task_id: 'endless', input: api.url });
    await expect(profile({ execution_id })).rejects.toMatchObject({ code: 'execution_running' });
    await app.call('cancel_execution', { execution_id });
  });

  test('for an attempt that was not, and for intervals and forms that are none', async () => {
    await expect(profile({ attempt: 7 })).rejects.toMatchObject({ code: 'not_replayable' });
    for (const wrong of [{ interval_us: 49 }, { interval_us: 10_001 }, { format: 'pdf' }]) {
      await expect(profile(wrong)).rejects.toMatchObject({ code: 'invalid_request' });
    }
  });

  test('without the permission to read traces', async () => {
    const principal = { ...LOCAL_ADMIN, id: 'key:blind', permissions: new Set(['read'] as const) };
    const asked = app.call('profile_execution', { execution_id: executionId }, { principal });
    await expect(asked).rejects.toMatchObject({ code: 'permission_denied' });
  });
});

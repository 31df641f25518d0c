/** A fork is an execution of its own that begins in the middle of another: what came before is kept and not done again. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApp, type TestApp } from '../support/app.ts';
import { countCalls } from '../support/crash-load.ts';
import { replayed } from '../support/replayed.ts';
import { eventually } from '../support/server.ts';

const CODE = `function main({ base, fail }) {
  const seen = [Math.random(), Date.now()];
  for (const name of ['a', 'b', 'c']) {
    console.log('at ' + name);
    seen.push(fetch(base + '/' + name, { method: 'POST', body: name }).body.path);
  }
  const inner = step('inner', () => { const one = fetch(base + '/d', { method: 'POST' }); return one.body.path; });
  if (fail) throw new Error('at the end');
  return [...seen, inner];
}`;

let app: TestApp;
let counter: Awaited<ReturnType<typeof countCalls>>;
beforeAll(async () => {
  app = await openTestApp();
  counter = await countCalls();
  await app.task('chain', CODE);
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await counter[Symbol.asyncDispose]();
});

const made = (): number => [...counter.calls.values()].reduce((sum, times) => sum + times.length, 0);

async function ended(id: unknown): Promise<Record<string, unknown>> {
  return eventually('the fork has ended', async () => {
    const status = await app.call('get_execution_status', { execution_id: id });
    return ['completed', 'failed'].includes(String(status['status'])) ? status : undefined;
  });
}

describe('a fork', () => {
  it.each([
    ['1', 0],
    ['3', 2],
    ['4', 3],
  ])(
    'from step %s keeps the %i outcomes before it, draws the same randomness, and calls only the rest',
    async (from_step, kept) => {
      const original = await app.run('chain', { base: counter.url, fail: false });
      const before = made();
      const { execution_id, steps_kept } = await app.call('fork_execution', {
        execution_id: original['execution_id'],
        from_step,
      });
      const fork = await ended(execution_id);
      expect(steps_kept).toBe(kept);
      expect(fork).toMatchObject({
        status: 'completed',
        original_execution: original['execution_id'],
        fork_step: from_step,
      });
      expect((fork['output'] as unknown[]).slice(0, 1)).toEqual((original['output'] as unknown[]).slice(0, 1));
      expect(made() - before).toBe(4 - kept);
      await replayed(app, execution_id);
      const logs = await app.call('get_execution_logs', { execution_id });
      expect(logs['logs']).toHaveLength(3);
    },
  );

  it('of a failure, with the version that mends it, goes on from the step that is named', async () => {
    await app.task('mended', CODE);
    const failed = await app.run('mended', { base: counter.url, fail: true });
    expect(failed).toMatchObject({ status: 'failed' });
    await app.call('edit_task', {
      task_id: 'mended',
      code: CODE.replace("throw new Error('at the end')", 'seen.push(1)'),
    });
    const before = made();
    const wish = { execution_id: failed['execution_id'], from_step: '4', same_version: false };
    const { execution_id } = await app.call('fork_execution', wish);
    expect(await ended(execution_id)).toMatchObject({ status: 'completed', task_version: 2 });
    expect(made() - before).toBe(1);
  });

  it('of code that tells others its own id and attempt goes on under the same, and replays', async () => {
    const code = `function main({ base }, { executionId, jobId, attempt }) {
      const first = fetch(base + '/as?' + [executionId, jobId, attempt].join('&')).body;
      fetch(base + '/then');
      if (attempt === 1) throw new NetworkError('once');
      return first.path;
    }`;
    await app.task('tells-itself', code);
    const retry = { max_attempts: 2, initial_ms: 5 };
    const original = await app.run('tells-itself', { base: counter.url }, { retry });
    expect(original).toMatchObject({ status: 'completed' });
    const forkOf = (id: unknown) => app.call('fork_execution', { execution_id: id, from_step: '2' });
    const first = await forkOf(original['execution_id']);
    expect(await ended(first['execution_id'])).toMatchObject({ status: 'completed', output: original['output'] });
    const second = await forkOf(first['execution_id']);
    expect(await ended(second['execution_id'])).toMatchObject({ status: 'completed', output: original['output'] });
    await replayed(app, second['execution_id']);
  });

  it('with code that asks for other first steps fails by naming both', async () => {
    const original = await app.run('chain', { base: counter.url, fail: false });
    const wish = {
      execution_id: original['execution_id'],
      from_step: '3',
      input: { base: `${counter.url}/x`, fail: false },
    };
    const { execution_id } = await app.call('fork_execution', wish);
    const told = await ended(execution_id);
    expect(told).toMatchObject({ status: 'failed', error: { code: 'replay_mismatch' } });
    expect((told['error'] as { message: string }).message).toContain('step 1 http POST');
  });

  it('can be forked again, and from the start keeps nothing', async () => {
    const original = await app.run('chain', { base: counter.url, fail: false });
    const first = await app.call('fork_execution', { execution_id: original['execution_id'], from_step: '3' });
    await ended(first['execution_id']);
    const second = await app.call('fork_execution', { execution_id: first['execution_id'], from_step: '2' });
    expect(second).toMatchObject({ steps_kept: 1, original_execution: first['execution_id'] });
    expect(await ended(second['execution_id'])).toMatchObject({ status: 'completed' });
    await replayed(app, second['execution_id']);
    const anew = await app.call('fork_execution', { execution_id: original['execution_id'] });
    expect(anew).toMatchObject({ steps_kept: 0, from_step: null });
    expect(await ended(anew['execution_id'])).toMatchObject({ status: 'completed', fork_step: null });
  });

  it('of a step that failed is asked for by that word', async () => {
    await app.task(
      'refused',
      `function main({ base }) { fetch(base + '/fine'); return fetch('http://127.0.0.1:1/'); }`,
    );
    const failed = await app.run('refused', { base: counter.url });
    const { execution_id, from_step } = await app.call('fork_execution', {
      execution_id: failed['execution_id'],
      from_step: 'failed',
    });
    expect(from_step).toBe('2');
    expect(await ended(execution_id)).toMatchObject({ status: 'failed' });
  });

  it('from a step that is not there, or of an execution that runs or is unknown, is refused', async () => {
    const { execution_id } = await app.run('chain', { base: counter.url, fail: false });
    const refused = (input: object) => app.call('fork_execution', input);
    await expect(refused({ execution_id, from_step: '99' })).rejects.toMatchObject({ code: 'fork_point_not_found' });
    await expect(refused({ execution_id, from_step: 'failed' })).rejects.toMatchObject({
      code: 'fork_point_not_found',
    });
    await expect(refused({ execution_id: 'nowhere' })).rejects.toMatchObject({ code: 'execution_not_found' });
    await app.task('sleeper', 'function main() { sleep(60000); }');
    const { execution_id: sleeping } = await app.call('create_execution', { task_id: 'sleeper', input: {} });
    await expect(refused({ execution_id: sleeping })).rejects.toMatchObject({ code: 'execution_running' });
    await app.call('cancel_execution', { execution_id: sleeping });
  });
});

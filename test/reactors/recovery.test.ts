import { describe, expect, it, vi } from 'vitest';
import { RatchetError } from '../../src/domain/errors.ts';
import { openTestApp } from '../support/app.ts';

const status = async (test: Awaited<ReturnType<typeof openTestApp>>, id: unknown) =>
  (await test.call('get_execution_status', { execution_id: id })) as {
    status: string;
    attempt: number;
    error: unknown;
  };

describe('an execution whose store can not be reached for a while', () => {
  it('is taken up again by the same worker when the store answers, and ends', async () => {
    await using test = await openTestApp();
    await test.task('slow', 'async function main() { await sleep(50); return "done"; }');
    const { execution_id } = await test.call('create_execution', { task_id: 'slow', input: {} });
    await vi.waitFor(() => expect(test.app.store.head()).resolves.toBeTruthy());
    const down = vi.spyOn(test.app.store, 'append').mockImplementation(async () => {
      throw new RatchetError('store_unavailable', 'down');
    });
    await vi.waitFor(() => expect(down.mock.calls.length).toBeGreaterThan(2), { timeout: 10_000 });
    down.mockRestore();
    await vi.waitFor(async () => expect((await status(test, execution_id)).status).toBe('completed'), {
      timeout: 10_000,
    });
    expect((await status(test, execution_id)).attempt).toBeGreaterThan(1);
  });
});

describe('a subtask that can not be asked for, because the store does not answer', () => {
  it('is no failure of the task: its attempt breaks off, and the next one asks again', async () => {
    await using test = await openTestApp();
    await test.task('child', 'function main() { return "done"; }');
    await test.task('parent', 'async function main() { return runTask("child", {}); }');
    const { store } = test.app;
    const append = store.append.bind(store);
    let refused = 0;
    vi.spyOn(store, 'append').mockImplementation(async (stream, expected, events) => {
      const isSubtask = events.some(
        ({ type, payload }) => type === 'ExecutionRequested' && !payload.includes('"parent":null'),
      );
      if (!isSubtask || refused === 2) return append(stream, expected, events);
      refused += 1;
      throw new RatchetError('store_unavailable', 'down');
    });
    expect(await test.run('parent')).toMatchObject({ status: 'completed', output: 'done' });
    expect(refused).toBe(2);
  });
});

describe('names of steps that are too long for an event', () => {
  it('are cut, and the execution ends at its first attempt', async () => {
    await using test = await openTestApp();
    await test.task(
      'long',
      'async function main() { return step("n".repeat(2e6), async () => { await sleep(1); return 1; }); }',
    );
    const { status: ended, execution_id } = await test.run('long');
    expect(ended).toBe('completed');
    expect((await status(test, execution_id)).attempt).toBe(1);
    expect(await test.call('replay_execution', { execution_id })).toMatchObject({ identical: true });
  });
});

describe('a request under a key that is known', () => {
  it('is answered as before, also when its task can not run any more', async () => {
    await using test = await openTestApp();
    await test.task('once', 'function main() { return 1; }');
    const first = await test.run('once', {}, { idempotency_key: 'k' });
    await test.call('disable_task', { task_id: 'once' });
    expect(await test.run('once', {}, { idempotency_key: 'k' })).toMatchObject({
      execution_id: first.execution_id,
      output: 1,
    });
    await expect(test.run('once', { other: 1 }, { idempotency_key: 'k' })).rejects.toMatchObject({
      code: 'idempotency_mismatch',
    });
    await expect(test.run('once')).rejects.toMatchObject({ code: 'task_disabled' });
  });
});

describe('a subtask that nobody awaits', () => {
  it('is durably asked for before its parent ends', async () => {
    await using test = await openTestApp();
    await test.task('child', 'function main() { return 1; }');
    await test.task('parent', 'async function main() { runTask("child", {}); return "off"; }');
    const { execution_id } = await test.run('parent');
    const { executions } = await test.call('list_executions', { parent_id: execution_id as string });
    expect(executions).toHaveLength(1);
  });
});

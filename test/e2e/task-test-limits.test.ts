import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_ADMIN } from '../../src/domain/access.ts';
import { isRatchetError } from '../../src/domain/errors.ts';
import { openTestApp, type TestApp } from '../support/app.ts';

describe('limits of the caller', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
    const test_cases = [{ name: 'a', input: {}, expected_output: 'seen' }];
    await app.task('secret', 'function main() { return "seen"; }');
    await app.task('asks', 'function main() { return runTask("secret", {}); }', { test_cases });
  });
  afterAll(() => app[Symbol.asyncDispose]());

  it('count each test as an execution', async () => {
    const limits = { executions: { requests: 2, windowMs: 60_000 }, logs: null };
    const principal = { ...LOCAL_ADMIN, id: 'key:few', limits };
    await app.call('run_task_tests', { task_id: 'asks' }, { principal });
    await app.call('validate_task', { task_id: 'asks' }, { principal });
    const refused = await app
      .call('run_task_tests', { task_id: 'asks' }, { principal })
      .catch((error: unknown) => error);
    expect(isRatchetError(refused, 'rate_limited')).toBe(true);
  });

  it('hold for the tasks that a test runs, and for the task itself', async () => {
    expect(await app.call('run_task_tests', { task_id: 'asks' })).toMatchObject({ passed: 1 });
    const principal = { ...LOCAL_ADMIN, id: 'key:some', tasks: { allowed: ['asks'], denied: [] } };
    const bound = await app.call('run_task_tests', { task_id: 'asks' }, { principal });
    expect(bound).toMatchObject({
      failed: 1,
      results: [{ reason: expect.stringContaining('there is no task secret') }],
    });
    const refused = await app
      .call('validate_task', { task_id: 'secret' }, { principal })
      .catch((error: unknown) => error);
    expect(isRatchetError(refused, 'permission_denied')).toBe(true);
  });

  it('hold for a task that a test runs by its id', async () => {
    const id = app.app.directory.find('secret')?.taskId ?? '';
    const test_cases = [{ name: 'a', input: {}, expected_output: 'seen' }];
    await app.task('asks-by-id', `function main() { return runTask("${id}", {}); }`, { test_cases });
    const everything = { ...LOCAL_ADMIN, id: 'key:every' };
    expect(await app.call('run_task_tests', { task_id: 'asks-by-id' }, { principal: everything })).toMatchObject({
      passed: 1,
    });
    for (const tasks of [
      { allowed: ['*'], denied: ['secret'] },
      { allowed: ['asks-by-id', id], denied: [] },
    ]) {
      const bound = await app.call(
        'run_task_tests',
        { task_id: 'asks-by-id' },
        { principal: { ...everything, tasks } },
      );
      expect(bound, JSON.stringify(tasks)).toMatchObject({
        failed: 1,
        results: [{ reason: expect.stringContaining(`there is no task ${id}`) }],
      });
    }
  });
});

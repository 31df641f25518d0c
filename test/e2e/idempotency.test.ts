import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApp, type TestApp } from '../support/app.ts';

let test: TestApp;
beforeAll(async () => {
  test = await openTestApp({ runs: false });
});
afterAll(() => test[Symbol.asyncDispose]());

const code = (result: number): string => `function main() { return ${result}; }`;

describe('a command under a key that was used before', () => {
  it('is answered as the first time when it asks for the same', async () => {
    const key = { idempotencyKey: 'same' };
    const first = await test.call('create_task', { name: 'same', code: code(1) }, key);
    const second = await test.call('create_task', { code: code(1), name: 'same' }, key);
    expect(second).toEqual({ ...first, changed: false });
  });

  it('is a mismatch when it asks for something else of the same task', async () => {
    const key = { idempotencyKey: 'other code' };
    await test.call('create_task', { name: 'other-code', code: code(1) }, key);
    await expect(test.call('create_task', { name: 'other-code', code: code(2) }, key)).rejects.toMatchObject({
      code: 'idempotency_mismatch',
    });
  });

  it('is a mismatch when it asks for another task', async () => {
    const key = { idempotencyKey: 'other name' };
    await test.call('create_task', { name: 'one-name', code: code(1) }, key);
    await expect(test.call('create_task', { name: 'other-name', code: code(1) }, key)).rejects.toMatchObject({
      code: 'idempotency_mismatch',
    });
  });

  it('is carried out when the operation is another', async () => {
    const key = { idempotencyKey: 'other operation' };
    await test.call('create_task', { name: 'switched', code: code(1) }, key);
    expect(await test.call('disable_task', { task_id: 'switched' }, key)).toMatchObject({ status: 'disabled' });
    expect(await test.call('disable_task', { task_id: 'switched' }, key)).toMatchObject({ changed: false });
    await expect(test.call('disable_task', { task_id: 'switched', reason: 'another' }, key)).rejects.toMatchObject({
      code: 'idempotency_mismatch',
    });
  });

  it('is a mismatch for one of two that come at the same moment', async () => {
    const key = { idempotencyKey: 'race' };
    const answers = await Promise.allSettled(
      [1, 2].map((result) => test.call('create_task', { name: 'race', code: code(result) }, key)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(answers).toContainEqual({
      status: 'rejected',
      reason: expect.objectContaining({ code: 'idempotency_mismatch' }),
    });
  });
});

describe('an edit under a key that was used before', () => {
  const key = { idempotencyKey: 'edit' };
  const test_cases = [{ name: 'two', input: {}, expected_output: 2 }];
  const edit = { task_id: 'edited', patch: [{ find: '1', replace: '2' }], test_cases, base_version: 1 };
  let first: Record<string, unknown>;
  let running: TestApp;
  beforeAll(async () => {
    running = await openTestApp();
    await running.task('edited', code(1));
    first = await running.call('edit_task', edit, key);
  });
  afterAll(() => running[Symbol.asyncDispose]());

  it('is answered as the first time, on the version that it was made on, without running the tests again', async () => {
    expect(first).toMatchObject({
      version: 2,
      previous_version: 1,
      changed_parts: ['code', 'test_cases'],
      changed: true,
    });
    const again = await running.call('edit_task', edit, key);
    expect(again).toEqual({ ...first, changed: false, tests: null });
    expect(again['code_difference']).not.toBeNull();
  });

  it('is answered so also when the task has been changed since, and changes nothing', async () => {
    await running.call('edit_task', { task_id: 'edited', description: 'Later.' });
    const head = await running.app.store.head();
    expect(await running.call('edit_task', edit, key)).toEqual({ ...first, changed: false, tests: null });
    expect(await running.app.store.head()).toBe(head);
  });

  it('is a mismatch when it asks for another edit', async () => {
    await expect(running.call('edit_task', { ...edit, tags: ['other'] }, key)).rejects.toMatchObject({
      code: 'idempotency_mismatch',
    });
  });

  it('changes nothing a second time when both come at the same moment', async () => {
    await running.task('twice', code(1));
    const both = { ...edit, task_id: 'twice' };
    const answers = await Promise.all([1, 2].map(() => running.call('edit_task', both, { idempotencyKey: 'twice' })));
    expect(answers.map(({ version }) => version)).toEqual([2, 2]);
    expect(answers.filter(({ changed }) => changed === true)).toHaveLength(1);
  });
});

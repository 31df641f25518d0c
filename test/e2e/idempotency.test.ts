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

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_ADMIN } from '../../src/domain/access.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { eventually } from '../support/server.ts';

let test: TestApp;

beforeAll(async () => {
  test = await openTestApp({ workers: 4, maxPerClient: 2 });
  await test.task('stuck', 'async function main() { for (;;) await sleep(200); }');
  await test.task('child', 'function main() { return 1; }');
  await test.task('parent', 'async function main() { return (await runTask("child", {})) + 1; }');
});
afterAll(async () => {
  await test[Symbol.asyncDispose]();
});

const as = (name: string) => ({ principal: { ...LOCAL_ADMIN, kind: 'key' as const, id: `key:${name}` } });

async function request(name: string, task: string, input: object): Promise<string> {
  const { execution_id } = await test.call('create_execution', { task_id: task, input }, as(name));
  return String(execution_id);
}

const statusOf = async (id: string) => (await test.call('get_execution_status', { execution_id: id }))['status'];
const reaches = (id: string, wanted: string) =>
  eventually(`${id} is ${wanted}`, async () => ((await statusOf(id)) === wanted ? true : undefined));

describe('executions of one caller', () => {
  it('run no more at once than it may have, and those of others do not wait for them', async () => {
    const many = await Promise.all(Array.from({ length: 5 }, () => request('busy', 'stuck', {})));
    const running = async () => {
      const statuses = await Promise.all(many.map(statusOf));
      return statuses.filter((status) => status === 'running').length;
    };
    await eventually('two of them run', async () => ((await running()) === 2 ? true : undefined));
    await reaches(await request('other', 'child', {}), 'completed');
    expect(await running()).toBe(2);
    expect((await test.app.health()).executions.here).toBe(2);
    for (const id of many) {
      await test.call('cancel_execution', { execution_id: id }, as('busy'));
      await reaches(id, 'cancelled');
      expect(await running()).toBeLessThanOrEqual(2);
    }
  });

  it('do not wait for their own subtasks', async () => {
    const ids = await Promise.all(Array.from({ length: 4 }, () => request('parents', 'parent', {})));
    await Promise.all(ids.map((id) => reaches(id, 'completed')));
  });

  it('make way when they are cancelled, waiting or running', async () => {
    const [first, second] = [await request('tired', 'stuck', {}), await request('tired', 'stuck', {})];
    await reaches(second, 'running');
    const waiting = await request('tired', 'child', {});
    const last = await request('tired', 'child', {});
    await test.call('cancel_execution', { execution_id: waiting }, as('tired'));
    await reaches(waiting, 'cancelled');
    expect(await statusOf(last)).toBe('pending');
    await test.call('cancel_execution', { execution_id: first }, as('tired'));
    await reaches(last, 'completed');
    await test.call('cancel_execution', { execution_id: second }, as('tired'));
    await reaches(second, 'cancelled');
  });
});

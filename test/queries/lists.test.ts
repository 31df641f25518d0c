import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApp, type TestApp } from '../support/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await openTestApp();
  await app.task('first', 'function main(input) { console.log("one"); console.log("two"); return input; }');
  await app.task('second', 'function main() { return 2; }');
});
afterAll(() => app[Symbol.asyncDispose]());

interface EventPage {
  readonly events: readonly { readonly position: string }[];
  readonly next_cursor: string | null;
}

describe('executions of a task', () => {
  it('are found by its name and its id, also when it is deleted; a name that nobody has finds none', async () => {
    const { execution_id } = await app.run('second');
    await app.run('first');
    const [task] = (await app.call('list_available_tasks', { filter: 'second' }))['tasks'] as { id: string }[];
    const listed = (task_id: string) => app.call('list_executions', { task_id });
    for (const name of ['second', String(task?.id)]) {
      expect((await listed(name))['executions']).toMatchObject([{ execution_id }]);
    }
    await app.call('delete_task', { task_id: 'second' });
    expect((await listed('second'))['executions']).toMatchObject([{ execution_id }]);
    expect(await listed('third')).toEqual({ executions: [], next_cursor: null });
  });

  it('come in pages without a gap or a double, in both orders', async () => {
    for (let count = 0; count < 6; count++) await app.run('first');
    for (const order of ['newest', 'oldest']) {
      const whole = (await app.call('list_executions', { order }))['executions'] as { execution_id: string }[];
      const paged: { execution_id: string }[] = [];
      for (let cursor: unknown; cursor !== null; ) {
        const more = cursor === undefined ? {} : { cursor };
        const page = await app.call('list_executions', { order, limit: 2, ...more });
        paged.push(...(page['executions'] as { execution_id: string }[]));
        cursor = page['next_cursor'];
      }
      expect(paged.map((row) => row.execution_id)).toEqual(whole.map((row) => row.execution_id));
    }
  });
});

describe('the events of an execution', () => {
  it('come in pages, journal and telemetry together in their order', async () => {
    const { execution_id } = await app.run('first');
    const whole = (await app.call('list_execution_events', { execution_id })) as unknown as EventPage;
    expect(whole.events.length).toBeGreaterThan(3);
    expect(whole.next_cursor).toBeNull();
    const paged: EventPage['events'][number][] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const more = cursor === undefined ? {} : { cursor };
      const page = await app.call('list_execution_events', { execution_id, limit: 1, ...more });
      const { events, next_cursor } = page as unknown as EventPage;
      expect(events).toHaveLength(1);
      paged.push(...events);
      cursor = next_cursor;
    }
    expect(paged).toEqual(whole.events);
  });

  it('are those of an execution that exists, after a place that is one', async () => {
    await expect(app.call('list_execution_events', { execution_id: 'nobody' })).rejects.toMatchObject({
      code: 'execution_not_found',
    });
    const { execution_id } = await app.run('first');
    await expect(app.call('list_execution_events', { execution_id, cursor: 'zzz' })).rejects.toMatchObject({
      code: 'invalid_cursor',
    });
  });
});

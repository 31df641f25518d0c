/** The whole product with its log in EventStoreDB and its read models in a file: it runs, dies, and goes on. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openTestApp } from '../support/app.ts';
import { EventStoreDbDouble } from '../support/eventstoredb-double.ts';
import { openHome } from '../support/server.ts';
import { surviveDeath, undisturbed } from '../support/survive-deaths.ts';

let double: EventStoreDbDouble;

beforeEach(async () => {
  double = await new EventStoreDbDouble().start();
});

afterEach(() => double.stop());

it('a task runs, is found in the read models, and replays identically, also by the next process', {
  timeout: 60_000,
}, async () => {
  using home = openHome();
  const settings = { eventStoreUrl: double.url, dataFolder: home.folder };
  let executionId = '';
  {
    await using first = await openTestApp(settings);
    await first.task('sum', 'function main({ a, b }) { console.log("adding"); return step("sum", () => a + b); }');
    const { execution_id, output } = await first.run('sum', { a: 1, b: 2 });
    executionId = String(execution_id);
    expect(output).toBe(3);
    double.cut();
    expect(await first.run('sum', { a: 2, b: 2 })).toMatchObject({ output: 4 });
  }
  await using second = await openTestApp(settings);
  expect(await second.call('replay_execution', { execution_id: executionId })).toMatchObject({ identical: true });
  const listed = await second.call('list_executions', { status: 'completed' });
  expect(listed).toMatchObject({ executions: [{ status: 'completed' }, { status: 'completed' }] });
});

it('an execution whose process is killed goes on in the next one, and no stored step runs again', {
  timeout: 120_000,
}, async () => {
  const expected = await undisturbed();
  await surviveDeath({ at: 9, when: 'after', policy: 'fail' }, expected, double.url);
});

/** What one node has acknowledged can be used at another one at once, though it has not heard of it yet. */
import { expect, it } from 'vitest';
import { eventually } from '../support/server.ts';
import { openTwoNodes } from '../support/two-nodes.ts';

it('a task that was made at one node runs at another one right away', async () => {
  await using nodes = await openTwoNodes();
  const { one, other } = nodes;
  for (let n = 0; n < 5; n += 1) {
    await one.app.task(`task-${n}`, `function main() { return ${n}; }`);
    expect(await other.app.run(`task-${n}`)).toMatchObject({ status: 'completed', output: n });
  }
});

it('a subtask that was made at another node runs in a task that runs already', async () => {
  await using nodes = await openTwoNodes();
  const { one, other } = nodes;
  const code = 'function main() { ask("go on?"); return runTask("child", {}); }';
  await other.app.task('parent', code);
  const { execution_id } = await other.app.call('create_execution', { task_id: 'parent', input: {} });
  await eventually('it asks', async () => {
    const { status } = await other.app.call('get_execution_status', { execution_id });
    return status === 'waiting' ? true : undefined;
  });
  await one.app.task('child', 'function main() { return 7; }');
  await other.app.call('answer_question', { execution_id, answer: true });
  await eventually('it has ended', async () => {
    const { output } = await other.app.call('get_execution_status', { execution_id });
    return output === 7 ? true : undefined;
  });
});

it('a request under a key that one node has stored is the same at another one', async () => {
  await using nodes = await openTwoNodes();
  const { one, other } = nodes;
  await one.app.task('once', 'function main() { return 1; }');
  const first = await one.app.run('once', {}, { idempotency_key: 'k' });
  expect(await other.app.run('once', {}, { idempotency_key: 'k' })).toMatchObject({
    execution_id: first['execution_id'],
  });
});

it('a task that nobody made is refused as before', async () => {
  await using nodes = await openTwoNodes();
  await expect(nodes.other.app.run('no-such')).rejects.toMatchObject({ code: 'task_not_found' });
});

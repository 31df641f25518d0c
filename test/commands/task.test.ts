import { describe, expect, it } from 'vitest';
import { deleteTask, disableTask, enableTask, publishTask, restoreTask, taskName } from '../../commands/task.ts';
import type { TaskEvent } from '../../src/domain/task.ts';
import { DEFINITION } from '../support/facts.ts';
import { given } from '../support/given.ts';

const input = {
  taskId: 't1',
  name: 'a',
  uuid: null,
  intent: 'create' as const,
  enabled: true,
  baseVersion: null,
  definition: DEFINITION,
};
const created: TaskEvent = { type: 'TaskCreated', data: { taskId: 't1', name: 'a', uuid: null } };
const published: TaskEvent = { type: 'TaskVersionPublished', data: { ...DEFINITION, version: 1, uuid: null } };
const changed = { ...DEFINITION, contentHash: 'hash-2' };
const reason = { taskId: 't1', reason: null };

describe('publishing a task', () => {
  it('creates it with its first version', () => {
    given(publishTask).when(input).then(created, published);
  });
  it('can create it disabled', () => {
    given(publishTask)
      .when({ ...input, enabled: false })
      .thenTypes('TaskCreated', 'TaskVersionPublished', 'TaskDisabled');
  });
  it('refuses to create what exists', () => {
    given(publishTask, [created, published]).when(input).thenFails('already_exists');
  });
  it('refuses to update what does not exist', () => {
    given(publishTask)
      .when({ ...input, intent: 'update' })
      .thenFails('task_not_found');
  });
  it('publishes the next version when the content has changed', () => {
    const next: TaskEvent = { type: 'TaskVersionPublished', data: { ...changed, version: 2, uuid: null } };
    given(publishTask, [created, published])
      .when({ ...input, intent: 'update', definition: changed })
      .then(next);
  });
  it('changes nothing when the content is the same', () => {
    given(publishTask, [created, published])
      .when({ ...input, intent: 'sync' })
      .thenNothing();
  });
  it('refuses an edit made on a version that is no longer current', () => {
    const edit = { ...input, intent: 'update' as const, baseVersion: 3, definition: changed };
    given(publishTask, [created, published]).when(edit).thenFails('version_conflict');
  });
  it('brings a deleted task back when its source still has it', () => {
    const gone: TaskEvent = { type: 'TaskDeleted', data: { reason: null } };
    given(publishTask, [created, published, gone])
      .when({ ...input, intent: 'sync' })
      .thenTypes('TaskRestored');
  });
  it('refuses to update a deleted task', () => {
    const gone: TaskEvent = { type: 'TaskDeleted', data: { reason: null } };
    given(publishTask, [created, published, gone])
      .when({ ...input, intent: 'update' })
      .thenFails('task_not_found');
  });
});

describe('the name of a task', () => {
  it.each(['a', 'a-b_c.d', 'team/task', 'a/b/c', 'A1'])('can be %s', (name) => {
    expect(taskName.safeParse(name).success).toBe(true);
  });
  it.each(['', '/a', 'a/', 'a//b', '-a', 'a b', 'ä', '../a', `${'a'.repeat(100)}!`, 'a'.repeat(129)])(
    'can not be %s',
    (name) => {
      expect(taskName.safeParse(name).success).toBe(false);
    },
  );
});

describe('switching a task', () => {
  const disabled: TaskEvent = { type: 'TaskDisabled', data: { reason: null } };
  it('disables an enabled one and enables a disabled one', () => {
    given(disableTask, [created, published]).when(reason).then(disabled);
    given(enableTask, [created, published, disabled]).when(reason).then({ type: 'TaskEnabled', data: {} });
  });
  it('changes nothing when it is so already', () => {
    given(enableTask, [created, published]).when(reason).thenNothing();
    given(disableTask, [created, published, disabled]).when(reason).thenNothing();
  });
  it('deletes once, and then knows it no more', () => {
    given(deleteTask, [created, published]).when(reason).thenTypes('TaskDeleted');
    given(deleteTask, [created, published, { type: 'TaskDeleted', data: { reason: null } }])
      .when(reason)
      .thenFails('task_not_found');
    given(deleteTask).when(reason).thenFails('task_not_found');
  });
  it('restores a deleted one as a new fact, and changes nothing of one that is there', () => {
    const gone: TaskEvent = { type: 'TaskDeleted', data: { reason: null } };
    given(restoreTask, [created, published, gone]).when(reason).then({ type: 'TaskRestored', data: {} });
    given(restoreTask, [created, published]).when(reason).thenNothing();
    given(restoreTask).when(reason).thenFails('task_not_found');
  });
  it('restores only the version that the caller has seen', () => {
    const gone: TaskEvent = { type: 'TaskDeleted', data: { reason: null } };
    given(restoreTask, [created, published, gone])
      .when({ ...reason, baseVersion: 2 })
      .thenFails('version_conflict');
  });
});

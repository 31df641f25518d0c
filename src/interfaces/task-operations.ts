/** What can be asked to be done to a task: create, edit, switch, delete and restore it. */
import { z } from 'zod';
import { baseVersion } from '../../commands/define-schedule.ts';
import { handle } from '../../commands/handle.ts';
import { publishDefinition } from '../../commands/publish-task.ts';
import { deleteTask, disableTask, enableTask, restoreTask } from '../../commands/task.ts';
import { createTaskInput, definitionOf, updateTaskInput } from '../../commands/task-input.ts';
import { usesOfTask } from '../../queries/task-uses.ts';
import { RatchetError } from '../domain/errors.ts';
import type { ExistingTask } from '../domain/task.ts';
import { editTask } from './edit-task.ts';
import { type Caller, type Core, command, metaOf, type Operation } from './operation.ts';
import { toldTask } from './told-task.ts';

const switchInput = z.strictObject({
  task_id: z.string().min(1).max(256),
  reason: z.string().max(1024).optional(),
  base_version: baseVersion,
});
type SwitchInput = z.infer<typeof switchInput>;

function switching(definition: typeof enableTask, description: string): Operation {
  return command({
    name: definition.name,
    permission: definition.permission,
    description,
    input: switchInput,
    run: async (core, input, caller) => switched(core, definition, knownTask(core, input.task_id), input, caller),
  });
}

async function switched(
  core: Core,
  definition: typeof enableTask,
  { taskId }: ExistingTask,
  input: Omit<SwitchInput, 'task_id'>,
  caller: Caller,
) {
  const given = { taskId, reason: input.reason ?? null, baseVersion: input.base_version };
  const handled = await handle(core.execute, definition, given, metaOf(core, caller, definition.name, input));
  await core.execute.directory.reach(handled.position);
  return toldTask(handled);
}

/** Fails with `task_not_found`; one that was deleted is found. */
function knownTask({ execute }: Core, nameOrId: string): ExistingTask {
  const task = execute.directory.find(nameOrId);
  if (task !== undefined) return task;
  throw new RatchetError('task_not_found', `there is no task ${nameOrId}`, { details: { task: nameOrId } });
}

/** How long facts that were just recorded are waited for. */
const REACH_MS = 10_000;

/** Fails with `task_in_use`. What begins to use it in the same moment is not seen. */
async function assertUnused(core: Core, { taskId, name, uuid }: ExistingTask): Promise<void> {
  await core.progress.reach(await core.query.store.head(), REACH_MS);
  const uses = {
    ...(await usesOfTask(core.query, taskId)),
    webhooks: core.webhooks
      .filter(({ task }) => task !== null && [taskId, name, uuid].includes(task))
      .map((one) => one.name),
  };
  const said = Object.entries(uses).flatMap(([kind, names]) =>
    names.length === 0 ? [] : [`${kind} ${names.join(', ')}`],
  );
  if (said.length === 0) return;
  throw new RatchetError('task_in_use', `${name} is used by ${said.join('; ')}`, { details: { task: name, ...uses } });
}

export const TASK_OPERATIONS: readonly Operation[] = [
  command({
    name: 'create_task',
    permission: 'manage_tasks',
    description: 'Create a task from code and schemas.',
    input: createTaskInput,
    about: ({ name }) => [{ kind: 'task', id: name }],
    run: async (core, input, caller) => {
      const publication = { intent: 'create', enabled: input.enabled, baseVersion: null, source: null } as const;
      const definition = definitionOf(core.publish.testCases, input);
      const meta = metaOf(core, caller, 'create_task', input);
      const handled = await publishDefinition(core.publish, definition, publication, meta);
      return { ...toldTask(handled), problems: core.testing.check(definition) };
    },
  }),
  command({
    name: 'edit_task',
    permission: 'manage_tasks',
    description:
      'Publish a new version of a task, checked and tested first; what is left out stays as it is. Code comes whole or as a patch.',
    input: updateTaskInput,
    run: editTask,
  }),
  switching(enableTask, 'Let a disabled task be executed again.'),
  switching(disableTask, 'Refuse new executions of a task.'),
  command({
    name: 'delete_task',
    permission: 'manage_tasks',
    description: 'Delete a task that nothing uses; its versions and executions stay on record, and it can be restored.',
    input: switchInput.extend({
      force: z
        .union([z.boolean(), z.stringbool()])
        .default(false)
        .describe('Delete it although executions run, or schedules, webhooks or batches use it.'),
    }),
    run: async (core, { force, ...input }, caller) => {
      const task = knownTask(core, input.task_id);
      if (!force && task.status !== 'deleted') await assertUnused(core, task);
      return switched(core, deleteTask, task, input, caller);
    },
  }),
  switching(restoreTask, 'Bring a deleted task back, with all its versions.'),
];

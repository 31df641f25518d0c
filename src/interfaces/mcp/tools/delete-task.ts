/** Deletes a task for an agent; it can be brought back. */
import { z } from 'zod';
import { changedTask } from '../task-forms.ts';
import { defineTool } from '../tool.ts';

export const deleteTaskTool = defineTool({
  name: 'delete_task',
  title: 'Delete a task',
  description:
    'Deletes a task that nothing uses; its versions and executions stay on record, and restore_task over REST or GraphQL brings it back.',
  toolset: 'always',
  permission: 'manage_tasks',
  hints: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
  input: z.strictObject({
    task_id: z.string().describe('Name or id.'),
    force: z.boolean().default(false).describe('Although executions run, or schedules, webhooks or batches use it.'),
  }),
  output: z.object({ ...changedTask, restore: z.string().describe('Request that brings it back.') }),
  run: async ({ ask }, input) => {
    const told = answer.parse(await ask('delete_task', input));
    return { ...told, restore: `POST /api/v1/tasks/${told.id}/restore` };
  },
});

const answer = z.looseObject({ id: z.string() });

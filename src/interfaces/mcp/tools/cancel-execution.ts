/** Ends an execution that goes on. */
import { z } from 'zod';
import { executionMeant, executionReference, ofTask } from '../references.ts';
import { defineTool } from '../tool.ts';

export const cancelExecutionTool = defineTool({
  name: 'cancel_execution',
  title: 'Cancel an execution',
  description: 'Ends an execution that has not ended; what its task did stays done.',
  toolset: 'execution',
  permission: 'execute_tasks',
  hints: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  input: z.strictObject({
    execution_id: executionReference,
    task_id: ofTask,
    reason: z.string().max(1_024).optional(),
  }),
  output: z.object({
    execution_id: z.string(),
    status: z.string().describe('cancelling until its task has stopped.'),
    changed: z.boolean(),
  }),
  run: async (call, { task_id, ...asked }) => {
    const execution_id = await executionMeant(call, asked.execution_id, task_id);
    return call.ask('cancel_execution', { ...asked, execution_id });
  },
});

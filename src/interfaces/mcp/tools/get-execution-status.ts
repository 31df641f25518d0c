/** Tells where an execution stands, and what came of it. */
import { z } from 'zod';
import { defineTool, READS } from '../tool.ts';

export const getExecutionStatusTool = defineTool({
  name: 'get_execution_status',
  title: 'Get the status of an execution',
  description: 'Tells the status, progress, result or error of an execution, running or ended.',
  toolset: 'monitoring',
  permission: 'read',
  hints: READS,
  input: z.strictObject({ execution_id: z.string().min(1).max(64) }),
  output: z.object({
    execution_id: z.string(),
    task_name: z.string(),
    status: z.string(),
    attempt: z.number(),
    progress: z.unknown(),
    output: z.unknown(),
    error: z.unknown(),
    questions: z.unknown().describe('What it asks and waits for.'),
    requested_at: z.string(),
    finished_at: z.string().nullable(),
    duration_ms: z.number().nullable(),
  }),
  run: ({ ask }, input) => ask('get_execution_status', input),
});

/** Runs a task for an agent: its result when it is quick, else a handle on the execution that goes on. */
import { z } from 'zod';
import { defineTool } from '../tool.ts';

export const executeTaskTool = defineTool({
  name: 'execute_task',
  title: 'Run a task',
  description:
    'Runs a task on an input and waits for its result. A failed execution is a result with status failed; one that takes longer than wait_seconds answers running with its execution_id and goes on.',
  toolset: 'execution',
  permission: 'execute_tasks',
  hints: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  input: z.strictObject({
    task_id: z.string().min(1).max(256).describe('Name or id of the task.'),
    input: z.unknown().describe("Matches the task's input schema."),
    trace: z.boolean().optional().describe('Record debug logs too; true when left out.'),
    timeout: z.number().positive().max(86_400).optional().describe('Seconds that one attempt may run.'),
    wait_seconds: z.number().min(0).max(50).optional().describe('Longest wait for the result; 20 when left out.'),
    idempotency_key: z.string().min(1).max(256).optional().describe('The same key again is the same execution.'),
    metadata: z.record(z.string(), z.unknown()).optional(),
  }),
  output: z.object({
    execution_id: z.string(),
    status: z.string(),
    output: z.unknown(),
    error: z.unknown().describe('Why it failed, and what to do; null unless it failed.'),
    duration_ms: z.number().nullable(),
    trace_url: z.string(),
    logs_url: z.string(),
    poll: z.object({ tool: z.string(), after_seconds: z.number() }).optional(),
  }),
  run: ({ ask }, input) => ask('execute_task', input),
});

/** Runs many tasks for an agent in one call, some of which wait for the outputs of others. */
import { z } from 'zod';
import { defineTool } from '../tool.ts';

const MOST_ITEMS = 1_000;

const item = z.strictObject({
  id: z.string().max(64).optional().describe('Name within the batch; item-1, item-2, … when left out.'),
  task_id: z.string().min(1).max(256),
  input: z.unknown().describe('{"$from": item id, "path": JSON Pointer} anywhere in it becomes that item\'s output.'),
  depends_on: z.array(z.string().max(64)).max(MOST_ITEMS).optional(),
  dependencies: z.array(z.string().max(64)).max(MOST_ITEMS).optional().describe('Same as depends_on.'),
  priority: z.int().min(-100).max(100).optional(),
  timeout: z.number().positive().max(86_400).optional().describe('Seconds.'),
});

export const batchExecuteTool = defineTool({
  name: 'batch_execute',
  title: 'Run many tasks',
  description:
    'Runs many tasks, in parallel or after each other, and answers at once with the execution_id of each. Ask get_execution_status with the batch_id or an execution_id for how they are doing.',
  toolset: 'batch',
  permission: 'execute_tasks',
  hints: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  synonyms: { requests: 'tasks', stop_on_error: 'fail_fast' },
  input: z.strictObject({
    tasks: z.array(item).min(1).max(MOST_ITEMS),
    max_parallel: z.int().min(1).max(MOST_ITEMS).optional().describe('Items at once; all when left out.'),
    fail_fast: z.boolean().optional().describe('The first failure ends the others.'),
    metadata: z.record(z.string(), z.unknown()).optional(),
    idempotency_key: z.string().min(1).max(256).optional().describe('The same key again is the same batch.'),
  }),
  output: z.object({
    batch_id: z.string(),
    status: z.string(),
    total: z.number(),
    items: z.array(z.object({ id: z.string(), execution_id: z.string(), task_name: z.string() })),
    poll: z.object({ tool: z.string(), arguments: z.unknown(), after_ms: z.number() }),
  }),
  run: async ({ ask }, input) => {
    const told = z.looseObject({ batch_id: z.string() }).parse(await ask('batch_execute', input));
    const poll = { tool: 'get_execution_status', arguments: { execution_id: told.batch_id }, after_ms: 2_000 };
    return { ...told, poll };
  },
});

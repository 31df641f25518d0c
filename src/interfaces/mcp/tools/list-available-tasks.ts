/** Finds tasks by words, so that an agent knows what it can run. */
import { z } from 'zod';
import { defineTool, READS } from '../tool.ts';

export const listAvailableTasksTool = defineTool({
  name: 'list_available_tasks',
  title: 'List tasks',
  description: 'Lists the tasks that can be run, by name, with what each is for.',
  toolset: 'always',
  permission: 'read',
  hints: READS,
  input: z.strictObject({
    filter: z.string().max(256).optional().describe('Part of the name or the description.'),
    category: z.string().max(128).optional(),
    include_schemas: z.boolean().default(false).describe('Also the input and output schemas.'),
    limit: z.int().min(1).max(100).default(20),
    cursor: z.string().max(1024).optional(),
  }),
  output: z.object({
    tasks: z.array(
      z.object({
        name: z.string(),
        id: z.string(),
        description: z.string(),
        version: z.number(),
        status: z.string(),
        category: z.string().nullable(),
        tags: z.unknown(),
        dangerous: z.boolean(),
        input_schema: z.unknown().optional(),
        output_schema: z.unknown().optional(),
      }),
    ),
    next_cursor: z.string().nullable(),
  }),
  run: ({ ask }, input) => ask('list_available_tasks', input),
});

/** Changes a task for an agent: checked and tested before it is published, by a patch or as a whole. */
import { z } from 'zod';
import { fitFields } from '../fit.ts';
import { maxTokens } from '../reading-tool.ts';
import { changedTask, schemaArgument, testCases } from '../task-forms.ts';
import { defineTool } from '../tool.ts';

export const editTaskTool = defineTool({
  name: 'edit_task',
  title: 'Edit a task',
  description:
    'Publishes a new version of a task, after it was checked and its tests passed; what is left out stays. Give patch for a small change of the code. Nothing is stored when it is refused.',
  toolset: 'always',
  permission: 'manage_tasks',
  hints: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
  input: z.strictObject({
    task_id: z.string().describe('Name or id.'),
    base_version: z.int().positive().optional().describe('Refused when another version has become current.'),
    patch: z
      .array(z.strictObject({ find: z.string().describe('Occurs exactly once in the code.'), replace: z.string() }))
      .optional(),
    code: z.string().optional().describe('The whole code, instead of patch.'),
    input_schema: schemaArgument.optional(),
    output_schema: schemaArgument.optional(),
    description: z.string().optional(),
    tags: z.array(z.string()).optional(),
    test_cases: testCases.optional(),
    validate_changes: z.boolean().default(true).describe('false: publish although names are unknown or tests fail.'),
    max_tokens: maxTokens,
  }),
  output: z.object({
    ...changedTask,
    previous_version: z.number(),
    changed_parts: z.array(z.string()),
    problems: z.unknown(),
    code_difference: z.unknown(),
    tests: z.unknown(),
  }),
  run: async ({ ask }, { max_tokens, ...input }) => {
    const { problems, code_difference, tests, ...fixed } = answer.parse(await ask('edit_task', input));
    const fields = { problems, code_difference, tests };
    return fitFields(max_tokens, { fixed, fields: Object.entries(fields) });
  },
});

const answer = z.looseObject({ problems: z.unknown(), code_difference: z.unknown(), tests: z.unknown() });

/** Tells an agent everything that is wrong with a task, or with code before it becomes one. */
import { z } from 'zod';
import { fitFields } from '../fit.ts';
import { defineReadingTool, maxTokens, readingOutput } from '../reading-tool.ts';
import { schemaArgument } from '../task-forms.ts';

export const validateTaskTool = defineReadingTool({
  name: 'validate_task',
  title: 'Validate a task',
  description:
    'Tells everything that is wrong with a task, or with code that is stored nowhere, each with line and column: syntax, entry point, unknown names, schemas, failing tests. Nothing is stored; with task_id and code, the code is tried with the schemas and tests of the task.',
  toolset: 'always',
  permission: 'manage_tasks',
  input: z.strictObject({
    task_id: z.string().optional().describe('Name or id; this, code, or both.'),
    code: z.string().optional(),
    input_schema: schemaArgument.optional(),
    output_schema: schemaArgument.optional(),
    run_tests: z.boolean().default(true),
    syntax_only: z.boolean().default(false),
    max_tokens: maxTokens,
  }),
  output: z.object({
    valid: z.boolean(),
    task_name: z.string().nullable(),
    version: z.number().nullable(),
    errors: z.number(),
    warnings: z.number(),
    problems: z.unknown().describe('{severity, code, message, in, line, column, source, pointer, suggestions}[]'),
    tests: z.unknown(),
    ...readingOutput,
  }),
  run: async ({ ask }, { max_tokens, ...input }) => {
    const { problems, tests, ...fixed } = answer.parse(await ask('validate_task', input));
    return fitFields(max_tokens, {
      fixed,
      fields: [
        ['problems', problems],
        ['tests', tests],
      ],
    });
  },
});

const answer = z.looseObject({ problems: z.unknown(), tests: z.unknown() });

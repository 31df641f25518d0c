/** Makes a task for an agent, with its schemas and tests. */
import { z } from 'zod';
import { fitFields } from '../fit.ts';
import { maxTokens } from '../reading-tool.ts';
import { changedTask, schemaArgument, testCases } from '../task-forms.ts';
import { defineTool } from '../tool.ts';

export const createTaskTool = defineTool({
  name: 'create_task',
  title: 'Create a task',
  description:
    'Creates a task: one JavaScript file with main(input, context), input and output schemas, and tests. It is checked first; problems tells what could go wrong. Then call run_task_tests.',
  toolset: 'always',
  permission: 'manage_tasks',
  hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  input: z.strictObject({
    name: z.string().describe('Letters, digits, "-", "_", "." and single "/".'),
    description: z.string(),
    code: z.string().describe('No require, import or process; there are fetch, console, step, sleep, runTask, secret.'),
    input_schema: schemaArgument.describe('JSON Schema.'),
    output_schema: schemaArgument.describe('JSON Schema.'),
    tags: z.array(z.string()).optional(),
    category: z.string().optional(),
    version: z.string().default('0.1.0'),
    enabled: z.boolean().default(true),
    test_cases: testCases.optional(),
    metadata: z.record(z.string(), z.unknown()).optional(),
    max_tokens: maxTokens,
  }),
  output: z.object({ ...changedTask, problems: z.unknown() }),
  run: async ({ ask }, { max_tokens, ...input }) => {
    const { problems, ...fixed } = answer.parse(await ask('create_task', input));
    return fitFields(max_tokens, { fixed, fields: [['problems', problems]] });
  },
});

const answer = z.looseObject({ problems: z.array(z.unknown()) });

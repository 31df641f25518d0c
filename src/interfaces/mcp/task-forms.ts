/** Parts of the forms of tools that develop tasks. */
import { z } from 'zod';

/** JSON Schema as an argument: anything that is given, looked at where the task is checked. */
export const schemaArgument = z.unknown().refine((schema) => schema !== undefined, 'a JSON Schema is expected');

export const testCases = z
  .array(
    z.strictObject({
      name: z.string(),
      description: z.string().optional(),
      input: z.unknown(),
      expected_output: z.unknown().optional(),
      should_fail: z.boolean().optional(),
      mock: z
        .unknown()
        .optional()
        .describe('{http: [{url, method, response: {status, body}}]}; nothing goes out of a test.'),
    }),
  )
  .describe('Stored with the task; run_task_tests runs them.');

/** What has become of a task, and what could be wrong with it. */
export const changedTask = {
  id: z.string(),
  name: z.string(),
  status: z.string(),
  version: z.number(),
  truncated: z.boolean().optional(),
  omitted: z.unknown().optional(),
};

/** Runs the tests of a task for an agent, and tells the failing ones first of all. */
import { z } from 'zod';
import { fitItems } from '../fit.ts';
import { defineReadingTool, maxTokens, readingOutput } from '../reading-tool.ts';

export const runTaskTestsTool = defineReadingTool({
  name: 'run_task_tests',
  title: 'Run the tests of a task',
  description:
    'Runs the tests stored with a task, without network: calls are answered by mocks. Tells of each what it expected, what came, where they differ, the failing line, logs and spans. Nothing is recorded.',
  toolset: 'always',
  permission: 'manage_tasks',
  input: z.strictObject({
    task_id: z.string().describe('Name or id.'),
    test_names: z.array(z.string()).default([]).describe('All when empty.'),
    stop_on_failure: z.boolean().default(false),
    include_traces: z.boolean().default(true),
    parallel: z.boolean().default(false),
    max_tokens: maxTokens,
  }),
  output: z.object({
    task_id: z.string(),
    task_name: z.string(),
    version: z.number(),
    passed: z.number(),
    failed: z.number(),
    not_run: z.array(z.string()),
    duration_ms: z.number(),
    results: z.array(z.looseObject({ name: z.string(), passed: z.boolean() })),
    ...readingOutput,
  }),
  run: async ({ ask }, { max_tokens, ...input }) => {
    const { results, ...run } = answer.parse(await ask('run_task_tests', input));
    const places = results.map((_, index) => index);
    const isFailed = (index: number): boolean => results[index]?.passed === false;
    return fitItems(max_tokens, {
      items: results,
      ranked: [...places.filter(isFailed), ...places.filter((index) => !isFailed(index))],
      build: (kept, isWhole) => {
        if (results.length === 0) return { ...run, results, hints: NO_TESTS };
        const omitted = { count: results.length - kept.length, reason: `to stay within max_tokens ${max_tokens}` };
        return { ...run, results: kept, truncated: !isWhole, omitted: isWhole ? null : omitted };
      },
    });
  },
});

const answer = z.looseObject({ results: z.array(z.looseObject({ passed: z.boolean() })) });

const NO_TESTS = {
  summary: 'the task has no tests',
  possible_causes: ['none were given when it was created'],
  suggested_actions: [
    { tool: 'edit_task', arguments: { test_cases: [{ name: 'first', input: {}, expected_output: {} }] } },
  ],
};

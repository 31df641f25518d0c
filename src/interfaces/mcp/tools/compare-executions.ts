/** Names the first thing in which an execution went another way than a good one. */
import { z } from 'zod';
import { lastSuccess } from '../../../../queries/failure.ts';
import { RatchetError } from '../../../domain/errors.ts';
import { fitFields } from '../fit.ts';
import { defineReadingTool, maxTokens, reachNow, readingOutput } from '../reading-tool.ts';
import { executionMeant, executionReference, ofTask } from '../references.ts';
import type { ToolCall } from '../tool.ts';

const status = z.object({ task_id: z.string(), task_name: z.string(), requested_at: z.string() });

const comparison = z.looseObject({
  a: z.unknown(),
  b: z.unknown(),
  first_difference: z.unknown(),
  steps: z.object({
    counts: z.unknown(),
    pairs: z.array(z.looseObject({ state: z.string() })),
    truncated: z.boolean(),
  }),
  input_differences: z.unknown(),
  output_differences: z.unknown(),
  error_differences: z.unknown(),
});

export const compareExecutionsTool = defineReadingTool({
  name: 'compare_executions',
  title: 'Compare two executions',
  description:
    'Names the first difference between an execution (b) and a baseline (a), by default the last success of its task: code, input, steps, result.',
  toolset: 'debugging',
  permission: 'read_traces',
  input: z.strictObject({
    execution_id: executionReference,
    baseline: z.string().min(1).max(2_048).default('last_success').describe('last_success, id or URL.'),
    task_id: ofTask,
    max_tokens: maxTokens,
  }),
  output: z.looseObject({ first_difference: z.unknown(), a: z.unknown(), b: z.unknown(), ...readingOutput }),
  synonyms: { other_id: 'baseline', other_execution_id: 'baseline' },
  run: async (call, { execution_id: reference, baseline, task_id, max_tokens }) => {
    const other_id = await executionMeant(call, reference, task_id);
    await reachNow(call);
    const isLast = baseline === 'last_success';
    const execution_id = isLast ? await goodOneBefore(call, other_id) : await executionMeant(call, baseline, task_id);
    const found = comparison.parse(await call.ask('compare_executions', { execution_id, other_id }));
    const { a, b, first_difference, steps, input_differences, output_differences, error_differences, ...same } = found;
    const differing = steps.pairs.filter(({ state }) => state !== 'same');
    return fitFields(max_tokens, {
      fixed: { a, b, ...same, provenance: 'task', steps_counted: steps.counts },
      fields: [
        ['first_difference', first_difference],
        ['input_differences', input_differences],
        ['error_differences', error_differences],
        ['differing_steps', differing],
        ['output_differences', output_differences],
      ],
    });
  },
});

/** Fails with `execution_not_found` when the task had not succeeded before. */
async function goodOneBefore(call: ToolCall, execution_id: string): Promise<string> {
  const { task_id, task_name, requested_at } = status.parse(await call.ask('get_execution_status', { execution_id }));
  const found = await lastSuccess(call.core.query, task_id, requested_at);
  if (found !== null) return found;
  throw new RatchetError('execution_not_found', `${task_name} had no success before execution ${execution_id}`, {
    details: { executionId: execution_id, task_id: task_name },
  });
}

/** Says why an execution failed, with its proof, and which calls lead on; no model is asked. */
import { z } from 'zod';
import { fitFields } from '../fit.ts';
import { defineReadingTool, maxTokens, readingOutput } from '../reading-tool.ts';
import { executionMeant, executionReference, ofTask } from '../references.ts';
import type { ReadyCall } from '../tool-answer.ts';

const nextCall = z.object({ operation: z.string(), input: z.record(z.string(), z.unknown()), why: z.string() });

const analysis = z.looseObject({
  context: z.record(z.string(), z.unknown()).nullable(),
  next_calls: z.array(nextCall),
});

/** Context, the most telling first. */
const CONTEXT = [
  'failing_line',
  'failing_step',
  'missing_value',
  'first_difference',
  'waiting_for',
  'subtask',
  'history',
  'related_values',
  'variables',
  'variables_unavailable',
  'code_unavailable',
] as const;

const FIXED = [
  'execution_id',
  'task',
  'attempt',
  'attempts',
  'status',
  'kind',
  'title',
  'code',
  'fingerprint',
] as const;
/** Around the context: what is needed at once, and what can be had elsewhere. */
const BEFORE = ['summary', 'error_type', 'message', 'recoverable', 'retry', 'suggestions'] as const;
const AFTER = ['root_cause', 'stack', 'cancelled', 'meaning', 'evidence'] as const;

export const analyzeExecutionErrorTool = defineReadingTool({
  name: 'analyze_execution_error',
  title: 'Analyze a failed execution',
  description:
    'Says why an execution failed: failing line with variables, failing step, first difference from the last success, and the calls that lead on. Deterministic. last_failed with task_id finds the execution.',
  toolset: 'debugging',
  permission: 'read_traces',
  input: z.strictObject({
    execution_id: executionReference,
    task_id: ofTask,
    include_suggestions: z.boolean().default(true),
    include_context: z.boolean().default(true),
    attempt: z.number().int().min(1).optional(),
    max_tokens: maxTokens,
  }),
  output: z.looseObject({
    execution_id: z.string(),
    summary: z.unknown(),
    error_type: z.unknown(),
    recoverable: z.unknown(),
    suggestions: z.unknown(),
    next_calls: z.unknown().describe('[{tool, arguments, why}]'),
    context: z.unknown().optional(),
    ...readingOutput,
  }),
  run: async (call, { max_tokens, task_id, ...asked }) => {
    const execution_id = await executionMeant(call, asked.execution_id, task_id);
    const found = analysis.parse(await call.ask('analyze_execution_error', { ...asked, execution_id }));
    const { context, next_calls } = found;
    const told = (names: readonly string[]) => names.map((name) => [name, found[name] ?? null] as const);
    return fitFields(max_tokens, {
      fixed: { ...Object.fromEntries(told(FIXED)), provenance: 'task' },
      fields: [
        ...told(BEFORE),
        ['next_calls', next_calls.flatMap((next) => readyCall(next))],
        ...CONTEXT.map((name) => [`context.${name}`, context?.[name] ?? null] as const).filter(isThere),
        ...told(AFTER).filter(isThere),
      ],
    });
  },
});

function isThere([, value]: readonly [string, unknown]): boolean {
  return value !== null;
}

/** @returns the call as the tools here take it; none when no tool does this. */
function readyCall({ operation, input, why }: z.infer<typeof nextCall>): readonly (ReadyCall & { why: string })[] {
  switch (operation) {
    case 'analyze_execution_error':
    case 'replay_execution':
      return [{ tool: operation, arguments: input, why }];
    case 'debug_execution':
      return [{ tool: 'debug_task_execution', arguments: input, why }];
    case 'compare_executions': {
      const { execution_id: baseline, other_id: execution_id } = input;
      return [{ tool: operation, arguments: { execution_id, baseline }, why }];
    }
    case 'list_failures':
      return [{ tool: 'list_executions', arguments: { ...input, status: 'failed' }, why }];
    case 'list_steps':
      return [{ tool: 'get_execution_trace', arguments: { ...input, detail: 'standard' }, why }];
    default:
      return [];
  }
}

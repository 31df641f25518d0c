/** Stops a recorded run where an agent wants to look, with the real values; nothing goes out. */
import { z } from 'zod';
import { RatchetError } from '../../../domain/errors.ts';
import { fitFields } from '../fit.ts';
import { maxTokens, readingOutput } from '../reading-tool.ts';
import { executionMeant, executionReference, taskMeant, taskReference } from '../references.ts';
import { toldError } from '../told-error.ts';
import { defineTool, type ToolCall } from '../tool.ts';

const input = z.strictObject({
  execution_id: executionReference.optional(),
  task_id: taskReference.optional().describe('With input: the task is run first. With latest: of this task.'),
  input: z.unknown().optional(),
  breakpoints: z.array(z.unknown()).max(50).default([]).describe('Lines, or {line or step, condition, hit_count}.'),
  step_mode: z.boolean().default(false).describe('Stop at every line.'),
  capture_variables: z.boolean().default(true),
  watches: z.array(z.string()).max(20).default([]).describe('Expressions told at each stop.'),
  exceptions: z.enum(['none', 'all']).optional().describe('Stop where one is thrown; all without breakpoints.'),
  keep: z.enum(['first', 'last']).optional().describe('Which stops are told when there are more than max_hits.'),
  max_hits: z.number().int().min(1).max(200).default(20),
  attempt: z.number().int().min(1).optional(),
  timeout_ms: z.number().int().min(100).max(300_000).default(300_000),
  max_tokens: maxTokens,
});
type Asked = z.infer<typeof input>;

const report = z.record(z.string(), z.unknown());
const ran = z.object({ execution_id: z.string(), status: z.string() });

export const debugTaskExecutionTool = defineTool({
  name: 'debug_task_execution',
  title: 'Debug an execution',
  description:
    'Replays an execution under a debugger and tells the variables at each stop: breakpoints on lines or steps, conditions, watches, exceptions. With task_id and input it runs the task first; the replay itself touches nothing.',
  toolset: 'debugging',
  permission: 'read_traces',
  hints: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  input,
  output: z.looseObject({ execution_id: z.string(), result: z.unknown(), hits: z.unknown(), ...readingOutput }),
  synonyms: { capture_vars: 'capture_variables', watch: 'watches' },
  run: async (call, { max_tokens, ...asked }) => {
    const execution_id = await executionToDebug(call, asked);
    const { task_id: _, input: __, exceptions, ...how } = asked;
    const isOpen = how.breakpoints.length === 0 && !how.step_mode;
    const wished = { ...how, execution_id, exceptions: exceptions ?? (isOpen ? 'all' : 'none') };
    const told = report.parse(await call.ask('debug_execution', wished));
    const { replay_id, attempt, result, stops, error, breakpoints, hits, output } = told;
    return fitFields(max_tokens, {
      fixed: { replay_id, execution_id, attempt, result, stops, provenance: 'task' },
      fields: [
        ['error', toldError(error)],
        ['breakpoints', breakpoints],
        ['hits', hits],
        ['output', output],
      ],
    });
  },
});

/** The execution that is named, or a new one of the task on the input. Fails with `execution_running` while that goes on. */
async function executionToDebug(call: ToolCall, asked: Omit<Asked, 'max_tokens'>): Promise<string> {
  const { execution_id: reference, task_id, input: value } = asked;
  if (reference !== undefined) return executionMeant(call, reference, task_id);
  if (task_id === undefined || value === undefined) {
    const problem = { field: 'execution_id', message: 'give execution_id, or task_id and input' };
    throw new RatchetError('invalid_request', `${problem.field}: ${problem.message}`, {
      details: { problems: [problem] },
    });
  }
  if (!call.settings.toolsets.execution || call.settings.readOnly) {
    throw new RatchetError(
      'permission_denied',
      'Permission denied: tasks are not run here; debug a recorded execution',
      {
        details: { operation: 'debug_task_execution', principal: call.caller.principal.id },
      },
    );
  }
  const run = ran.parse(await call.ask('execute_task', { task_id: taskMeant(task_id), input: value }));
  if (run.status === 'running') {
    throw new RatchetError(
      'execution_running',
      `execution ${run.execution_id} still runs; debug it when it has ended`,
      {
        details: { executionId: run.execution_id },
      },
    );
  }
  return run.execution_id;
}

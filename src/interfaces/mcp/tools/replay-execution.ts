/** Runs an execution again on its record: to see it fail once more, or to see whether a fix works. */
import { z } from 'zod';
import { fitFields, type Payload } from '../fit.ts';
import { maxTokens, readingOutput } from '../reading-tool.ts';
import { executionMeant, executionReference, ofTask } from '../references.ts';
import { toldError } from '../told-error.ts';
import { defineTool } from '../tool.ts';

const known = z.record(z.string(), z.unknown());
const step = z.looseObject({ change: z.string() });

export const replayExecutionTool = defineTool({
  name: 'replay_execution',
  title: 'Replay an execution',
  description:
    'Runs an execution again on its recorded steps without side effects: faithfully, or with changed code or input, telling whether the failure is gone. Calls that the record does not answer are blocked unless stubbed or allow_live.',
  toolset: 'execution',
  permission: 'read_traces',
  hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
  input: z.strictObject({
    execution_id: executionReference,
    task_id: ofTask,
    code: z.string().optional().describe('Runs instead of the recorded code.'),
    version: z.number().int().min(1).optional().describe('Published version to run instead.'),
    input: z.unknown().optional().describe('Replaces the recorded input.'),
    stubs: z
      .array(z.unknown())
      .max(100)
      .optional()
      .describe('{match: {path, kind, method, url, name}, response: {status, body} or value or error}'),
    allow_live: z.boolean().optional(),
    changed: z.enum(['block', 'reuse']).optional().describe('What a call with changed arguments gets.'),
    mode: z.enum(['faithful', 'patched']).optional(),
    attempt: z.number().int().min(1).optional(),
    save_test: z.string().optional().describe('Name of a test to make of this case.'),
    max_tokens: maxTokens,
  }),
  output: z.looseObject({ execution_id: z.string(), verdict: z.string(), ...readingOutput }),
  synonyms: { execution: 'execution_id', allow_new: 'allow_live' },
  run: async (call, { max_tokens, task_id, ...asked }) => {
    const execution_id = await executionMeant(call, asked.execution_id, task_id);
    const answer = known.parse(await call.ask('replay_execution', { ...asked, execution_id }));
    return 'verdict' in answer ? patched(max_tokens, answer) : faithful(max_tokens, answer, execution_id);
  },
});

function patched(maxTokens: number, answer: Payload): Payload {
  const { replay_id, execution_id, attempt, mode, verdict, summary, counts, result, error, output_diff } = answer;
  const steps = z.array(step).parse(answer['steps']);
  const fixed = { replay_id, execution_id, attempt, mode, verdict, summary, counts, result };
  return fitFields(maxTokens, {
    fixed: { ...fixed, provenance: 'task', unused_stubs: answer['unused_stubs'] },
    fields: [
      ['error', toldError(error)],
      ['output_diff', output_diff],
      [
        'steps',
        [...steps.filter(({ change }) => change !== 'reused'), ...steps.filter(({ change }) => change === 'reused')],
      ],
      ['output', answer['output']],
      ['logs', answer['logs']],
      ['recorded', answer['recorded']],
      ['test', answer['test']],
      ['recorded_on_node', answer['recorded_on_node']],
    ],
  });
}

function faithful(maxTokens: number, answer: Payload, execution_id: string): Payload {
  const { replayId, attempt, identical, differences, steps, turns, result, output, error, recordedOnNode } = answer;
  const verdict = identical === true ? 'identical' : 'different';
  return fitFields(maxTokens, {
    fixed: { replay_id: replayId, execution_id, attempt, mode: 'faithful', verdict, steps, turns, result },
    fields: [
      ['error', toldError(error)],
      ['differences', differences],
      ['output', output],
      ['recorded_on_node', recordedOnNode],
    ],
  });
}

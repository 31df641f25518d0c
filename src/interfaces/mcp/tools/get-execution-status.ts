/** Tells where an execution stands, and what came of it. */
import { z } from 'zod';
import { fitFields } from '../fit.ts';
import { defineReadingTool, detail, maxTokens, reachNow, readingOutput } from '../reading-tool.ts';
import { executionMeant, executionReference, ofTask } from '../references.ts';
import { toldError } from '../told-error.ts';

const told = z.looseObject({
  execution_id: z.string(),
  task_id: z.string(),
  task_name: z.string(),
  task_version: z.number(),
  status: z.string(),
  attempt: z.number(),
  progress: z.unknown(),
  requested_at: z.string(),
  started_at: z.string().nullable(),
  finished_at: z.string().nullable(),
  duration_ms: z.number().nullable(),
  trace_url: z.string(),
  logs_url: z.string(),
  error: z.unknown(),
  output: z.unknown(),
  questions: z.unknown(),
  input: z.unknown(),
  metadata: z.unknown(),
});

export const getExecutionStatusTool = defineReadingTool({
  name: 'get_execution_status',
  title: 'Get the status of an execution',
  description: 'Tells the status, progress, result or error of an execution, running or ended.',
  toolset: 'monitoring',
  permission: 'read',
  input: z.strictObject({ execution_id: executionReference, task_id: ofTask, detail, max_tokens: maxTokens }),
  output: z.looseObject({
    execution_id: z.string(),
    status: z.string(),
    progress: z.unknown(),
    output: z.unknown(),
    error: z.unknown(),
    questions: z.unknown().describe('What it asks and waits for.'),
    ...readingOutput,
  }),
  run: async (call, asked) => {
    const execution_id = await executionMeant(call, asked.execution_id, asked.task_id);
    await reachNow(call);
    const known = told.parse(await call.ask('get_execution_status', { execution_id }));
    const { error, output, questions, input, metadata, ...fixed } = known;
    const { task_id, task_name, task_version, status, attempt, progress, trace_url, logs_url } = fixed;
    const { requested_at, started_at, finished_at, duration_ms } = fixed;
    const times = { requested_at, started_at, finished_at, duration_ms };
    const base = { execution_id, task_id, task_name, task_version, status, attempt, ...times, trace_url, logs_url };
    return fitFields(asked.max_tokens, {
      fixed: { ...base, output_provenance: 'task' },
      fields: [
        ['error', toldError(error)],
        ['questions', questions],
        ['progress', progress],
        ['output', output],
        ...(asked.detail === 'summary' ? [] : [['input', input] as const, ['metadata', metadata] as const]),
        ...(asked.detail === 'full' ? [['record', fixed] as const] : []),
      ],
    });
  },
});

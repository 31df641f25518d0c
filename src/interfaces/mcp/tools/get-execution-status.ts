/** Tells where an execution stands, and what came of it. */
import { z } from 'zod';
import { isRatchetError } from '../../../domain/errors.ts';
import { fitFields, fitItems, type Payload } from '../fit.ts';
import { defineReadingTool, detail, maxTokens, reachNow, readingOutput } from '../reading-tool.ts';
import { executionMeant, executionReference, ofTask } from '../references.ts';
import { toldError } from '../told-error.ts';
import type { ToolCall } from '../tool.ts';

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

/** Ids of batches and executions look alike, and agents hold both. */
class ToldBatch {
  readonly batch: z.infer<typeof batch>;

  constructor(found: z.infer<typeof batch>) {
    this.batch = found;
  }

  /** What went wrong and what runs is told before what went well. */
  within(maxTokens: number): Payload {
    const { items, next_cursor: _, ...summary } = this.batch;
    const order = ['failed', 'cancelled', 'running', 'skipped', 'pending', 'completed'];
    const rank = (index: number): number => order.indexOf(String(items[index]?.['status']));
    const { batch_id: execution_id } = summary;
    return fitItems(maxTokens, {
      items,
      ranked: items.map((_item, index) => index).toSorted((a, b) => rank(a) - rank(b)),
      build: (kept, isWhole) => ({
        execution_id,
        ...summary,
        items: kept,
        ...(isWhole && items.length === summary.total
          ? { truncated: false }
          : { truncated: true, omitted: { count: summary.total - kept.length, reason: 'items that do not fit' } }),
      }),
    });
  }
}

const batch = z.looseObject({
  batch_id: z.string(),
  total: z.number(),
  items: z.array(z.looseObject({})),
  next_cursor: z.string().nullable(),
});

/** Fails with `missing` where there is no such batch either. */
async function batchOf(call: ToolCall, batch_id: string, missing: unknown): Promise<ToldBatch> {
  try {
    return new ToldBatch(batch.parse(await call.ask('get_batch', { batch_id, limit: 1_000 })));
  } catch (error) {
    throw isRatchetError(error, 'batch_not_found') ? missing : error;
  }
}

export const getExecutionStatusTool = defineReadingTool({
  name: 'get_execution_status',
  title: 'Get the status of an execution',
  description: 'Tells the status, progress, result or error of an execution or a batch, running or ended.',
  toolset: 'monitoring',
  permission: 'read',
  input: z.strictObject({ execution_id: executionReference, task_id: ofTask, detail, max_tokens: maxTokens }),
  output: z.looseObject({
    execution_id: z.string(),
    status: z.string(),
    progress: z.unknown().optional(),
    output: z.unknown().optional(),
    error: z.unknown().optional(),
    questions: z.unknown().optional().describe('What it asks and waits for.'),
    items: z.unknown().optional().describe('Of a batch.'),
    ...readingOutput,
  }),
  run: async (call, asked) => {
    const execution_id = await executionMeant(call, asked.execution_id, asked.task_id);
    await reachNow(call);
    const found = await call.ask('get_execution_status', { execution_id }).catch((error: unknown) => {
      if (isRatchetError(error, 'execution_not_found')) return batchOf(call, execution_id, error);
      throw error;
    });
    if (found instanceof ToldBatch) return found.within(asked.max_tokens);
    const known = told.parse(found);
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

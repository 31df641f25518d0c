/** Finds executions by task, status and time: the last failed run of a task is one call. */
import { z } from 'zod';
import { RatchetError } from '../../../domain/errors.ts';
import { shortened } from '../fit.ts';
import { fitPage } from '../pages.ts';
import {
  type Detail,
  defineReadingTool,
  detail,
  type EmptyHints,
  maxTokens,
  reachNow,
  readingOutput,
} from '../reading-tool.ts';
import { taskMeant, taskReference } from '../references.ts';
import { toldError } from '../told-error.ts';

const STATUSES = ['pending', 'running', 'waiting', 'completed', 'failed', 'cancelled'] as const;

const input = z.strictObject({
  task_id: taskReference.optional(),
  status: z.enum(STATUSES).optional(),
  since: z.string().max(64).optional().describe('Requested at or after this ISO 8601 time.'),
  limit: z.number().min(1).max(100).default(10),
  cursor: z.string().max(1024).optional(),
  detail,
  max_tokens: maxTokens,
});
type Asked = z.infer<typeof input>;

const found = z.object({
  executions: z.array(
    z.looseObject({
      execution_id: z.string(),
      task_id: z.string(),
      task_name: z.string(),
      task_version: z.number(),
      status: z.string(),
      attempt: z.number(),
      progress: z.unknown(),
      error: z.looseObject({ error_type: z.string(), message: z.string() }).nullable(),
      input: z.unknown(),
      requested_at: z.string(),
      finished_at: z.string().nullable(),
      duration_ms: z.number().nullable(),
    }),
  ),
  next_cursor: z.string().nullable(),
});
type Found = z.infer<typeof found>['executions'][number];

export const listExecutionsTool = defineReadingTool({
  name: 'list_executions',
  title: 'List executions',
  description: 'Lists executions, newest first. The last failed run of a task: task_id, status failed, limit 1.',
  toolset: 'monitoring',
  permission: 'read',
  input,
  output: z.looseObject({ executions: z.array(z.unknown()), next_cursor: z.string().nullable(), ...readingOutput }),
  synonyms: { task: 'task_id', task_name: 'task_id' },
  run: async (call, asked) => {
    const { task_id, status, since, limit, cursor } = asked;
    const filter = {
      ...(task_id === undefined ? {} : { task_id: taskMeant(task_id) }),
      ...(status === undefined ? {} : { status }),
      ...(since === undefined ? {} : { since: instantOf(since) }),
    };
    if (filter.task_id !== undefined && call.core.execute.directory.find(filter.task_id) === undefined) {
      throw new RatchetError('task_not_found', `there is no task ${filter.task_id}`, {
        details: { task: filter.task_id },
      });
    }
    await reachNow(call);
    const page = cursor === undefined ? { limit } : { limit, cursor };
    const { executions, next_cursor } = found.parse(await call.ask('list_executions', { ...filter, ...page }));
    return fitPage(asked.max_tokens, {
      name: 'executions',
      rows: executions,
      next: next_cursor,
      isFirst: cursor === undefined,
      keyOf: (row) => [row.requested_at, row.execution_id],
      tell: (row) => tell(row, asked.detail),
      more: executions.length === 0 && cursor === undefined ? { hints: hintsFor(asked, filter) } : {},
    });
  },
});

const INPUT_TOKENS = { summary: 100, standard: 500 } as const;
const MESSAGE_TOKENS = 150;

function tell(row: Found, how: Detail): object {
  if (how === 'full') return { ...row, error: toldError(row.error) };
  const { execution_id, task_id, task_name, status, error, requested_at, duration_ms } = row;
  const short =
    error === null ? null : { error_type: error.error_type, message: shortened(MESSAGE_TOKENS, error.message) };
  const base = {
    execution_id,
    task_id,
    task_name,
    status,
    requested_at,
    duration_ms,
    error: toldError(short),
    input: shortened(INPUT_TOKENS[how], row.input),
  };
  if (how === 'summary') return base;
  const { task_version, attempt, progress, finished_at } = row;
  return { ...base, task_version, attempt, progress, finished_at };
}

function instantOf(text: string): string {
  const time = Date.parse(text);
  if (!Number.isNaN(time)) return new Date(time).toISOString();
  const problem = { field: 'since', message: 'is no time: write it as 2026-01-31T12:00:00Z' };
  throw new RatchetError('invalid_request', `since: ${problem.message}`, { details: { problems: [problem] } });
}

function hintsFor({ status, since }: Asked, filter: { readonly task_id?: string }): EmptyHints {
  const tool = 'list_executions';
  const wider = filter.task_id === undefined ? {} : { task_id: filter.task_id };
  return {
    summary: 'No execution matches.',
    possible_causes: [
      ...(since === undefined ? [] : ['All were requested earlier.']),
      ...(status === undefined ? [] : [`None is ${status}.`]),
      'The task has not been run.',
    ],
    suggested_actions: [
      ...(status === undefined && since === undefined ? [] : [{ tool, arguments: { ...wider, limit: 5 } }]),
      { tool: 'list_available_tasks', arguments: {} },
    ],
  };
}

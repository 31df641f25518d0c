/** What hangs on an execution: read for all executions of a page at once, one statement for each kind. */
import type { First } from '../../../queries/execution-batch.ts';
import { isAllowedTask } from '../../domain/access.ts';
import { RatchetError } from '../../domain/errors.ts';
import type { Position } from '../../domain/event.ts';
import { connectionOf } from './connections.ts';
import type { GraphqlContext } from './context.ts';
import { ask } from './operation-resolvers.ts';
import { levelOf, pageSize, statusOf } from './page-arguments.ts';
import type { Entries, Resolver, Resolvers } from './resolver.ts';
import { numberOf, textOf } from './values.ts';

const idOf = ({ execution_id }: Entries): string => String(execution_id);

/** A field that lists tell only of some executions: the rest is read once for all that ask. */
const detail =
  (name: string): Resolver =>
  async (source, _args, context) => {
    if (Object.hasOwn(source, name)) return source[name];
    await context.caughtUp();
    const found: Entries = (await context.executions.load(idOf(source), null)) ?? {};
    return found[name];
  };

const DETAILS = {
  input: 'input',
  output: 'output',
  metadata: 'metadata',
  options: 'options',
  questions: 'questions',
  sessionId: 'session_id',
  clientInfo: 'client_info',
  worker: 'worker',
  mode: 'mode',
  traceUrl: 'trace_url',
  logsUrl: 'logs_url',
  position: 'position',
} as const;

/** @returns an execution by id, as it is at `position` or later; null where there is none, or none that the caller may see. */
export async function executionById(context: GraphqlContext, id: unknown, position?: Position): Promise<unknown> {
  const executionId = textOf(id);
  if (executionId === null) return null;
  context.authorize('read', 'get_execution_status');
  await context.caughtUp(position);
  return (await context.executions.load(executionId, null)) ?? null;
}

/** An execution named in another column of the same row. */
const linked =
  (column: string): Resolver =>
  (source, _args, context) =>
    executionById(context, source[column]);

type Row = { readonly cursor: string };

/** @returns the first page of what was read for one execution. */
export function firstPage<Node extends Row>(found: First<Node> | undefined) {
  return connectionOf(found?.rows ?? [], ({ cursor }) => cursor, { hasMore: found?.hasMore ?? false, isAfter: false });
}

const steps: Resolver = async (source, args, context) => {
  const first = pageSize(args);
  const attempt = numberOf(args['attempt']);
  const after = textOf(args['after']);
  const execution_id = idOf(source);
  if (after !== null) return ask('list_steps', { execution_id, attempt, limit: first, cursor: after }, context);
  context.authorize('read_traces', 'list_steps');
  await context.caughtUp();
  return firstPage(await context.steps.load(execution_id, { attempt, first }));
};

const logs: Resolver = async (source, args, context) => {
  const first = pageSize(args);
  const level = levelOf(args);
  const search = searchOf(args);
  const attempt = numberOf(args['attempt']);
  const after = textOf(args['after']);
  const execution_id = idOf(source);
  if (after !== null) {
    return ask('get_execution_logs', { execution_id, level, search, attempt, limit: first, cursor: after }, context);
  }
  context.authorize('read_logs', 'get_execution_logs');
  await context.caughtUp();
  return firstPage(await context.logs.load(execution_id, { level, search, attempt, first }));
};

const MAX_SEARCH = 256;

function searchOf({ search }: Entries): string | null {
  const text = textOf(search);
  if (text === null || text.length <= MAX_SEARCH) return text;
  throw new RatchetError('invalid_request', `search: at most ${MAX_SEARCH} characters`);
}

const spans: Resolver = async (source, args, context) => {
  const first = pageSize(args);
  context.authorize('read_traces', 'get_execution_trace');
  await context.caughtUp();
  const found = await context.spans.load(idOf(source), { attempt: numberOf(args['attempt']), first });
  return found?.rows ?? [];
};

const children: Resolver = async (source, args, context) => {
  const first = pageSize(args);
  const after = textOf(args['after']);
  if (after !== null) return ask('list_executions', { parent_id: idOf(source), limit: first, cursor: after }, context);
  context.authorize('read', 'list_executions');
  await context.caughtUp();
  const found = await context.children.load(idOf(source), { status: statusOf(args), first });
  const { tasks } = context.options.caller.principal;
  const rows = found?.rows.filter(({ task_name }) => isAllowedTask(tasks, task_name)) ?? [];
  return firstPage({ rows, hasMore: found?.hasMore ?? false });
};

const replays: Resolver = async (source, args, context) => {
  const first = pageSize(args);
  const after = textOf(args['after']);
  const execution_id = idOf(source);
  if (after !== null) return ask('list_replays', { execution_id, limit: first, cursor: after }, context);
  context.authorize('read_traces', 'list_replays');
  await context.caughtUp();
  return firstPage(await context.replays.load(execution_id, { first }));
};

const trace: Resolver = (source, { attempt, includeHttpCalls, analysis }, context) => {
  const input = { execution_id: idOf(source), attempt, include_http_calls: includeHttpCalls, analysis };
  return ask('get_execution_trace', input, context);
};

const analysis: Resolver = (source, { includeSuggestions, includeContext }, context) => {
  const input = {
    execution_id: idOf(source),
    include_suggestions: includeSuggestions,
    include_context: includeContext,
  };
  return ask('analyze_execution_error', input, context);
};

const EXECUTION_OF: Resolver = ({ execution_id, position }, _args, context) =>
  executionById(context, execution_id, textOf(position) ?? undefined);

/** Parts of the answer that are nested in it. */
const TRACE_PART =
  (name: string): Resolver =>
  ({ trace: inner }) =>
    typeof inner === 'object' && inner !== null && name in inner
      ? Object.entries(inner).find(([key]) => key === name)?.[1]
      : null;

export const EXECUTION_RESOLVERS: Resolvers = {
  Execution: {
    ...Object.fromEntries(Object.entries(DETAILS).map(([field, name]) => [field, detail(name)])),
    stepCount: ({ steps: count }) => count,
    logLineCount: ({ log_lines }) => log_lines,
    task: async ({ task_id }, _args, context) => {
      context.authorize('read', 'get_task');
      await context.caughtUp();
      return (await context.tasks.load(String(task_id), null)) ?? null;
    },
    steps,
    logs,
    spans,
    trace,
    parent: linked('parent_id'),
    children,
    original: linked('original_execution'),
    replays,
    analysis,
  },
  ExecutionTicket: { execution: EXECUTION_OF },
  ExecutionUpdate: { execution: EXECUTION_OF },
  Replay: {
    execution: linked('execution_id'),
    result: async (source, _args, context) => {
      if (Object.hasOwn(source, 'result')) return source['result'];
      const found = await ask('get_replay', { replay_id: source['replay_id'] }, context);
      return typeof found === 'object' && found !== null && 'result' in found ? found.result : null;
    },
  },
  ExecutionTrace: {
    traceId: TRACE_PART('trace_id'),
    spans: TRACE_PART('spans'),
    criticalPath: TRACE_PART('critical_path'),
    bottlenecks: TRACE_PART('bottlenecks'),
  },
};

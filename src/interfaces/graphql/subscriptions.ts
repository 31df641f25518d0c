/** What can be subscribed to, and how each event is told. */
import { z } from 'zod';
import { eventFilter, eventFilterInput, shownEvent } from '../../../queries/event.ts';
import { RatchetError } from '../../domain/errors.ts';
import { idOf, type StoredEvent } from '../../domain/event.ts';
import { EXECUTION_EVENT_TYPES, type ExecutionEvent, type ExecutionStatus } from '../../domain/execution.ts';
import { decode } from '../../domain/history.ts';
import { LOG_LEVELS } from '../../domain/journal.ts';
import { TASK_EVENT_TYPES } from '../../domain/task.ts';
import type { TelemetryEvent } from '../../domain/telemetry.ts';
import { isoTime } from '../../domain/time.ts';
import { authorizeTasks, parse } from '../operation.ts';
import type { GraphqlContext } from './context.ts';
import { follow } from './following.ts';
import { levelOf } from './page-arguments.ts';
import type { Resolver } from './resolver.ts';
import { textOf } from './values.ts';

/** Steps are told by their own subscription. */
const STEPS: readonly string[] = ['StepStarted', 'StepCompleted', 'StepInherited'];
const UPDATES = [...EXECUTION_EVENT_TYPES.filter((type) => !STEPS.includes(type)), 'ProgressReported'];
const TRACES = ['StepStarted', 'StepCompleted', 'SpanRecorded'];
const OF_EXECUTIONS = ['execution', 'telemetry'] as const;

/** Events of the log as a subscription tells them; those that `tell` makes nothing of are left out. */
async function* told(
  context: GraphqlContext,
  events: AsyncGenerator<StoredEvent, void>,
  tell: (event: StoredEvent) => unknown,
): AsyncGenerator<unknown, void> {
  for await (const event of events) {
    const value = await tell(event);
    if (value === null) continue;
    context.told = event.position;
    yield value;
  }
}

/** Subscribers of one kind are told the same: it is made of an event once, as long as that is held in memory. */
function once<Value>(tell: (event: StoredEvent) => Value): (event: StoredEvent) => Value {
  const known = new WeakMap<StoredEvent, { readonly value: Value }>();
  return (event) => {
    const made = known.get(event) ?? { value: tell(event) };
    known.set(event, made);
    return made.value;
  };
}

const envelope = ({ position, type, occurredAt, stream }: StoredEvent) => ({
  position,
  type,
  occurred_at: occurredAt,
  execution_id: idOf(stream),
});

const tellUpdate = once((stored) => {
  const event = decode<ExecutionEvent | TelemetryEvent>(stored);
  if (event.type === 'ProgressReported') {
    const { progress, step, message } = event.data;
    const percent = Math.round(progress * 1000) / 10;
    return { ...envelope(stored), status: null, progress: { percent, step, message } };
  }
  return { ...envelope(stored), status: STATUS_AFTER[stored.type] ?? null, progress: null };
});

const STATUS_AFTER: Readonly<Record<string, ExecutionStatus>> = {
  ExecutionRequested: 'pending',
  ExecutionStarted: 'running',
  ExecutionWaiting: 'waiting',
  AttemptFailed: 'waiting',
  ExecutionCompleted: 'completed',
  ExecutionFailed: 'failed',
  ExecutionCancelled: 'cancelled',
};

const tellLine = once((stored) => {
  const event = decode<TelemetryEvent>(stored);
  if (event.type !== 'LogLineWritten') return null;
  const { clock, level, message, fields, attempt, ordinal, spanId, traceId } = event.data;
  const { position } = stored;
  const base = { timestamp: isoTime(clock), level, message, context: fields, attempt, ordinal };
  const line = { ...base, span_id: spanId, trace_id: traceId, position };
  return { position, execution_id: event.data.executionId, line };
});

async function tellTrace({ core }: GraphqlContext, stored: StoredEvent) {
  const event = decode<ExecutionEvent | TelemetryEvent>(stored);
  if (event.type === 'SpanRecorded') return { ...envelope(stored), step: null, span: spanOf(event.data) };
  if (event.type !== 'StepStarted' && event.type !== 'StepCompleted') return null;
  const { blobs } = core.query;
  const { attempt, path, kind, name, request, turn, clock } = event.data;
  const common = { attempt, path, kind, name, request: await blobs.get(request), turn, position: stored.position };
  if (event.type === 'StepStarted') {
    const status = kind === 'ask' ? 'asked' : 'started';
    const open = { outcome: null, started_at: isoTime(clock), ended_at: null, duration_ms: null };
    return { ...envelope(stored), step: { ...common, ...open, status }, span: null };
  }
  const { outcome, startedAt } = event.data;
  const step = {
    ...common,
    status: outcome.ok ? 'completed' : 'failed',
    outcome: outcome.ok ? { ok: true, value: await blobs.get(outcome.value) } : outcome,
    started_at: isoTime(startedAt),
    ended_at: isoTime(clock),
    duration_ms: clock - startedAt,
  };
  return { ...envelope(stored), step, span: null };
}

function spanOf(span: Extract<TelemetryEvent, { type: 'SpanRecorded' }>['data']) {
  const { spanId, parentSpanId, name, kind, startedAt, endedAt, ok, attributes, attempt } = span;
  return {
    span_id: spanId,
    parent_span_id: parentSpanId,
    name,
    kind,
    start_time: isoTime(startedAt),
    duration_ms: endedAt - startedAt,
    status: ok ? 'ok' : 'error',
    attributes,
    attempt,
  };
}

const executionUpdated: Resolver = async (_source, { executionId, from }, context) => {
  context.authorize('read', 'executionUpdated');
  const filter = { categories: OF_EXECUTIONS, types: UPDATES };
  const events = await follow(context, { from: textOf(from), filter, executionId: textOf(executionId) });
  return told(context, events, tellUpdate);
};

const executionLogs: Resolver = async (_source, args, context) => {
  context.authorize('read_logs', 'executionLogs');
  const least = LOG_LEVELS.indexOf(levelOf(args));
  const filter = { categories: OF_EXECUTIONS, types: ['LogLineWritten'] };
  const { from, executionId } = args;
  const events = await follow(context, { from: textOf(from), filter, executionId: textOf(executionId) });
  return told(context, events, (event) => {
    const update = tellLine(event);
    return update !== null && LOG_LEVELS.indexOf(update.line.level) >= least ? update : null;
  });
};

const executionTrace: Resolver = async (_source, { executionId, from }, context) => {
  context.authorize('read_traces', 'executionTrace');
  const filter = { categories: OF_EXECUTIONS, types: TRACES };
  const events = await follow(context, { from: textOf(from), filter, executionId: textOf(executionId) });
  return told(context, events, (event) => tellTrace(context, event));
};

const taskChanged: Resolver = async (_source, { taskId, from }, context) => {
  context.authorize('read', 'taskChanged');
  const wanted = textOf(taskId);
  const id = wanted === null ? null : await knownTask(context, wanted);
  const filter = { categories: ['task' as const], types: TASK_EVENT_TYPES };
  const events = await follow(context, { from: textOf(from), filter, executionId: null });
  return told(context, events, ({ stream, position, type, occurredAt, principal }) => {
    if (id !== null && idOf(stream) !== id) return null;
    return { position, type, occurred_at: occurredAt, principal, task_id: idOf(stream) };
  });
};

async function knownTask({ core, options }: GraphqlContext, nameOrId: string): Promise<string> {
  await authorizeTasks(core, options.caller, [{ kind: 'task', id: nameOrId }], 'taskChanged');
  const task = core.execute.directory.find(nameOrId);
  if (task !== undefined) return task.taskId;
  throw new RatchetError('task_not_found', `there is no task ${nameOrId}`, { details: { task: nameOrId } });
}

const eventsInput = z.strictObject(eventFilterInput);
const tellEvent = once(shownEvent);

const events: Resolver = async (_source, { from, categories, types }, context) => {
  context.authorize('read_traces', 'events');
  const given = { category: categories ?? undefined, type: types ?? undefined };
  const filter = eventFilter(parse(eventsInput, given));
  return told(context, await follow(context, { from: textOf(from), filter, executionId: null }), tellEvent);
};

export const SUBSCRIPTION_RESOLVERS: Readonly<Record<string, Resolver>> = {
  executionUpdated,
  executionLogs,
  executionTrace,
  taskChanged,
  events,
};

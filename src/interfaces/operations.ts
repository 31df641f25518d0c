/** The one list of everything that can be asked of Ratchet: each interface derives its routes, fields or tools from it. */
import { z } from 'zod';
import { giveAnswer } from '../../commands/answer-question.ts';
import { executeTask, executeTaskInput, type Origin } from '../../commands/execute-task.ts';
import { cancelExecution } from '../../commands/execution.ts';
import { handle } from '../../commands/handle.ts';
import { getAuditTrail } from '../../queries/audit.ts';
import { getEvent, listEvents, listExecutionEvents } from '../../queries/event.ts';
import { getExecution, listExecutions, listSteps } from '../../queries/execution.ts';
import { getTask, listTasks, listTaskVersions } from '../../queries/task.ts';
import { getLogs, getTrace } from '../../queries/telemetry.ts';
import type { TerminalEvent } from '../domain/execution.ts';
import { explain } from '../domain/explain.ts';
import { ACCESS_OPERATIONS } from './access-operations.ts';
import { BATCH_OPERATIONS } from './batch-operations.ts';
import { BULK_OPERATIONS } from './bulk-operations.ts';
import { DEBUG_OPERATIONS } from './debug-operations.ts';
import { DEBUG_SESSION_OPERATIONS } from './debug-session-operations.ts';
import { DELIVERY_OPERATIONS } from './delivery-operations.ts';
import { DIAGNOSIS_OPERATIONS } from './diagnosis-operations.ts';
import { type Caller, type Core, command, metaOf, type Operation, query } from './operation.ts';
import { PROFILE_OPERATIONS } from './profile-operations.ts';
import { REPLAY_OPERATIONS } from './replay-operations.ts';
import { forkOf, retryOf } from './retry-execution.ts';
import { SCHEDULE_OPERATIONS } from './schedule-operations.ts';
import { SYSTEM_OPERATIONS } from './system-operations.ts';
import { TASK_OPERATIONS } from './task-operations.ts';
import { TESTING_OPERATIONS } from './testing-operations.ts';

const executionId = z.strictObject({ execution_id: z.string().min(1).max(64) });
const reason = z.string().max(1024).optional();

async function request(core: Core, input: z.infer<typeof executeTaskInput>, caller: Caller, fork?: Origin['fork']) {
  const key = input.idempotency_key ?? caller.idempotencyKey ?? undefined;
  const keyed = key === undefined ? input : { ...input, idempotency_key: key };
  const origin = { source: caller.source, parent: null, executionId: null, fork };
  // Left open: the execution itself is the root of all that it causes.
  const meta = { ...metaOf(core, { ...caller, idempotencyKey: null }, 'execute_task', input), correlationId: '' };
  return executeTask(core.execute, keyed, origin, meta);
}

const executeAndWait = executeTaskInput.extend({
  wait_seconds: z
    .number()
    .min(0)
    .max(50)
    .optional()
    .describe('Answer after this long even when it still runs; 20 when left out.'),
});

async function execute(core: Core, { wait_seconds, ...input }: z.infer<typeof executeAndWait>, caller: Caller) {
  const requested = await request(core, input, caller);
  const seconds = Math.min(wait_seconds ?? core.wait.defaultSeconds, core.wait.maxSeconds);
  const end = await core.awaitEnd(requested.executionId, seconds * 1000, requested.created);
  const links = { trace_url: `/traces/${requested.executionId}`, logs_url: `/logs/${requested.executionId}` };
  const base = { execution_id: requested.executionId, position: requested.position, ...links };
  if (end === null) {
    const poll = { tool: 'get_execution_status', url: `/api/v1/executions/${requested.executionId}`, after_seconds: 2 };
    return { ...base, status: 'running', output: null, duration_ms: null, error: null, poll };
  }
  return { ...base, position: end.position, ...(await toldEnd(core, end.event)) };
}

/** @returns the end of an execution as answers tell it. */
export async function toldEnd(core: Core, end: TerminalEvent) {
  const { durationMs: duration_ms } = end.data;
  switch (end.type) {
    case 'ExecutionCompleted':
      return { status: 'completed', output: await core.execute.blobs.get(end.data.output), duration_ms, error: null };
    case 'ExecutionFailed':
      return { status: 'failed', output: null, duration_ms, error: explain(end.data.code, end.data.error) };
    case 'ExecutionCancelled':
      return { status: 'cancelled', output: null, duration_ms, error: null };
    default:
      return end satisfies never;
  }
}

export const OPERATIONS: readonly Operation[] = [
  command({
    name: 'execute_task',
    permission: 'execute_tasks',
    description: 'Run a task on an input and wait for its result; answers with status running when it takes longer.',
    input: executeAndWait,
    run: execute,
  }),
  command({
    name: 'create_execution',
    permission: 'execute_tasks',
    description: 'Ask for an execution without waiting for it.',
    input: executeTaskInput,
    run: async (core, input, caller) => {
      const requested = await request(core, input, caller);
      return {
        execution_id: requested.executionId,
        status: 'pending',
        created: requested.created,
        position: requested.position,
      };
    },
  }),
  command({
    name: 'cancel_execution',
    permission: 'execute_tasks',
    description: 'End an execution that has not ended.',
    input: executionId.extend({ reason }),
    run: async (core, input, caller) => {
      const given = { executionId: input.execution_id, reason: input.reason ?? null };
      const meta = { ...metaOf(core, caller, 'cancel_execution', input), correlationId: input.execution_id };
      const handled = await handle(core.execute, cancelExecution, given, meta);
      const { status } = handled.state;
      const shown = status === 'running' ? 'cancelling' : status;
      return { execution_id: input.execution_id, status: shown, changed: handled.changed, position: handled.position };
    },
  }),
  command({
    name: 'retry_execution',
    permission: 'execute_tasks',
    description:
      'Run a finished execution again as a new one: same task, same input, current version unless asked otherwise.',
    input: executionId.extend({ reason, same_version: z.boolean().default(false) }),
    run: async (core, input, caller) => {
      const requested = await request(
        core,
        await retryOf(core.execute, input.execution_id, input.same_version, input.reason ?? null),
        caller,
      );
      return {
        execution_id: requested.executionId,
        original_execution: input.execution_id,
        status: 'pending',
        position: requested.position,
      };
    },
  }),
  ...TASK_OPERATIONS,
  ...TESTING_OPERATIONS,
  command({
    name: 'fork_execution',
    permission: 'execute_tasks',
    description:
      'Run a finished execution again as a new one, from one of its steps on: outcomes before that step are kept, the rest is done anew.',
    input: executionId.extend({
      from_step: z
        .string()
        .regex(/^(?:failed|\d+(?:\/\d+)*)$/)
        .optional()
        .describe('Path of the first step that is done anew, or "failed"; from the start when left out.'),
      same_version: z.boolean().default(true).describe('Run the recorded version rather than the current one.'),
      input: z.json().optional().describe('Another input; it must ask for the same first steps.'),
      reason,
    }),
    run: async (core, input, caller) => {
      const { from_step: fromStep = null, same_version: sameVersion, reason: why = null } = input;
      const wish = { fromStep, sameVersion, reason: why, input: input.input };
      const forked = await forkOf(core.execute, input.execution_id, wish);
      const requested = await request(core, forked.input, caller, forked.fork);
      return {
        execution_id: requested.executionId,
        original_execution: input.execution_id,
        from_step: forked.fork?.from.step ?? null,
        steps_kept: forked.fork?.from.kept ?? 0,
        status: 'pending',
        position: requested.position,
      };
    },
  }),
  command({
    name: 'answer_question',
    permission: 'execute_tasks',
    description: 'Answer what an execution asks through ask(); it goes on from there.',
    input: executionId.extend({
      answer: z.json().describe("Must match the question's schema."),
      step: z.string().max(256).optional().describe('Path of the question; may be left out where only one is open.'),
    }),
    run: async (core, input, caller) => {
      const given = { executionId: input.execution_id, path: input.step ?? null, answer: input.answer };
      const meta = { ...metaOf(core, caller, 'answer_question', input), correlationId: input.execution_id };
      const { state, position } = await giveAnswer(core.execute, given, meta);
      if (state.status === 'waiting') {
        const { priority } = state.request.options;
        core.execute.dispatcher.offer({ executionId: input.execution_id, client: '', priority }, 0);
      }
      return { execution_id: input.execution_id, status: state.status, position };
    },
  }),
  ...REPLAY_OPERATIONS,
  ...DEBUG_OPERATIONS,
  ...DEBUG_SESSION_OPERATIONS,
  ...DIAGNOSIS_OPERATIONS,
  ...PROFILE_OPERATIONS,
  ...ACCESS_OPERATIONS,
  ...SCHEDULE_OPERATIONS,
  ...DELIVERY_OPERATIONS,
  ...BATCH_OPERATIONS,
  ...BULK_OPERATIONS,
  ...SYSTEM_OPERATIONS,
  query(listTasks),
  query(getTask),
  query(listTaskVersions),
  query(listExecutions),
  query(getExecution),
  query(listSteps),
  query(getLogs),
  query(getTrace),
  query(listExecutionEvents),
  query(listEvents),
  query(getEvent),
  query(getAuditTrail),
  command({
    name: 'list_projections',
    permission: 'read',
    description: 'How far each projection is, and whether it has stopped.',
    input: z.strictObject({}),
    run: async (core) => ({ projections: core.projections.statuses() }),
  }),
  command({
    name: 'rebuild_projections',
    permission: 'administer',
    description: 'Build read models anew from all events, beside the old ones, then swap.',
    input: z.strictObject({ names: z.array(z.string().max(64)).max(50).optional() }),
    run: async (core, input) => {
      await core.projections.rebuild(input.names);
      return { projections: core.projections.statuses() };
    },
  }),
];

/** Runs a task for an agent: its result when it is quick, else a handle on the execution that goes on. */
import { z } from 'zod';
import { RatchetError } from '../../../domain/errors.ts';
import type { Position } from '../../../domain/event.ts';
import { toldEnd } from '../../operations.ts';
import { awaitExecution, hasEnded, statusOf, type ToldStatus } from '../await-execution.ts';
import { answerIn, askUser, keyOf, type OpenQuestion } from '../questions.ts';
import { taskHandle } from '../task-handle.ts';
import { defineTool, Outcome, type ToolCall } from '../tool.ts';

/** Most executions end sooner, and cost nobody more than waiting. */
const QUICK_MS = 1_000;

const requested = z.object({ execution_id: z.string(), position: z.string(), created: z.boolean() });

export const executeTaskOutput = z.object({
  execution_id: z.string(),
  status: z.string(),
  output: z.unknown(),
  error: z.unknown().describe('Why it failed, and what to do; null unless it failed.'),
  duration_ms: z.number().nullable(),
  trace_url: z.string(),
  logs_url: z.string(),
  questions: z.unknown().optional().describe('What it asks; it waits for the answer.'),
  poll: z.object({ tool: z.string(), arguments: z.unknown(), after_ms: z.number() }).optional(),
});

export const executeTaskTool = defineTool({
  name: 'execute_task',
  title: 'Run a task',
  description:
    'Runs a task on an input and waits for its result. A failed execution is a result with status failed; one that takes longer than wait_seconds answers running with its execution_id and goes on.',
  toolset: 'execution',
  permission: 'execute_tasks',
  hints: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  input: z.strictObject({
    task_id: z.string().min(1).max(256).describe('Name or id of the task.'),
    input: z.unknown().describe("Matches the task's input schema."),
    trace: z.boolean().optional().describe('Record debug logs too; true when left out.'),
    timeout: z.number().positive().max(86_400).optional().describe('Seconds that one attempt may run.'),
    wait_seconds: z.number().min(0).max(50).optional().describe('Longest wait for the result; 20 when left out.'),
    idempotency_key: z.string().min(1).max(256).optional().describe('The same key again is the same execution.'),
    metadata: z.record(z.string(), z.unknown()).optional(),
  }),
  output: executeTaskOutput,
  run: async (call, { wait_seconds, ...input }) => {
    const { defaultSeconds, maxSeconds } = call.core.wait;
    const waitMs = Math.min(wait_seconds ?? defaultSeconds, maxSeconds) * 1_000;
    const known = call.context.mcpReq.requestState<string>();
    if (known !== undefined) return goOn(call, known, waitMs);
    const asked = requested.parse(await call.ask('create_execution', input));
    const id = asked.execution_id;
    const end = await call.core.awaitEnd(id, Math.min(waitMs, QUICK_MS), asked.created);
    if (end !== null) return { execution_id: id, ...links(id), ...(await toldEnd(call.core, end.event)) };
    // Who takes handles is not kept waiting, unless it asked for that.
    const isPatient = !call.client.takesTasks || wait_seconds !== undefined;
    return rest(call, id, isPatient ? waitMs - QUICK_MS : 0, asked.position);
  },
});

/** The client comes back with what its user answered: the execution is the one that it was told of, not another one. */
async function goOn(call: ToolCall, executionId: string, waitMs: number): Promise<unknown> {
  const status = await ownStatus(call, executionId);
  const after = await call.core.query.store.head();
  const given = await answerQuestions(call, executionId, status, call.context.mcpReq.inputResponses ?? {});
  if (given || hasEnded(status)) return rest(call, executionId, waitMs, after);
  return stillRuns(executionId, status);
}

async function rest(call: ToolCall, executionId: string, ms: number, after: Position): Promise<unknown> {
  const waited = await awaitExecution(call, executionId, ms, after);
  switch (waited.kind) {
    case 'ended':
      return executionAnswer(await statusOf(call, executionId, null), executionId);
    case 'asks':
      return call.client.elicits && !call.client.takesTasks
        ? new Outcome(askUser(call.core.execute.runtime, executionId, waited.questions))
        : handleOr(call, executionId, await statusOf(call, executionId, null));
    case 'goes on':
      return handleOr(call, executionId, waited.status);
    default:
      return waited satisfies never;
  }
}

function handleOr(call: ToolCall, executionId: string, status: ToldStatus): unknown {
  if (!call.client.takesTasks) return stillRuns(executionId, status);
  return new Outcome({ ...taskHandle(executionId, status), resultType: 'task', content: [] });
}

/** @returns whether any open question was answered. Answers to other questions are ignored, as the protocol wants. */
export async function answerQuestions(
  call: ToolCall,
  executionId: string,
  { questions }: ToldStatus,
  responses: Readonly<Record<string, unknown>>,
): Promise<boolean> {
  let given = false;
  for (const question of questions) {
    const response = responses[keyOf(call.core.execute.runtime, question)];
    const answer = response === undefined ? null : answerIn(question, response);
    if (answer === null) continue;
    await call.ask('answer_question', { execution_id: executionId, step: question.step, ...answer });
    given = true;
  }
  return given;
}

/** A handle is a name and no right: only who asked for an execution, or an administrator, goes on with it. Fails with `execution_not_found`. */
export async function ownStatus(call: ToolCall, executionId: string): Promise<ToldStatus> {
  const status = await statusOf(call, executionId, null);
  const { id, permissions } = call.caller.principal;
  if (status.principal === id || permissions.has('administer')) return status;
  throw new RatchetError('execution_not_found', `there is no execution ${executionId}`, { details: { executionId } });
}

/** @returns what `execute_task` answers of an execution that has ended. */
export function executionAnswer(status: ToldStatus, executionId: string): object {
  const { output, error, duration_ms } = status;
  return { execution_id: executionId, status: status.status, output, error, duration_ms, ...links(executionId) };
}

function stillRuns(executionId: string, { status, questions }: ToldStatus): object {
  const shown = status === 'pending' ? 'running' : status;
  const poll = { tool: 'get_execution_status', arguments: { execution_id: executionId }, after_ms: 2_000 };
  return {
    execution_id: executionId,
    status: shown,
    output: null,
    error: null,
    duration_ms: null,
    ...links(executionId),
    ...(questions.length === 0 ? {} : { questions: questions.map(told) }),
    poll,
  };
}

function told({ step, question, schema }: OpenQuestion): object {
  return { step, question, schema };
}

function links(executionId: string) {
  return { trace_url: `/traces/${executionId}`, logs_url: `/logs/${executionId}` };
}

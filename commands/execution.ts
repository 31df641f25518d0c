/** What may be asked of an execution, and what a worker may record about it; each answer as facts. */
import { z } from 'zod';
import { RatchetError } from '../src/domain/errors.ts';
import { streamName } from '../src/domain/event.ts';
import {
  type AttemptStart,
  type ExecutionEvent,
  type ExecutionRequest,
  type ExecutionState,
  type ExistingExecution,
  execution,
  INHERITED,
  isDue,
  isFinished,
  openQuestions,
  type StepEnd,
  type StepStart,
} from '../src/domain/execution.ts';
import type { Payload } from '../src/domain/payload.ts';
import { defineCommand } from './command.ts';

/** Requests made by our own code are typed; what users send is parsed where it comes in. */
const trusted = <T>(): z.ZodType<T> => z.custom<T>((value) => typeof value === 'object' && value !== null);

export interface RequestInput {
  readonly request: ExecutionRequest;
  /** The first attempt, when an idle local worker takes it at once. */
  readonly started: AttemptStart | null;
  /** Outcomes that a fork keeps. */
  readonly inherited?: readonly StepEnd[];
}

/** Asks for an execution. The same id with an equal request is the same execution; with another, `idempotency_mismatch`. */
export const requestExecution = defineCommand<RequestInput, ExecutionState, ExecutionEvent>({
  name: 'execute_task',
  permission: 'execute_tasks',
  input: trusted<RequestInput>(),
  stream: ({ request }) => streamName('execution', request.executionId),
  evolution: execution,
  decide: (state, { request, started, inherited = [] }) => {
    if (state.status !== 'none') {
      if (state.request.requestHash === request.requestHash) return [];
      throw new RatchetError('idempotency_mismatch', 'this idempotency key was used for a different request', {
        details: { executionId: request.executionId },
      });
    }
    const requested: ExecutionEvent[] = [
      { type: 'ExecutionRequested', data: request },
      ...inherited.map((step) => ({ type: 'StepInherited' as const, data: { ...step, attempt: INHERITED } })),
    ];
    return started === null ? requested : [...requested, { type: 'ExecutionStarted', data: started }];
  },
});

const cancelInput = z.strictObject({ executionId: z.string(), reason: z.string().max(1024).nullable() });

/** Ends an execution that does not run at once; asks the worker of one that does. Asking twice changes nothing. */
export const cancelExecution = defineCommand<z.infer<typeof cancelInput>, ExecutionState, ExecutionEvent>({
  name: 'cancel_execution',
  permission: 'execute_tasks',
  input: cancelInput,
  stream: (input) => streamName('execution', input.executionId),
  evolution: execution,
  decide: (state, { executionId, reason }, meta) => {
    const existing = known(state, executionId);
    if (existing.status === 'cancelled') return [];
    if (isFinished(existing.status)) {
      throw new RatchetError('execution_finished', `execution ${executionId} has already ${existing.status}`, {
        details: { executionId, status: existing.status },
      });
    }
    const asked: ExecutionEvent[] = existing.cancelRequested
      ? []
      : [{ type: 'ExecutionCancelRequested', data: { reason } }];
    if (existing.status === 'running') return asked;
    return [...asked, cancelled(existing, meta.now, reason)];
  },
});

function cancelled(state: ExistingExecution, now: number, reason: string | null): ExecutionEvent {
  const first = state.attempts[0];
  return {
    type: 'ExecutionCancelled',
    data: {
      attempt: state.attempts.at(-1)?.attempt ?? null,
      turn: null,
      clock: now,
      durationMs: first === undefined ? 0 : Math.max(0, now - first.clock),
      reason,
    },
  };
}

/** Claims an execution for a worker session: one winner, because the append is at the version that was read. */
export const startAttempt = defineCommand<
  { executionId: string; start: AttemptStart; takeOverFrom: string | null },
  ExecutionState,
  ExecutionEvent
>({
  name: 'start_attempt',
  permission: 'execute_tasks',
  input: trusted(),
  stream: (input) => streamName('execution', input.executionId),
  evolution: execution,
  decide: (state, { executionId, start, takeOverFrom }, meta) => {
    const existing = known(state, executionId);
    const runsElsewhere = existing.status === 'running' && existing.attempts.at(-1)?.worker !== takeOverFrom;
    const mayGoOn = existing.status === 'running' || isDue(existing, meta.now);
    if (isFinished(existing.status) || runsElsewhere || !mayGoOn || start.attempt !== existing.attempts.length + 1) {
      throw new RatchetError('version_conflict', `execution ${executionId} can not be started now`, {
        details: { executionId, status: existing.status },
      });
    }
    if (existing.cancelRequested) return [cancelled(existing, meta.now, null)];
    return [{ type: 'ExecutionStarted', data: start }];
  },
});

const answerInput = z.strictObject({
  executionId: z.string(),
  path: z.string().nullable(),
  answer: trusted<Payload>(),
});

/** Answers an open question; without a path, the only one there is. */
export const answerQuestion = defineCommand<z.infer<typeof answerInput>, ExecutionState, ExecutionEvent>({
  name: 'answer_question',
  permission: 'execute_tasks',
  input: answerInput,
  stream: (input) => streamName('execution', input.executionId),
  evolution: execution,
  decide: (state, { executionId, path, answer }) => {
    const { attempt, path: asked } = openQuestion(known(state, executionId), path);
    return [{ type: 'QuestionAnswered', data: { attempt, path: asked, answer } }];
  },
});

/** @returns the open question at `path`, or the only one. Fails with `no_open_question`. */
function openQuestion(state: ExistingExecution, path: string | null): StepStart {
  const { executionId } = state.request;
  const open = openQuestions(state);
  const details = { executionId, status: state.status, open: open.map((question) => question.path) };
  const [first, second] = path === null ? open : open.filter((question) => question.path === path);
  if (first === undefined) {
    const which = path === null ? 'no open question' : `no open question at step ${path}`;
    throw new RatchetError('no_open_question', `execution ${executionId} has ${which}`, { details });
  }
  if (second === undefined) return first;
  const paths = details.open.join(', ');
  throw new RatchetError('no_open_question', `execution ${executionId} asks several questions: name one of ${paths}`, {
    details,
  });
}

/** @returns the state of an execution that exists. Fails with `execution_not_found`. */
export function known(state: ExecutionState, executionId: string): ExistingExecution {
  if (state.status !== 'none') return state;
  throw new RatchetError('execution_not_found', `there is no execution ${executionId}`, { details: { executionId } });
}

/** What the server answers, as far as the client itself looks at it; everything else is handed on as it came. */
import { RatchetClientError } from './failure.ts';
import { type Fields, fieldsOf, numberOf, textOf } from './json.ts';

export type ExecutionStatus = 'pending' | 'running' | 'waiting' | 'completed' | 'failed' | 'cancelled';

export interface ExecutionResult {
  readonly execution_id: string;
  /** A failed execution is a result too. `waiting`: it asks something, see `questions`. */
  readonly status: ExecutionStatus;
  /** What the task returned; null unless it completed. */
  readonly output: unknown;
  /** Why it failed, and what to do; null unless it failed. */
  readonly error: unknown;
  readonly duration_ms: number | null;
  readonly trace_url: string;
  readonly logs_url: string;
  readonly questions?: unknown;
}

/** Members beyond the named ones are those of the tool of the same purpose. */
export type Answer = Readonly<Record<string, unknown>>;

export interface TaskInfo extends Answer {
  readonly name: string;
}

const STATUSES: readonly ExecutionStatus[] = ['pending', 'running', 'waiting', 'completed', 'failed', 'cancelled'];

/** Fails with `protocol_error`. */
export function executionIn(answer: Fields): ExecutionResult {
  const { questions } = answer;
  const status = STATUSES.find((known) => known === answer['status']);
  const execution_id = textOf(answer['execution_id']);
  if (status === undefined || execution_id === null) throw unexpected('execute_task', answer);
  return {
    execution_id,
    status,
    output: answer['output'] ?? null,
    error: answer['error'] ?? null,
    duration_ms: numberOf(answer['duration_ms']),
    trace_url: textOf(answer['trace_url']) ?? '',
    logs_url: textOf(answer['logs_url']) ?? '',
    ...(questions === undefined ? {} : { questions }),
  };
}

/** @returns whether nothing more comes of waiting: it has ended, or asks something. */
export function isSettled({ status, questions }: ExecutionResult): boolean {
  return status !== 'pending' && status !== 'running' && (status !== 'waiting' || questions !== undefined);
}

/** @returns tasks and where to go on; null at the end. Fails with `protocol_error`. */
export function tasksIn(answer: Fields): { readonly tasks: readonly TaskInfo[]; readonly next: string | null } {
  const { tasks } = answer;
  if (!Array.isArray(tasks)) throw unexpected('list_available_tasks', answer);
  const known = tasks.map((task): TaskInfo => ({ ...fieldsOf(task), name: textOf(fieldsOf(task)['name']) ?? '' }));
  return { tasks: known, next: textOf(answer['next_cursor']) };
}

/** @returns the answer of a tool. Fails with the error that the tool answers. */
export function answerOf(result: Fields): Fields {
  const told = fieldsOf(result['structuredContent']);
  if (result['isError'] !== true) return told;
  const { code, what, fix, retryable, retry_after_ms, details } = fieldsOf(told['error']);
  const message = [textOf(what), textOf(fix)].filter((part) => part !== null).join(' – ');
  throw new RatchetClientError(textOf(code) ?? 'protocol_error', message === '' ? 'the tool failed' : message, {
    retryable: retryable === true,
    retryAfterMs: numberOf(retry_after_ms),
    details: fieldsOf(details),
  });
}

function unexpected(tool: string, answer: Fields): RatchetClientError {
  return new RatchetClientError('protocol_error', `${tool} answered something else than was expected`, {
    details: { answer },
  });
}

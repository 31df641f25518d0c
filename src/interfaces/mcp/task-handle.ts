/** An execution as the Tasks extension tells it (SEP-2663): the id of the task is the execution, so it outlives both sides. */
import type { InputRequests } from '@modelcontextprotocol/server';
import type { ToldStatus } from './await-execution.ts';

/** How often a client should ask, in milliseconds. */
const POLL_MS = 2_000;

interface TaskCommon {
  readonly taskId: string;
  readonly createdAt: string;
  readonly lastUpdatedAt: string;
  /** Null: executions are kept for good. */
  readonly ttlMs: null;
  readonly pollIntervalMs: number;
  readonly statusMessage?: string;
}

export type TaskHandle = TaskCommon & { readonly status: TaskStatus };
export type TaskStatus = 'working' | 'input_required' | 'completed' | 'cancelled';

/** @returns the handle on an execution. A failed one is a task that has completed: its result says so. */
export function taskHandle(executionId: string, status: ToldStatus): TaskHandle {
  const { requested_at, started_at, finished_at, progress } = status;
  const message = progress === null ? null : `${progress.percent} % ${progress.message ?? progress.step ?? ''}`.trim();
  return {
    taskId: executionId,
    status: taskStatus(status),
    createdAt: requested_at,
    lastUpdatedAt: finished_at ?? started_at ?? requested_at,
    ttlMs: null,
    pollIntervalMs: POLL_MS,
    ...(message === null ? {} : { statusMessage: message }),
  };
}

function taskStatus({ status, questions }: ToldStatus): TaskStatus {
  switch (status) {
    case 'pending':
    case 'running':
    case 'waiting':
      return questions.length > 0 ? 'input_required' : 'working';
    case 'completed':
    case 'failed':
      return 'completed';
    case 'cancelled':
      return 'cancelled';
    default:
      return status satisfies never;
  }
}

/** @returns the whole task: the handle, and what its status brings along. */
export function detailedTask(handle: TaskHandle, result: () => object, questions: () => InputRequests): object {
  switch (handle.status) {
    case 'completed':
      return { ...handle, result: result() };
    case 'input_required':
      return { ...handle, inputRequests: questions() };
    case 'working':
    case 'cancelled':
      return handle;
    default:
      return handle.status satisfies never;
  }
}

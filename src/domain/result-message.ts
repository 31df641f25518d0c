/** What a target is told of the end of an execution; the same each time it is sent, so that a receiver can compare. */
import { deliveryIdOf } from './delivery.ts';
import type { Json, JsonObject } from './event.ts';
import type { ExecutionRequest, TerminalEvent } from './execution.ts';
import { explain } from './explain.ts';

/** The end of an execution with its output at hand. */
export interface ToldEnd {
  readonly request: ExecutionRequest;
  readonly end: TerminalEvent;
  /** When it ended, ISO 8601. */
  readonly endedAt: string;
  /** Null unless it completed, and where it is left out. */
  readonly output: Json;
  /** Whether the output is too large to be told. */
  readonly isOutputOmitted: boolean;
}

/**
 * @param fits whether a value is small enough to be told; what is not is null and named in `omitted`
 * @returns the message, its parts named as Standard Webhooks does.
 */
export function resultMessage(told: ToldEnd, target: string, fits: (value: Json) => boolean): JsonObject {
  const { request, end, endedAt, output, isOutputOmitted } = told;
  const { executionId, task, metadata } = request;
  const error = errorOf(end);
  const bounded = { output, error, metadata };
  const omitted = Object.entries(bounded)
    .filter(([name, value]) => (name === 'output' && isOutputOmitted) || !fits(value))
    .map(([name]) => name);
  const kept = (name: keyof typeof bounded): Json => (omitted.includes(name) ? null : bounded[name]);
  const status = statusOf(end);
  return {
    id: deliveryIdOf(executionId, target),
    type: `execution.${status}`,
    timestamp: endedAt,
    data: {
      execution_id: executionId,
      task_id: task.id,
      task: task.name,
      task_version: task.version,
      status,
      output: kept('output'),
      error: kept('error'),
      duration_ms: end.data.durationMs,
      attempt: end.data.attempt,
      metadata: kept('metadata'),
      omitted,
      url: `/api/v1/executions/${executionId}`,
    },
  };
}

function statusOf({ type }: TerminalEvent) {
  switch (type) {
    case 'ExecutionCompleted':
      return 'completed';
    case 'ExecutionFailed':
      return 'failed';
    case 'ExecutionCancelled':
      return 'cancelled';
    default:
      return type satisfies never;
  }
}

function errorOf(end: TerminalEvent): Json {
  switch (end.type) {
    case 'ExecutionFailed':
      return { ...explain(end.data.code, end.data.error) };
    case 'ExecutionCancelled':
      return end.data.reason === null ? null : { code: 'cancelled', message: end.data.reason };
    case 'ExecutionCompleted':
      return null;
    default:
      return end satisfies never;
  }
}

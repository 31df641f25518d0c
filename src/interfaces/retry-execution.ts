/** Makes the request that repeats a finished execution; its lineage names the original. */

import type { ExecuteDeps, ExecuteTaskInput } from '../../commands/execute-task.ts';
import { known } from '../../commands/execution.ts';
import { RatchetError } from '../domain/errors.ts';
import { streamName } from '../domain/event.ts';
import { execution, isFinished } from '../domain/execution.ts';
import { fold } from '../domain/history.ts';

/** Fails with `execution_not_found`, or `execution_running` for one that has not ended. */
export async function retryOf(
  deps: ExecuteDeps,
  executionId: string,
  sameVersion: boolean,
  reason: string | null,
): Promise<ExecuteTaskInput> {
  const history = await deps.store.readStream(streamName('execution', executionId));
  const { status, request } = known(fold(execution, history), executionId);
  if (!isFinished(status)) {
    throw new RatchetError('execution_running', `execution ${executionId} is ${status}`, {
      details: { executionId, status },
    });
  }
  const { trace, priority, timeoutMs, retry } = request.options;
  // Not parsed as a caller's wish: what was accepted once may lie beyond what a caller may ask for.
  return {
    task_id: request.task.id,
    input: await deps.blobs.get(request.input),
    trace,
    priority,
    timeout: timeoutMs / 1000,
    retry: {
      max_attempts: retry.maxAttempts,
      initial_ms: retry.initialMs,
      factor: retry.factor,
      max_ms: retry.maxMs,
      jitter: retry.jitter,
      from: retry.from,
      ...(retry.on === null ? {} : { on: [...retry.on] }),
    },
    ...(sameVersion ? { version: request.task.version } : {}),
    metadata: {
      ...request.metadata,
      original_execution: executionId,
      ...(reason === null ? {} : { retry_reason: reason }),
    },
  };
}

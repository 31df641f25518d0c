/** Makes the requests that repeat a finished execution, from its start or from one of its steps; their lineage names the original. */
import type { ExecuteDeps, ExecuteTaskInput, Origin } from '../../commands/execute-task.ts';
import { known } from '../../commands/execution.ts';
import { RatchetError } from '../domain/errors.ts';
import { type Json, streamName } from '../domain/event.ts';
import {
  chainRoot,
  type ExistingExecution,
  entriesBefore,
  entriesBeforeFailure,
  execution,
  INHERITED,
  isFinished,
  journalOf,
} from '../domain/execution.ts';
import { fold } from '../domain/history.ts';

/** Fails with `execution_not_found`, or `execution_running` for one that has not ended. */
export async function retryOf(
  deps: ExecuteDeps,
  executionId: string,
  sameVersion: boolean,
  reason: string | null,
): Promise<ExecuteTaskInput> {
  return again(deps, await finished(deps, executionId), { sameVersion, reason, input: undefined });
}

export interface ForkWish {
  /** Path of the first step that is done anew, `failed` for the last one that failed; null: from the start. */
  readonly fromStep: string | null;
  readonly sameVersion: boolean;
  readonly reason: string | null;
  /** Undefined: the recorded one. */
  readonly input: Json | undefined;
}

/** Fails as {@link retryOf}, and with `fork_point_not_found`. */
export async function forkOf(
  deps: ExecuteDeps,
  executionId: string,
  wish: ForkWish,
): Promise<{ readonly input: ExecuteTaskInput; readonly fork: Origin['fork'] }> {
  const state = await finished(deps, executionId);
  const input = await again(deps, state, wish);
  if (wish.fromStep === null) return { input, fork: undefined };
  const last = state.attempts.at(-1);
  const root = last === undefined ? undefined : chainRoot(state, last.attempt);
  const journal = last === undefined ? [] : journalOf(state, last.attempt);
  const kept = wish.fromStep === 'failed' ? entriesBeforeFailure(journal) : entriesBefore(journal, wish.fromStep);
  const step = kept === null ? undefined : journal[kept];
  if (kept === null || step === undefined || last === undefined || root === undefined) {
    const what = wish.fromStep === 'failed' ? 'no step that failed' : `no step ${wish.fromStep}`;
    throw new RatchetError('fork_point_not_found', `execution ${executionId} has ${what}`, {
      details: { executionId, steps: journal.slice(0, 100).map(({ path }) => path) },
    });
  }
  const path = wish.fromStep === 'failed' ? step.path : wish.fromStep;
  const { clock, seed } = root;
  const own = { executionId, attempt: root.attempt };
  const context = (root.journalFrom === INHERITED ? state.request.fork?.context : undefined) ?? own;
  return {
    input: { ...input, metadata: { ...input.metadata, forked_from_step: path } },
    fork: {
      from: { executionId, attempt: last.attempt, step: path, kept, clock, seed, context },
      inherited: journal.slice(0, kept),
    },
  };
}

async function finished(deps: ExecuteDeps, executionId: string): Promise<ExistingExecution> {
  const history = await deps.store.readStream(streamName('execution', executionId));
  const state = known(fold(execution, history), executionId);
  if (isFinished(state.status)) return state;
  throw new RatchetError('execution_running', `execution ${executionId} is ${state.status}`, {
    details: { executionId, status: state.status },
  });
}

/** Not parsed as a caller's wish: what was accepted once may lie beyond what a caller may ask for. */
async function again(
  deps: ExecuteDeps,
  { request }: ExistingExecution,
  { sameVersion, reason, input }: Omit<ForkWish, 'fromStep'>,
): Promise<ExecuteTaskInput> {
  const { trace, priority, timeoutMs, retry, unknownSteps } = request.options;
  const { forked_from_step: _, ...metadata } = request.metadata;
  return {
    task_id: request.task.id,
    input: input === undefined ? await deps.blobs.get(request.input) : input,
    trace,
    priority,
    timeout: timeoutMs / 1000,
    unknown_steps: unknownSteps,
    retry: {
      max_attempts: retry.maxAttempts,
      initial_ms: retry.initialMs,
      factor: retry.factor,
      max_ms: retry.maxMs,
      jitter: retry.jitter,
      from: retry.from,
      ...(retry.on === null ? {} : { on: [...retry.on] }),
    },
    // A target that is no longer there is no reason not to try again.
    ...(request.resultTo === undefined
      ? {}
      : { result_to: request.resultTo.filter((name) => deps.resultTargets.has(name)) }),
    ...(sameVersion ? { version: request.task.version } : {}),
    metadata: {
      ...metadata,
      original_execution: request.executionId,
      ...(reason === null ? {} : { retry_reason: reason }),
    },
  };
}

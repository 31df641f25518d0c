/** Waits for an execution on behalf of a client: until it ends, asks something, or the client has waited long enough. */
import { z } from 'zod';
import { idOf, type Position, streamName } from '../../domain/event.ts';
import { TERMINAL_EVENT_TYPES } from '../../domain/execution.ts';
import { type OpenQuestion, openQuestions } from './questions.ts';
import type { ToolCall } from './tool.ts';

/** As `get_execution_status` tells them. */
const toldStatus = z.looseObject({
  status: z.enum(['pending', 'running', 'waiting', 'completed', 'failed', 'cancelled']),
  progress: z.object({ percent: z.number(), message: z.string().nullable(), step: z.string().nullable() }).nullable(),
  questions: openQuestions,
  principal: z.string(),
  output: z.unknown(),
  error: z.unknown(),
  duration_ms: z.number().nullable(),
  requested_at: z.string(),
  started_at: z.string().nullable(),
  finished_at: z.string().nullable(),
});
export type ToldStatus = z.infer<typeof toldStatus>;

export type Waited =
  | { readonly kind: 'ended' }
  | { readonly kind: 'asks'; readonly questions: readonly OpenQuestion[] }
  | { readonly kind: 'goes on'; readonly status: ToldStatus };

/** What may change the answer, and what the client may be told meanwhile. */
const TYPES = [...TERMINAL_EVENT_TYPES, 'ExecutionWaiting', 'QuestionAnswered', 'ProgressReported'] as const;

/**
 * @param ms longest wait in milliseconds
 * @param after a position at which the execution had been asked for already
 * @returns as soon as there is something to say; when the client stops waiting, the execution goes on all the same
 */
export async function awaitExecution(
  call: ToolCall,
  executionId: string,
  ms: number,
  after: Position,
): Promise<Waited> {
  const { core, context } = call;
  const late = AbortSignal.timeout(Math.max(0, Math.ceil(ms)));
  const signal = AbortSignal.any([late, context.mcpReq.signal]);
  const filter = { categories: ['execution', 'telemetry'], types: TYPES } as const;
  const streams: ReadonlySet<string> = new Set([
    streamName('execution', executionId),
    streamName('telemetry', executionId),
  ]);
  let told = -1;
  try {
    for await (const page of core.query.store.subscribe(after, filter, signal)) {
      const own = page.events.filter(({ stream }) => streams.has(stream) && idOf(stream) === executionId);
      const last = own.at(-1);
      if (last === undefined) continue;
      const status = await statusOf(call, executionId, last.position);
      if (hasEnded(status)) return { kind: 'ended' };
      if (status.questions.length > 0) return { kind: 'asks', questions: status.questions };
      const percent = status.progress?.percent ?? -1;
      // The protocol wants progress that only grows.
      if (percent > told) await call.progress(percent, 100, status.progress?.message ?? status.progress?.step ?? null);
      told = Math.max(told, percent);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  const status = await statusOf(call, executionId, null);
  return hasEnded(status) ? { kind: 'ended' } : { kind: 'goes on', status };
}

/** Fails as `get_execution_status` does. */
export async function statusOf(call: ToolCall, executionId: string, atLeast: Position | null): Promise<ToldStatus> {
  const wanted = atLeast === null ? {} : { minPosition: atLeast };
  return toldStatus.parse(await call.ask('get_execution_status', { execution_id: executionId }, wanted));
}

export function hasEnded({ status }: ToldStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

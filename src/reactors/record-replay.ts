/** Records that an execution was run again, by whom and with what outcome, whatever kind of replay it was. */
import { envelopes } from '../../commands/handle.ts';
import type { Principal } from '../domain/access.ts';
import { asRatchetError } from '../domain/errors.ts';
import { type Json, streamName } from '../domain/event.ts';
import type { ReplayEvent, ReplayStart } from '../domain/replay.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { EventStore } from '../ports/event-store.ts';
import type { Runtime } from '../ports/runtime.ts';

export interface RecordReplayDeps {
  readonly store: EventStore;
  readonly blobs: Blobs;
  readonly runtime: Runtime;
}

/** What is kept of a replay that came to an end. */
export interface ReplayVerdict {
  readonly verdict: string;
  /** What the caller was told; null where that would only repeat what others saw. */
  readonly told: Json;
}

/**
 * Does `work` between two facts: that the replay began, and how it ended. Its stream is its own; the execution's is not touched.
 * Rejects as `work` does, after that was recorded.
 */
export async function recordReplay<Result>(
  deps: RecordReplayDeps,
  start: Omit<ReplayStart, 'replayId'>,
  by: Principal,
  work: (replayId: string) => Promise<Result>,
  verdict: (result: Result) => ReplayVerdict,
): Promise<Result> {
  const replayId = deps.runtime.newId();
  const began = deps.runtime.now();
  const record = recorder(deps, replayId, start.executionId, by);
  await record({ type: 'ReplayStarted', data: { replayId, ...start } });
  let result: Result;
  try {
    result = await work(replayId);
  } catch (error) {
    const { code, message } = asRatchetError(error);
    const durationMs = deps.runtime.now() - began;
    await record({ type: 'ReplayFailed', data: { replayId, code, message, durationMs } });
    throw error;
  }
  const { told, verdict: said } = verdict(result);
  const durationMs = deps.runtime.now() - began;
  const payload = await deps.blobs.put(told);
  await record({ type: 'ReplayEnded', data: { replayId, verdict: said, durationMs, result: payload } });
  return result;
}

function recorder(deps: RecordReplayDeps, replayId: string, executionId: string, by: Principal) {
  const stream = streamName('replay', replayId);
  let version = -1;
  return async (fact: ReplayEvent): Promise<void> => {
    const meta = {
      principal: by,
      commandId: `replay:${replayId}:${version + 1}`,
      correlationId: executionId,
      causationId: executionId,
      traceparent: null,
      now: deps.runtime.now(),
    };
    const expected = version < 0 ? 'no-stream' : version;
    const appended = await deps.store.append(stream, expected, envelopes(deps.runtime, [fact], meta));
    version = appended.version;
  };
}

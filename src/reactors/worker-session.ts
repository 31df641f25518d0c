/** Tells that this worker is alive: one lease for all executions that it runs. */
import { type Deps, envelopes } from '../../commands/handle.ts';
import { workerPrincipal } from '../domain/access.ts';
import { streamName } from '../domain/event.ts';
import type { WorkerEvent } from '../domain/worker.ts';

export interface WorkerSession {
  /** Ends the session: its executions may be taken over at once. */
  close(): Promise<void>;
}

export interface SessionFacts {
  readonly sessionId: string;
  readonly host: string;
  readonly pid: number;
  readonly node: string;
  readonly capacity: number;
  readonly isolation: string;
}

const HEARTBEAT_MS = 15_000;
/** Three missed heartbeats. */
const LEASE_MS = 45_000;

/** Appends the start of a session, then heartbeats until it is closed. */
export async function startWorkerSession(
  deps: Deps,
  facts: SessionFacts,
  running: () => number,
  onTrouble: (error: unknown) => void,
): Promise<WorkerSession> {
  const { sessionId } = facts;
  const append = async (event: WorkerEvent, commandId: string): Promise<void> => {
    const meta = {
      principal: workerPrincipal(sessionId),
      commandId,
      correlationId: sessionId,
      causationId: null,
      traceparent: null,
      now: deps.runtime.now(),
    };
    await deps.store.append(streamName('worker', sessionId), 'any', envelopes(deps.runtime, [event], meta));
  };
  await append({ type: 'WorkerSessionStarted', data: { ...facts, leaseMs: LEASE_MS } }, `start:${sessionId}`);
  const timer = setInterval(() => {
    const beat: WorkerEvent = { type: 'WorkerHeartbeat', data: { sessionId, running: running() } };
    append(beat, `beat:${sessionId}:${deps.runtime.now()}`).catch(onTrouble);
  }, HEARTBEAT_MS);
  timer.unref();
  return {
    close: async () => {
      clearInterval(timer);
      await append({ type: 'WorkerSessionEnded', data: { sessionId, reason: 'closed' } }, `end:${sessionId}`);
    },
  };
}

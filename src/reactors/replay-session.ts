/** A sandbox session for one replay: with a deadline, and given back however it ends. */
import { RatchetError } from '../domain/errors.ts';
import type { Sandbox, SandboxLimits, SandboxSession } from '../ports/sandbox.ts';
import { MAX_TIMER_MS } from './mailbox.ts';

export interface ReplayLimits {
  readonly limits: SandboxLimits;
  /** For `work`, waiting for a process not counted. */
  readonly timeoutMs: number;
  /** What did not end in time, for the message. */
  readonly what: string;
}

/**
 * Opens a session for `work` and releases it after. `abort` fires at the deadline.
 * Fails with `execution_timeout`, as the sandbox does, or as `work` does.
 */
export async function inReplaySession<Result>(
  sandbox: Sandbox,
  { limits, timeoutMs, what }: ReplayLimits,
  work: (session: SandboxSession, abort: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const abort = new AbortController();
  const session = await sandbox.open(limits);
  const deadline = setTimeout(
    () => {
      const error = new RatchetError('execution_timeout', `${what} did not end in time`);
      abort.abort(error);
      session.kill(error);
    },
    Math.min(timeoutMs, MAX_TIMER_MS),
  );
  try {
    return await work(session, abort.signal);
  } finally {
    clearTimeout(deadline);
    session.release();
  }
}

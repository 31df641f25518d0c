/** Drives a faithful replay in a debugged process, for whoever looks into it meanwhile: the debugger and the profiler. */
import { isRatchetError } from '../domain/errors.ts';
import type { Outcome, TaskErrorData } from '../domain/journal.ts';
import type { DebuggedSession } from '../ports/debug-sandbox.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { SandboxSession, Turn } from '../ports/sandbox.ts';
import { runAttempt } from './attempt.ts';
import type { RecordedRun } from './recorded-run.ts';

/** How a debugged replay ended. */
export type DebuggedEnd =
  /** `output` is JSON text. */
  | { readonly kind: 'returned'; readonly output: string }
  | { readonly kind: 'threw'; readonly error: TaskErrorData }
  | { readonly kind: 'cancelled' }
  /** The attempt was ended from outside, and its record is used up. `error` is set where a limit ended the replay too. */
  | { readonly kind: 'end_of_record'; readonly error: { readonly name: string; readonly message: string } | null };

export interface DebuggedOptions {
  /** Aborting ends the replay at once; it rejects with the reason. */
  readonly signal: AbortSignal;
  /** Called just before a step's outcome is delivered. `blocking` when the task stands inside the call. */
  readonly onOutcome?: (path: string, outcome: Outcome, blocking: boolean) => void;
}

/** Limits that end an attempt from outside, and its replay again. */
const LIMITS = [
  'memory_limit_exceeded',
  'output_too_large',
  'log_limit_exceeded',
  'step_limit_exceeded',
  'sandbox_crashed',
] as const;

/**
 * Runs a recorded attempt in `session` to the end of its record. Releasing the session is the caller's.
 * Rejects with `replay_mismatch`, an error of the sandbox, or the reason of `signal`, which also ends the process.
 */
export async function runDebugged(
  { runtime }: { readonly runtime: Runtime },
  { taskStart, journal, ending }: RecordedRun,
  session: DebuggedSession,
  { signal, onOutcome }: DebuggedOptions,
): Promise<DebuggedEnd> {
  const kill = (): void => session.kill(reasonOf(signal));
  if (signal.aborted) kill();
  signal.addEventListener('abort', kill, { once: true });
  try {
    const result = await runAttempt({
      session: onOutcome === undefined ? session : watched(session, onOutcome),
      start: taskStart,
      journal,
      runtime,
      recorder: { stepCompleted: async () => undefined, telemetry: () => undefined },
      // biome-ignore lint/suspicious/noThenProperty: a plan is data, not a promise
      then: { kind: 'replay', ending },
      cancel: new AbortController().signal,
      abort: signal,
      onIdle: () => undefined,
    });
    switch (result.kind) {
      case 'returned':
        return { kind: 'returned', output: result.output };
      case 'threw':
        return { kind: 'threw', error: result.error };
      case 'cancelled':
        return { kind: 'cancelled' };
      case 'parked':
      case 'exhausted':
        return { kind: 'end_of_record', error: null };
      default:
        return result satisfies never;
    }
  } catch (error) {
    if (ending !== null || !isRatchetError(error) || !LIMITS.some((code) => code === error.code)) throw error;
    return { kind: 'end_of_record', error: { name: error.code, message: error.message } };
  } finally {
    signal.removeEventListener('abort', kill);
  }
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason));
}

/** Tells of each outcome before the task has it. */
function watched(session: SandboxSession, onOutcome: NonNullable<DebuggedOptions['onOutcome']>): SandboxSession {
  let blockedOn: string | null = null;
  const noted = async (turn: Promise<Turn>): Promise<Turn> => {
    const { status } = await turn;
    blockedOn = status.kind === 'waiting' ? status.blockedOn : null;
    return await turn;
  };
  return {
    start: (start, onTelemetry) => noted(session.start(start, onTelemetry)),
    deliver: (delivery) => {
      if (delivery.type === 'outcome') onOutcome(delivery.path, delivery.outcome, blockedOn === delivery.path);
      return noted(session.deliver(delivery));
    },
    kill: (error) => session.kill(error),
    release: () => session.release(),
  };
}

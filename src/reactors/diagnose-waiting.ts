/** Finds out what an attempt was doing when it was ended from outside: its journal is replayed, and what it then asks for is looked at. */
import type { Principal } from '../domain/access.ts';
import type { OpenStep, Waiting } from '../domain/diagnosis/failure-case.ts';
import { RatchetError } from '../domain/errors.ts';
import type { Sandbox, SandboxSession, Turn } from '../ports/sandbox.ts';
import { runAttempt } from './attempt.ts';
import { type RecordReplayDeps, recordReplay } from './record-replay.ts';
import { type RecordedRun, type RecordedRunDeps, recordedRun } from './recorded-run.ts';

export interface WaitingDeps extends RecordedRunDeps, RecordReplayDeps {
  readonly sandbox: Sandbox;
}

/** A turn that goes on for longer computes: what is recorded is served at once. */
const PROBE_MS = 2_000;

/**
 * Replays an attempt without an end of its own as far as its journal goes. Recorded as a replay; nothing goes out.
 * Fails as {@link recordedRun} does, or with `replay_mismatch`.
 */
export async function waitingOf(
  deps: WaitingDeps,
  executionId: string,
  attempt: number,
  by: Principal,
): Promise<Waiting | null> {
  const run = await recordedRun(deps, executionId, attempt);
  if (run.ending !== null) return null;
  const { id, name, version } = run.state.request.task;
  const start = {
    mode: 'faithful' as const,
    executionId,
    attempt,
    task: { id, name, version },
    code: null,
    input: null,
    stubs: 0,
    allowLive: false,
  };
  return recordReplay(
    deps,
    start,
    by,
    () => followed(deps, run),
    () => ({ verdict: 'ended', told: null }),
  );
}

async function followed(deps: WaitingDeps, run: RecordedRun): Promise<Waiting> {
  const abort = new AbortController();
  const session = await deps.sandbox.open(run.limits);
  const seen = new Watched(session);
  const overdue = new RatchetError('timeout', 'the code went on computing');
  const deadline = setTimeout(() => {
    abort.abort(overdue);
    session.kill(overdue);
  }, PROBE_MS);
  try {
    const { kind } = await runAttempt({
      session: seen,
      start: run.taskStart,
      journal: run.journal,
      runtime: deps.runtime,
      recorder: { stepCompleted: async () => undefined, telemetry: () => undefined },
      // biome-ignore lint/suspicious/noThenProperty: a plan is data, not a promise
      then: { kind: 'replay', ending: null },
      cancel: new AbortController().signal,
      abort: abort.signal,
      onIdle: () => undefined,
    });
    // Where it comes to an end, it had not come so far in its time: it computed.
    return kind === 'exhausted' ? seen.waiting(run) : { doing: 'computing', open: [], timer: false };
  } catch (error) {
    if (error === overdue) return { doing: 'computing', open: [], timer: false };
    throw error;
  } finally {
    clearTimeout(deadline);
    session.release();
  }
}

/** A session that remembers what was asked for, and how its last turn stood. */
class Watched implements SandboxSession {
  readonly #session: SandboxSession;
  readonly #calls: Turn['calls'][number][] = [];
  #last: Turn | null = null;

  constructor(session: SandboxSession) {
    this.#session = session;
  }

  async start(...given: Parameters<SandboxSession['start']>): Promise<Turn> {
    return this.#seen(await this.#session.start(...given));
  }

  async deliver(...given: Parameters<SandboxSession['deliver']>): Promise<Turn> {
    return this.#seen(await this.#session.deliver(...given));
  }

  kill(error: Error): void {
    this.#session.kill(error);
  }

  release(): void {
    this.#session.release();
  }

  /** Calls that the journal does not answer; while it is blocked, the one that blocks it. */
  waiting({ journal, state }: RecordedRun): Waiting {
    const answered = new Set(journal.map(({ path }) => path));
    const status = this.#last?.status.kind === 'waiting' ? this.#last.status : null;
    const open = this.#calls
      .filter(({ path }) => !answered.has(path) && (status?.blockedOn ?? path) === path)
      .map(({ path, kind, name, request }): OpenStep => ({ path, kind, name, request, position: null }));
    const started = new Set(state.started.map(({ path }) => path));
    // Those that left with an event come first: the record itself proves them.
    const ordered = [...open.filter(({ path }) => started.has(path)), ...open.filter(({ path }) => !started.has(path))];
    return { doing: 'waiting', open: ordered, timer: status !== null && status.nextTimer !== null };
  }

  #seen(turn: Turn): Turn {
    this.#calls.push(...turn.calls);
    this.#last = turn;
    return turn;
  }
}

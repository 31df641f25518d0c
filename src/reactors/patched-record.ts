/** Makes of a recorded attempt the calls that a patched replay is matched with, also those that the record has no outcome of. */
import { isRatchetError } from '../domain/errors.ts';
import { canonicalJson } from '../domain/journal.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { Sandbox, SandboxSession, Turn } from '../ports/sandbox.ts';
import { runAttempt } from './attempt.ts';
import type { RecordedCall } from './patched-match.ts';
import type { RecordedRun } from './recorded-run.ts';
import { inReplaySession } from './replay-session.ts';

export interface RecordDeps {
  readonly sandbox: Sandbox;
  readonly runtime: Runtime;
  readonly blobs: Blobs;
}

export interface RecordedCalls {
  readonly calls: readonly RecordedCall[];
  readonly memos: readonly RecordedCall[];
}

/** Longest look at what a run that hung did after its last outcome, in milliseconds; code in an endless loop takes all of it. */
const LOOK_MS = 1_000;

/** Fails with an error of the sandbox. */
export async function recordedCalls(deps: RecordDeps, run: RecordedRun): Promise<RecordedCalls> {
  const entries = run.journal.map((entry, order): RecordedCall => {
    const { path, kind, name, argsHash, request, outcome, clock } = entry;
    const startedAt = run.steps[order]?.startedAt ?? clock;
    return { path, kind, name, argsHash, request, outcome, durationMs: clock - startedAt, order, silentMs: 0 };
  });
  const answered = entries.filter(({ kind }) => kind !== 'custom');
  const known = new Set(answered.map(({ path }) => path));
  const started = (await startedCalls(deps, run)).filter(({ path }) => !known.has(path));
  const seen = await seenCalls(deps, run);
  const until = Math.max(seen.until, lastClock(run, started));
  const left = [...started, ...seen.calls].filter(({ path }) => !known.has(path));
  const open = new Map(left.map((call) => [call.path, unanswered(call, until)]));
  return { calls: [...answered, ...open.values()], memos: entries.filter(({ kind }) => kind === 'custom') };
}

/** A call of the recorded run, and its logical clock. */
type Made = Pick<RecordedCall, 'path' | 'kind' | 'name' | 'argsHash' | 'request'> & { readonly startedAt: number };

function unanswered({ startedAt, ...call }: Made, until: number): RecordedCall {
  const silentMs = Math.max(0, until - startedAt);
  return { ...call, outcome: null, durationMs: 0, order: Number.MAX_SAFE_INTEGER, silentMs };
}

/** Logical clock of the last delivery that the record tells of: until then, what has no outcome had no answer. */
function lastClock({ start, ended, journal }: RecordedRun, started: readonly Made[]): number {
  const clocks = [...journal.map(({ clock }) => clock), ...started.map(({ startedAt }) => startedAt)];
  return clocks.reduce((last, clock) => Math.max(last, clock), Math.max(start.clock, ended.data.clock));
}

/** Calls that the record says have left. */
function startedCalls({ blobs }: RecordDeps, { state, start }: RecordedRun): Promise<readonly Made[]> {
  return Promise.all(
    state.started
      .filter(({ attempt }) => attempt === start.attempt)
      .map(async ({ path, kind, name, argsHash, request, clock }) => {
        const asked = await blobs.get(request);
        return { path, kind, name, argsHash, request: isObject(asked) ? asked : {}, startedAt: clock };
      }),
  );
}

interface Seen {
  readonly calls: readonly Made[];
  /** Logical clock until which the code only waited after all that the record tells; 0 where that is not known. */
  readonly until: number;
}

const UNSEEN: Seen = { calls: [], until: 0 };

/**
 * The recorded code run on its journal shows which calls it made and left, of which the record tells nothing: timers of a race,
 * requests that were under way when the task threw. Without them the same calls of other code would be taken for new ones.
 * Of a run that was ended at its deadline it shows besides whether it was waiting then.
 */
async function seenCalls(deps: RecordDeps, run: RecordedRun): Promise<Seen> {
  const { ending, state } = run;
  if (!run.isRecordedCode || (ending === null && !isOverdue(run))) return UNSEEN;
  const turns: Turn[] = [];
  const { timeoutMs } = state.request.options;
  const lookMs = ending === null ? Math.min(timeoutMs, LOOK_MS) : timeoutMs;
  let isFollowed = true;
  try {
    await inReplaySession(
      deps.sandbox,
      { limits: run.limits, timeoutMs: lookMs, what: 'the replay' },
      (session, abort) =>
        runAttempt({
          session: overheard(session, (turn) => void turns.push(turn)),
          start: run.taskStart,
          journal: run.journal,
          runtime: deps.runtime,
          recorder: { stepCompleted: async () => undefined, telemetry: () => undefined },
          // biome-ignore lint/suspicious/noThenProperty: a plan is data, not a promise
          then: { kind: 'replay', ending },
          cancel: new AbortController().signal,
          abort,
          onIdle: () => undefined,
        }),
    );
  } catch (error) {
    // A record that its own code does not follow any more tells nothing more; what it holds is still used.
    if (!isRatchetError(error)) throw error;
    isFollowed = false;
  }
  const calls = turns.flatMap((turn) =>
    turn.calls.map(({ path, kind, name, request }): Made => {
      const argsHash = deps.runtime.sha256(`${kind}\n${canonicalJson(request)}`);
      return { path, kind, name, argsHash, request, startedAt: turn.clock };
    }),
  );
  return { calls, until: isFollowed && ending === null ? waitedUntil(run, turns.at(-1)) : 0 };
}

function isOverdue({ ended }: RecordedRun): boolean {
  const isFailed = ended.type === 'ExecutionFailed' || ended.type === 'AttemptFailed';
  return isFailed && ended.data.code === 'execution_timeout';
}

/** The deadline, or the timer before it that may have set the code going again. */
function waitedUntil({ state, start, ended }: RecordedRun, last: Turn | undefined): number {
  if (last?.status.kind !== 'waiting') return 0;
  const killedAt = (state.attempts[0]?.clock ?? start.clock) + ended.data.durationMs;
  return Math.min(killedAt, last.status.nextTimer ?? killedAt);
}

function overheard(session: SandboxSession, onTurn: (turn: Turn) => void): SandboxSession {
  const heard = async (turn: Promise<Turn>): Promise<Turn> => {
    onTurn(await turn);
    return turn;
  };
  return {
    start: (start, onTelemetry) => heard(session.start(start, onTelemetry)),
    deliver: (delivery) => heard(session.deliver(delivery)),
    kill: (error) => session.kill(error),
    release: () => session.release(),
  };
}

function isObject(value: unknown): value is RecordedCall['request'] {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

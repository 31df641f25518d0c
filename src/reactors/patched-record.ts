/** Makes of a recorded attempt the calls that a patched replay is matched with, also those that the record has no outcome of. */
import { isRatchetError } from '../domain/errors.ts';
import { canonicalJson, type StepCall } from '../domain/journal.ts';
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

/** Fails with an error of the sandbox. */
export async function recordedCalls(deps: RecordDeps, run: RecordedRun): Promise<RecordedCalls> {
  const entries = run.journal.map((entry, order): RecordedCall => {
    const { path, kind, name, argsHash, request, outcome, clock } = entry;
    const startedAt = run.steps[order]?.startedAt ?? clock;
    return { path, kind, name, argsHash, request, outcome, durationMs: clock - startedAt, order };
  });
  const answered = entries.filter(({ kind }) => kind !== 'custom');
  const known = new Set(answered.map(({ path }) => path));
  const left = [...(await callsWithoutOutcome(deps, run)), ...(await leftCalls(deps, run))];
  const open = new Map(left.filter(({ path }) => !known.has(path)).map((call) => [call.path, call]));
  return { calls: [...answered, ...open.values()], memos: entries.filter(({ kind }) => kind === 'custom') };
}

/** Calls that the record says have left, and tells no outcome of. */
function callsWithoutOutcome({ blobs }: RecordDeps, { state, start }: RecordedRun): Promise<readonly RecordedCall[]> {
  return Promise.all(
    state.started
      .filter(({ attempt }) => attempt === start.attempt)
      .map(async ({ path, kind, name, argsHash, request }) => {
        const asked = await blobs.get(request);
        return unanswered({ path, kind, name, argsHash }, isObject(asked) ? asked : {});
      }),
  );
}

/**
 * The recorded code run on its journal shows which calls it made and left, of which the record tells nothing: timers of a race,
 * requests that were under way when the task threw. Without them the same calls of other code would be taken for new ones.
 */
async function leftCalls(deps: RecordDeps, run: RecordedRun): Promise<readonly RecordedCall[]> {
  const { ending } = run;
  if (ending === null || !run.isRecordedCode) return [];
  const calls: StepCall[] = [];
  const limits = { limits: run.limits, timeoutMs: run.state.request.options.timeoutMs, what: 'the replay' };
  try {
    await inReplaySession(deps.sandbox, limits, (session, abort) =>
      runAttempt({
        session: overheard(session, (turn) => void calls.push(...turn.calls)),
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
  }
  return calls.map(({ path, kind, name, request }) => {
    const argsHash = deps.runtime.sha256(`${kind}\n${canonicalJson(request)}`);
    return unanswered({ path, kind, name, argsHash }, request);
  });
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

function unanswered(
  call: Pick<RecordedCall, 'path' | 'kind' | 'name' | 'argsHash'>,
  request: RecordedCall['request'],
): RecordedCall {
  return { ...call, request, outcome: null, durationMs: 0, order: Number.MAX_SAFE_INTEGER };
}

function isObject(value: unknown): value is RecordedCall['request'] {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Replays as interfaces ask for them: each recorded, none changing the execution. */
import type { QueryDeps } from '../../queries/query.ts';
import { failuresAlike } from '../../queries/replay.ts';
import type { Principal } from '../domain/access.ts';
import { isRatchetError } from '../domain/errors.ts';
import type {
  FailuresRequest,
  FailuresResult,
  PatchedRequest,
  PatchedResult,
  ReplayResult,
  ReplayStart,
  Replays,
} from '../domain/replay.ts';
import { toldPatched } from '../domain/told-replay.ts';
import { type PatchedDeps, type PatchedRun, preparePatch, replayPatched } from './patched-replay.ts';
import { type RecordReplayDeps, recordReplay } from './record-replay.ts';
import { type RecordedRun, recordedRun } from './recorded-run.ts';
import { replayFaithfully } from './replay.ts';

export type ReplaysDeps = PatchedDeps & RecordReplayDeps & Pick<QueryDeps, 'db'>;

/** Past failures that are replayed at once. */
const AT_ONCE = 2;

export function replaysOf(deps: ReplaysDeps): Replays {
  return {
    faithful: async (executionId, attempt, by) => faithful(deps, await recordedRun(deps, executionId, attempt), by),
    patched: async (request, by) => patched(deps, request, by),
    overFailures: async (request, by) => overFailures(deps, request, by),
  };
}

type Start = Omit<ReplayStart, 'replayId'>;

function startOf(run: RecordedRun): Pick<Start, 'executionId' | 'attempt' | 'task'> {
  const { id, name, version } = run.state.request.task;
  return { executionId: run.executionId, attempt: run.start.attempt, task: { id, name, version } };
}

function faithful(deps: ReplaysDeps, run: RecordedRun, by: Principal): Promise<ReplayResult & { replayId: string }> {
  const start: Start = {
    ...startOf(run),
    mode: 'faithful',
    code: null,
    input: null,
    stubs: 0,
    allowLive: false,
  };
  return recordReplay(
    deps,
    start,
    by,
    async (replayId) => ({ replayId, ...(await replayFaithfully(deps, run)) }),
    ({ identical, differences }) => ({
      verdict: identical ? 'identical' : 'different',
      told: identical ? null : { differences: differences.map((difference) => ({ ...difference })) },
    }),
  );
}

async function patched(deps: ReplaysDeps, request: PatchedRequest, by: Principal): Promise<PatchedResult> {
  const run = await recordedRun(deps, request.executionId, request.attempt, request.code);
  return recordPatched(deps, await preparePatch(deps, run, request), by);
}

async function recordPatched(deps: ReplaysDeps, prepared: PatchedRun, by: Principal): Promise<PatchedResult> {
  const { run, patch, version } = prepared;
  const base = startOf(run);
  const code = patch.code === null && patch.version !== null ? version.code : patch.code;
  const start: Start = {
    ...base,
    mode: 'patched',
    task: { ...base.task, version: version.version },
    code: typeof code === 'string' ? await deps.blobs.put(code) : code,
    input: patch.input === undefined ? null : await deps.blobs.put(patch.input),
    stubs: patch.stubs.length,
    allowLive: patch.allowLive,
  };
  return recordReplay(
    deps,
    start,
    by,
    (replayId) => replayPatched(deps, prepared, replayId),
    (result) => ({ verdict: result.verdict, told: toldPatched(result) }),
  );
}

async function overFailures(deps: ReplaysDeps, request: FailuresRequest, by: Principal): Promise<FailuresResult> {
  const { taskId, fingerprint, limit } = request;
  const ids = await failuresAlike(deps, { taskId, fingerprint }, limit);
  const rows: FailuresResult['rows'][number][] = [];
  const rest = ids.entries();
  const worker = async (): Promise<void> => {
    for (const [index, executionId] of rest) rows[index] = await rowOf(deps, executionId, request, by);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const counts = { succeeds: 0, fails_same: 0, fails_otherwise: 0, undecided: 0, not_replayable: 0 };
  for (const { verdict } of rows) counts[verdict] += 1;
  return { taskId, fingerprint, counts, rows };
}

/** What is wrong with the code is wrong for every row, so it rises; what is wrong with one record stands in its row. */
async function rowOf(
  deps: ReplaysDeps,
  executionId: string,
  request: FailuresRequest,
  by: Principal,
): Promise<FailuresResult['rows'][number]> {
  try {
    const one = { ...request, executionId, attempt: null, input: undefined, saveTest: null };
    const { replayId, verdict, summary } = await patched(deps, one, by);
    return { executionId, replayId, verdict, summary };
  } catch (error) {
    const isOfAll = ['syntax_error', 'invalid_task', 'not_found', 'shutting_down'] as const;
    if (!isRatchetError(error) || isOfAll.some((code) => error.code === code)) throw error;
    return { executionId, replayId: null, verdict: 'not_replayable', summary: error.message };
  }
}

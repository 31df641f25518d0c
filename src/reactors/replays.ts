/** Replays as interfaces ask for them: each recorded, none changing the execution. */
import { RatchetError } from '../domain/errors.ts';
import type { Replays } from '../domain/replay.ts';
import { type RecordReplayDeps, recordReplay } from './record-replay.ts';
import { recordedRun } from './recorded-run.ts';
import { type ReplayDeps, replayFaithfully } from './replay.ts';

export type ReplaysDeps = ReplayDeps & RecordReplayDeps;

export function replaysOf(deps: ReplaysDeps): Replays {
  return {
    faithful: async (executionId, attempt, by) => {
      const run = await recordedRun(deps, executionId, attempt);
      const { id, name, version } = run.state.request.task;
      const start = {
        mode: 'faithful' as const,
        executionId,
        attempt: run.start.attempt,
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
        async (replayId) => ({ replayId, ...(await replayFaithfully(deps, run)) }),
        (result) => ({ verdict: result.identical ? 'identical' : 'different', told: null }),
      );
    },
    patched: () => Promise.reject(notBuilt('patched replay')),
    overFailures: () => Promise.reject(notBuilt('patched replay')),
  };
}

function notBuilt(what: string): RatchetError {
  return new RatchetError('unsupported', `${what} can not be done yet`);
}

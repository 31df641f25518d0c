/** Takes processor-time profiles of executions by replaying them under the engine's sampling profiler. */
import { type CpuProfile, CpuProfileBuilder } from '../domain/cpu-profile.ts';
import { type ProfileRequest, type ProfileResult, type Profiling, profileIn } from '../domain/profile.ts';
import type { DebugSandbox } from '../ports/debug-sandbox.ts';
import type { Sandbox } from '../ports/sandbox.ts';
import type { SourceMaps } from '../ports/source-map.ts';
import { ProfiledSession } from './profiled-session.ts';
import { type RecordReplayDeps, recordReplay } from './record-replay.ts';
import { type RecordedRun, type RecordedRunDeps, recordedRun } from './recorded-run.ts';
import { replayFaithfully } from './replay.ts';

export interface ProfilingDeps extends RecordedRunDeps, RecordReplayDeps {
  readonly sandbox: Sandbox;
  readonly debugSandbox: DebugSandbox;
  readonly sourceMaps: SourceMaps;
}

/** In it a debugged process waits for what is delivered next. */
const WAITS_IN = 'nextBytes';
/** About 6 MB as a message; 50 seconds at the standard interval. */
const PIECE_SAMPLES = 500_000;

export function profilingOf(deps: ProfilingDeps): Profiling {
  return {
    profile: async (request, by) => {
      const run = await recordedRun(deps, request.executionId, request.attempt);
      const { id, name, version } = run.state.request.task;
      const start = {
        mode: 'profile' as const,
        executionId: request.executionId,
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
        async (replayId) => told(replayId, request, run, await profiled(deps, run, request.intervalUs)),
        ({ identical, format, samples, intervalUs, durationMs }) => ({
          verdict: identical ? 'identical' : 'different',
          told: { format, samples, intervalUs, durationMs },
        }),
      );
    },
  };
}

interface Profiled {
  readonly profile: CpuProfile;
  readonly identical: boolean;
  readonly intervalUs: number;
}

async function profiled(deps: ProfilingDeps, run: RecordedRun, intervalUs: number): Promise<Profiled> {
  const code = await deps.blobs.get(run.version.code);
  const map = typeof code === 'string' ? deps.sourceMaps.inside(code) : null;
  const { file } = run.taskStart.code;
  const builder = new CpuProfileBuilder({ file, waitsIn: WAITS_IN, authored: (at) => map?.original(at) ?? null });
  const sampled: Sandbox = {
    isolation: deps.sandbox.isolation,
    idle: () => deps.sandbox.idle(),
    prepare: (code, file) => deps.debugSandbox.prepare(code, file),
    open: async (limits, signal) =>
      new ProfiledSession(await deps.debugSandbox.open(limits, signal), builder, {
        intervalUs,
        pieceSamples: PIECE_SAMPLES,
      }),
    close: () => Promise.resolve(),
  };
  const { identical } = await replayFaithfully({ ...deps, sandbox: sampled }, run);
  return { profile: builder.build(), identical, intervalUs: intervalUs * 2 ** builder.halved };
}

function told(
  replayId: string,
  { executionId, format }: ProfileRequest,
  run: RecordedRun,
  made: Profiled,
): ProfileResult {
  const { profile, identical, intervalUs } = made;
  const us = profile.weights.reduce((sum, weight) => sum + weight, 0);
  return {
    replayId,
    executionId,
    attempt: run.start.attempt,
    format,
    samples: profile.samples.length,
    intervalUs,
    durationMs: Math.round(us / 10) / 100,
    identical,
    profile: profileIn(format, profile, run.state.request.task.name),
  };
}

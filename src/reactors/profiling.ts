/** Takes processor-time profiles of executions by replaying them under the engine's sampling profiler. */
import { RatchetError } from '../domain/errors.ts';
import type { Profiling } from '../domain/profile.ts';
import type { DebugSandbox } from '../ports/debug-sandbox.ts';
import type { RecordReplayDeps } from './record-replay.ts';
import type { RecordedRunDeps } from './recorded-run.ts';

export interface ProfilingDeps extends RecordedRunDeps, RecordReplayDeps {
  readonly debugSandbox: DebugSandbox;
}

export function profilingOf(_deps: ProfilingDeps): Profiling {
  return { profile: () => Promise.reject(new RatchetError('unsupported', 'profiling can not be done yet')) };
}

/** A processor-time profile of an execution, taken from a replay, and the forms in which it is told. */
import type { Principal } from './access.ts';
import type { Json } from './event.ts';

export const PROFILE_FORMATS = ['cpuprofile', 'speedscope', 'folded', 'svg'] as const;
export type ProfileFormat = (typeof PROFILE_FORMATS)[number];

export interface ProfileRequest {
  readonly executionId: string;
  readonly attempt: number | null;
  readonly format: ProfileFormat;
  /** Microseconds between samples. */
  readonly intervalUs: number;
}

export interface ProfileResult {
  readonly replayId: string;
  readonly executionId: string;
  readonly format: ProfileFormat;
  readonly samples: number;
  readonly durationMs: number;
  /** JSON for `cpuprofile` and `speedscope`, text for the others. */
  readonly profile: Json;
}

export interface Profiling {
  /** Replays under the engine's sampling profiler. Fails as a faithful replay does. */
  profile(request: ProfileRequest, by: Principal): Promise<ProfileResult>;
}

/** A processor-time profile of an execution, taken from a replay, and the forms in which it is told. */
import type { Principal } from './access.ts';
import { type CpuProfile } from './cpu-profile.ts';
import { type CpuProfileFile, cpuFolded, cpuProfileFile, cpuSpeedscope, cpuSvg } from './cpu-profile-forms.ts';
import type { SpeedscopeFile } from './speedscope.ts';

export const PROFILE_FORMATS = ['cpuprofile', 'speedscope', 'folded', 'svg'] as const;
export type ProfileFormat = (typeof PROFILE_FORMATS)[number];

/** Microseconds between samples. */
export const PROFILE_INTERVAL = { standard: 100, least: 50, most: 10_000 } as const;

export interface ProfileRequest {
  readonly executionId: string;
  /** The last one that has ended when null. */
  readonly attempt: number | null;
  readonly format: ProfileFormat;
  /** Microseconds between samples, see {@link PROFILE_INTERVAL}. */
  readonly intervalUs: number;
}

export interface ProfileResult {
  readonly replayId: string;
  readonly executionId: string;
  readonly attempt: number;
  readonly format: ProfileFormat;
  readonly samples: number;
  /** Microseconds between samples; more than asked for where there were too many. */
  readonly intervalUs: number;
  /** That were sampled, idle time included. */
  readonly durationMs: number;
  /** False when the replay differed from the record. */
  readonly identical: boolean;
  /** A file's content as an object for `cpuprofile` and `speedscope`, text for the others. */
  readonly profile: CpuProfileFile | SpeedscopeFile | string;
}

export interface Profiling {
  /**
   * Replays under the engine's sampling profiler, with nothing going out. An attached inspector slows code somewhat.
   * Fails as a faithful replay does.
   */
  profile(request: ProfileRequest, by: Principal): Promise<ProfileResult>;
}

/** @param name of the task, for people */
export function profileIn(format: ProfileFormat, profile: CpuProfile, name: string): ProfileResult['profile'] {
  switch (format) {
    case 'cpuprofile':
      return cpuProfileFile(profile);
    case 'speedscope':
      return cpuSpeedscope(profile, name);
    case 'folded':
      return cpuFolded(profile, name);
    case 'svg':
      return cpuSvg(profile, name);
    default:
      return format satisfies never;
  }
}

/** Makes of the configuration where results go; servers alone deliver, commands that run one task tell their result themselves. */
import type { Config } from '../../config/schema.ts';
import type { ResultTarget } from '../domain/result-target.ts';

/** @param stdout `protocol`: it is taken, and what is to be printed waits for a process that can */
export function resultTargets({ results }: Config, stdout: 'free' | 'protocol'): readonly ResultTarget[] {
  return Object.entries(results).map(([name, target]) => {
    const { maxAttempts, initialDelayMs, maxDelayMs, ...rest } = target;
    const isLeftToOthers = stdout === 'protocol' && target.reach.kind === 'stdout';
    return {
      name,
      ...rest,
      ...(isLeftToOthers ? { isLeftToOthers } : {}),
      patience: { maxAttempts, initialDelayMs, maxDelayMs },
    };
  });
}

/** @returns whether results have the standard output for themselves, so that no log line may go there. */
export function arePrinted(results: readonly ResultTarget[]): boolean {
  return results.some(({ reach, isLeftToOthers = false }) => reach.kind === 'stdout' && !isLeftToOthers);
}

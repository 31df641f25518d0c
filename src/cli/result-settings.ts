/** Makes of the configuration where results go; servers alone deliver, commands that run one task tell their result themselves. */
import type { Config } from '../../config/schema.ts';
import type { ResultTarget } from '../domain/result-target.ts';

export function resultTargets({ results }: Config): readonly ResultTarget[] {
  return Object.entries(results).map(([name, target]) => {
    const { maxAttempts, initialDelayMs, maxDelayMs, ...rest } = target;
    return { name, ...rest, patience: { maxAttempts, initialDelayMs, maxDelayMs } };
  });
}

/** Keeps a projection runner going through errors of the stores, which pass: a full disk, a busy file, a failed read. */
import { setTimeout as pause } from 'node:timers/promises';
import type { ProjectionRunner } from '../projections/runner.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
const RENEW_PAUSE_MS = 1_000;
/** A run that held this long counts as a good one: the next pause is the shortest again. */
const GOOD_RUN_MS = 10_000;

/**
 * Rebuilds what has another version, and tries again every second while a store does not let it. Never rejects.
 * @returns whether all is done; not when `signal` aborted before that
 */
export async function keepRenewing(
  runner: ProjectionRunner,
  onTrouble: (error: unknown) => void,
  signal: AbortSignal,
): Promise<boolean> {
  while (!signal.aborted) {
    try {
      await runner.renew();
      return true;
    } catch (error) {
      if (!signal.aborted) onTrouble(error);
    }
    await pause(RENEW_PAUSE_MS, undefined, { signal }).catch(() => undefined);
  }
  return false;
}

/**
 * Runs until `signal` aborts or the event store closes. After an error it reads the checkpoints again and goes on from there,
 * 100 ms later, then after twice as long each time up to 5 s. Never rejects.
 */
export async function keepProjecting(
  runner: ProjectionRunner,
  onTrouble: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  let pauseMs = FIRST_PAUSE_MS;
  let hasFailed = false;
  while (!signal.aborted) {
    const startedAt = performance.now();
    try {
      if (hasFailed) await runner.resume();
      await runner.run(signal);
      return;
    } catch (error) {
      hasFailed = true;
      if (signal.aborted) return;
      onTrouble(error);
    }
    if (performance.now() - startedAt >= GOOD_RUN_MS) pauseMs = FIRST_PAUSE_MS;
    await pause(pauseMs, undefined, { signal }).catch(() => undefined);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

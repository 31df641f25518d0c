/** What a pool of processes stands on: the strongest isolation that works here, and the limit of memory that goes with it. */
import { RatchetError } from '../../src/domain/errors.ts';
import { type StartWay, startWays } from './isolation.ts';
import { firstLimit, type MemoryLimit, measuredLimit, mostResidentMb, NO_LIMIT, residentMb } from './memory-limit.ts';
import { outOfMemory, type TaskProcess } from './task-process.ts';

export interface Ground {
  readonly way: StartWay;
  readonly limit: MemoryLimit;
}

/** How often memory is looked at where no limit can be set, milliseconds. */
export const WATCH_MS = 100;

/**
 * Tries the ways from the strongest down, by starting a first process, which is handed over with the ground it stands on.
 * Fails with `sandbox_crashed` when no process can be started at all.
 */
export async function findGround(
  start: (ground: Ground) => TaskProcess,
  startTimeoutMs: number,
): Promise<Ground & { readonly first: TaskProcess }> {
  let reason: unknown;
  for (const way of startWays(process.getuid?.() === 0)) {
    for (const limit of new Set([firstLimit(), NO_LIMIT])) {
      const first = start({ way, limit });
      try {
        await first.ready(startTimeoutMs);
        return { first, way, limit: limit === NO_LIMIT ? NO_LIMIT : await measuredLimit(first.pid) };
      } catch (error) {
        reason = error;
      }
    }
  }
  throw new RatchetError('sandbox_crashed', 'no process for tasks can be started on this system', { cause: reason });
}

/**
 * Stands in where the system sets no limit on memory outside the heap: ends the process when it has grown too large.
 * @param extraMb what it may have besides the task's
 */
export async function endWhenLarge(process: TaskProcess, extraMb = 0): Promise<void> {
  if (process.pid === undefined) return;
  const resident = await residentMb(process.pid);
  if (resident > mostResidentMb(process.heapMb) + extraMb) process.kill(outOfMemory(process.heapMb));
}

/** Counts in the memory of this process. */
import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { RateLimits } from '../src/ports/rate-limits.ts';
import { countIn } from './rate-windows.ts';

/** Keys counted on their own; of those beyond, several share a count, so that a flood of addresses takes no memory. */
const MAX_KEYS = 50_000;
const SHARED_COUNTS = 256;
/** Timers of the runtime reach no further. */
const MAX_WINDOW_MS = 2 ** 31 - 1;

/** @returns counts that begin with this process and end with it. */
export function memoryRateLimits(): RateLimits {
  const keys = new Keys();
  return countIn({
    open: (points, ms) => new RateLimiterMemory({ points, duration: Math.min(ms, MAX_WINDOW_MS) / 1000 }),
    keyOf: (key, windowMs) => keys.counted(key, windowMs),
  });
}

/** Which keys are counted on their own. */
class Keys {
  /** When each is forgotten, in milliseconds since the epoch. */
  readonly #until = new Map<string, number>();

  counted(key: string, windowMs: number): string {
    const now = Date.now();
    if (!this.#until.has(key) && this.#until.size >= MAX_KEYS) {
      for (const [other, until] of this.#until) if (until <= now) this.#until.delete(other);
      if (this.#until.size >= MAX_KEYS) return `(shared) ${spread(key)}`;
    }
    this.#until.set(key, now + windowMs);
    return key;
  }
}

/** FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv: cheap, and even enough to share counts by. */
function spread(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % SHARED_COUNTS;
}

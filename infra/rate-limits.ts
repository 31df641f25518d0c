/** Counts in the memory of this process: one window for the rate, and a shorter one of the same pace for what comes at once. */
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Allowance, RateLimit, RateLimits } from '../src/ports/rate-limits.ts';

/** Keys counted on their own; of those beyond, several share a count, so that a flood of addresses takes no memory. */
const MAX_KEYS = 50_000;
const SHARED_COUNTS = 256;
/** Timers of the runtime reach no further. */
const MAX_WINDOW_MS = 2 ** 31 - 1;

/** @returns counts that begin with this process and end with it. */
export function memoryRateLimits(): RateLimits {
  const windows = new Map<string, readonly RateLimiterMemory[]>();
  const keys = new Keys();
  return {
    consume: async (key, limit, cost = 1) => {
      const shape = `${limit.requests}/${limit.windowMs}/${limit.burst}`;
      const limiters = windows.get(shape) ?? limitersOf(limit);
      windows.set(shape, limiters);
      const counted = keys.counted(`${shape} ${key}`, limit.windowMs);
      const taken: Allowance[] = [];
      for (const [index, limiter] of limiters.entries()) {
        const allowance = await take(limiter, counted, cost);
        taken.push(allowance);
        if (allowance.allowed) continue;
        await Promise.all(limiters.slice(0, index).map((other) => other.reward(counted, cost)));
        break;
      }
      return tightest(taken);
    },
  };
}

/** The window of the rate first: where both are used up, it is the one that says when to come back. */
function limitersOf({ requests, windowMs, burst }: RateLimit): readonly RateLimiterMemory[] {
  const seconds = Math.min(windowMs, MAX_WINDOW_MS) / 1000;
  const window = new RateLimiterMemory({ points: requests, duration: seconds });
  if (burst === null || burst >= requests) return [window];
  return [window, new RateLimiterMemory({ points: burst, duration: (seconds * burst) / requests })];
}

async function take(limiter: RateLimiterMemory, key: string, cost: number): Promise<Allowance> {
  if (cost === 0) {
    const found = await limiter.get(key);
    const remaining = found === null || found.msBeforeNext <= 0 ? limiter.points : found.remainingPoints;
    return { allowed: remaining > 0, remaining, resetMs: Math.max(0, found?.msBeforeNext ?? 0) };
  }
  try {
    const { remainingPoints, msBeforeNext } = await limiter.consume(key, cost);
    return { allowed: true, remaining: remainingPoints, resetMs: msBeforeNext };
  } catch (refused) {
    if (!(refused instanceof RateLimiterRes)) throw refused;
    const { consumedPoints } = await limiter.reward(key, cost);
    return {
      allowed: false,
      remaining: Math.max(0, limiter.points - consumedPoints),
      resetMs: refused.msBeforeNext,
    };
  }
}

function tightest(taken: readonly Allowance[]): Allowance {
  const refused = taken.find(({ allowed }) => !allowed);
  if (refused !== undefined) return refused;
  return taken.reduce((one, other) => (other.remaining < one.remaining ? other : one));
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

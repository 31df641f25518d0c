/** How limits are counted, whatever keeps the counts: one window for the rate, and a shorter one of the same pace for what comes at once. */
import { type RateLimiterAbstract, RateLimiterRes } from 'rate-limiter-flexible';
import type { Allowance, RateLimit, RateLimits } from '../src/ports/rate-limits.ts';

export type RateWindow = Pick<RateLimiterAbstract, 'points' | 'get' | 'consume' | 'reward'>;

export interface Windows {
  /** @returns counts of up to `points` in windows of `ms` that begin with the first of them. */
  readonly open: (points: number, ms: number) => RateWindow;
  /** @returns under which key of the windows a caller is counted. */
  readonly keyOf: (key: string, windowMs: number) => string;
}

/** Fails as the windows do. */
export function countIn({ open, keyOf }: Windows): RateLimits {
  const opened = new Map<string, readonly RateWindow[]>();
  return {
    consume: async (key, limit, cost = 1) => {
      const shape = `${limit.requests}/${limit.windowMs}/${limit.burst}`;
      const windows = opened.get(shape) ?? windowsOf(limit, open);
      opened.set(shape, windows);
      const counted = keyOf(`${shape} ${key}`, limit.windowMs);
      const taken: Allowance[] = [];
      for (const [index, window] of windows.entries()) {
        const allowance = await take(window, counted, cost);
        taken.push(allowance);
        if (allowance.allowed) continue;
        await Promise.all(windows.slice(0, index).map((other) => other.reward(counted, cost)));
        break;
      }
      return tightest(taken);
    },
  };
}

/** The window of the rate first: where both are used up, it is the one that says when to come back. */
function windowsOf({ requests, windowMs, burst }: RateLimit, open: Windows['open']): readonly RateWindow[] {
  const window = open(requests, windowMs);
  return burst === null || burst >= requests ? [window] : [window, open(burst, (windowMs * burst) / requests)];
}

async function take(window: RateWindow, key: string, cost: number): Promise<Allowance> {
  if (cost === 0) {
    const found = await window.get(key);
    const remaining = found === null || found.msBeforeNext <= 0 ? window.points : found.remainingPoints;
    return { allowed: remaining > 0, remaining, resetMs: Math.max(0, found?.msBeforeNext ?? 0) };
  }
  try {
    const { remainingPoints, msBeforeNext } = await window.consume(key, cost);
    return { allowed: true, remaining: remainingPoints, resetMs: msBeforeNext };
  } catch (refused) {
    if (!(refused instanceof RateLimiterRes)) throw refused;
    const { consumedPoints } = await window.reward(key, cost);
    return {
      allowed: false,
      remaining: Math.max(0, window.points - consumedPoints),
      resetMs: refused.msBeforeNext,
    };
  }
}

function tightest(taken: readonly Allowance[]): Allowance {
  const refused = taken.find(({ allowed }) => !allowed);
  if (refused !== undefined) return refused;
  return taken.reduce((one, other) => (other.remaining < one.remaining ? other : one));
}

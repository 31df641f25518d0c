/** Counts that nodes share where they can be, and those of this process while what keeps the shared ones is away. */
import type { RateLimits } from '../src/ports/rate-limits.ts';
import { memoryRateLimits } from './rate-limits.ts';

/** After a count that failed, what keeps the shared ones is left alone for so long. */
const PAUSE_MS = 1_000;

export interface Reachability {
  readonly status: 'ok' | 'away';
  /** ISO 8601. */
  readonly since: string;
  /** Why it is away; null when it is not. */
  readonly error: string | null;
}

export interface SharedRateLimits extends RateLimits {
  reachability(): Reachability;
  close(): Promise<void>;
}

/** Told once each time the shared counts go away, with the reason, and once when they are back. */
export type OnReachability = (reachability: Reachability) => void;

export interface Fallback extends RateLimits {
  reachability(): Reachability;
  isAway(error: unknown): void;
  isBack(): void;
}

/**
 * @param shared fails while it is away; `isReady` tells that beforehand, where it is known
 * @returns counts that never reject.
 */
export function countsWithFallback(shared: RateLimits & { isReady(): boolean }, onChange: OnReachability): Fallback {
  const own = memoryRateLimits();
  let reachability: Reachability = { status: 'ok', since: new Date().toISOString(), error: null };
  let leftAloneUntil = 0;
  const change = (status: Reachability['status'], error: string | null): void => {
    if (reachability.status === status) return;
    reachability = { status, since: new Date().toISOString(), error };
    onChange(reachability);
  };
  const isAway = (error: unknown): void =>
    change('away', error instanceof Error ? error.message || error.name : String(error));
  const isBack = (): void => change('ok', null);
  return {
    async consume(key, limit, cost) {
      if (!shared.isReady() || performance.now() < leftAloneUntil) return own.consume(key, limit, cost);
      try {
        const allowance = await shared.consume(key, limit, cost);
        isBack();
        return allowance;
      } catch (error) {
        leftAloneUntil = performance.now() + PAUSE_MS;
        isAway(error);
        return own.consume(key, limit, cost);
      }
    },
    reachability: () => reachability,
    isAway,
    isBack,
  };
}

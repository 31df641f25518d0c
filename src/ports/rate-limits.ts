/** Counts what callers do, so that limits hold; an adapter may count for one process or for all that share a store. */

/** So many in a window of time. */
export interface RateLimit {
  readonly requests: number;
  readonly windowMs: number;
  /** How many may come at once, before the even pace of the window is asked for; null: as many as the window allows. */
  readonly burst: number | null;
}

/** What a key has left of a limit. */
export interface Allowance {
  readonly allowed: boolean;
  /** How many more are allowed now. */
  readonly remaining: number;
  /** Milliseconds until more are allowed (refused), or until what was used up is forgotten (allowed). */
  readonly resetMs: number;
}

export interface RateLimits {
  /**
   * Takes `cost` (1) from what `key` has left of `limit`; what is refused takes nothing. A cost of 0 only looks.
   * Never rejects: an adapter whose store is away counts by itself until it is back.
   *
   * @param key whoever is counted, under the name of the limit
   */
  consume(key: string, limit: RateLimit, cost?: number): Promise<Allowance>;
}

/** What every adapter that counts must do, whatever keeps its counts. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RateLimit, RateLimits } from '../../src/ports/rate-limits.ts';

export interface CountingUnderTest {
  readonly counts: RateLimits;
  /** Lets so much time pass for what is counted. */
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** Long beside the time that a test takes, which passes too where counts are kept elsewhere. */
const HOUR_MS = 3_600_000;
const LIMIT: RateLimit = { requests: 5, windowMs: HOUR_MS, burst: null };
const PACED: RateLimit = { requests: 60, windowMs: HOUR_MS, burst: 3 };
const PACE_MS = 180_000;
/** What a slow machine may take. */
const SLACK_MS = 60_000;

export function countingContract(name: string, open: () => Promise<CountingUnderTest>): void {
  describe(name, () => {
    let tested: CountingUnderTest;
    beforeEach(async () => {
      tested = await open();
    });
    afterEach(() => tested.close());

    const consume = (limit: RateLimit, cost?: number, key = 'ci') => tested.counts.consume(key, limit, cost);
    const allowedOf = async (times: number, limit: RateLimit): Promise<number> => {
      let allowed = 0;
      for (let time = 0; time < times; time += 1) if ((await consume(limit)).allowed) allowed += 1;
      return allowed;
    };
    const near = (ms: number, given: number): void => {
      expect(given).toBeGreaterThan(ms - SLACK_MS);
      expect(given).toBeLessThanOrEqual(ms);
    };

    it('lets through as many as the limit says, and again when the window is over', async () => {
      expect(await allowedOf(9, LIMIT)).toBe(5);
      await tested.pass(HOUR_MS - 2 * SLACK_MS);
      const refused = await consume(LIMIT);
      expect(refused).toMatchObject({ allowed: false, remaining: 0 });
      near(2 * SLACK_MS, refused.resetMs);
      await tested.pass(2 * SLACK_MS);
      const again = await consume(LIMIT);
      expect(again).toMatchObject({ allowed: true, remaining: 4 });
      near(HOUR_MS, again.resetMs);
    });

    it('counts each key and each limit apart', async () => {
      expect(await allowedOf(5, LIMIT)).toBe(5);
      expect(await consume(LIMIT, 1, 'other')).toMatchObject({ allowed: true, remaining: 4 });
      expect(await consume({ ...LIMIT, requests: 6 })).toMatchObject({ allowed: true, remaining: 5 });
      expect(await consume({ ...LIMIT, windowMs: 2 * HOUR_MS })).toMatchObject({ allowed: true, remaining: 4 });
    });

    it('lets no more than the burst come at once, and then goes by the pace of the window', async () => {
      expect(await allowedOf(5, PACED)).toBe(3);
      const refused = await consume(PACED);
      expect(refused).toMatchObject({ allowed: false, remaining: 0 });
      near(PACE_MS, refused.resetMs);
      for (let times = 1; times < 20; times += 1) {
        // The window of an hour goes on while a burst is waited for.
        await tested.pass(PACE_MS - (times === 19 ? SLACK_MS : 0));
        if (times < 19) expect(await allowedOf(5, PACED)).toBe(3);
      }
      await tested.pass(SLACK_MS);
      expect(await allowedOf(5, PACED)).toBe(3);
    });

    it('has no burst shorter than it says', async () => {
      const quick: RateLimit = { requests: 3_600_000, windowMs: HOUR_MS, burst: 1_500 };
      expect(await consume(quick, 1_500)).toMatchObject({ allowed: true, remaining: 0 });
      expect((await consume(quick, 0)).resetMs).toBeLessThanOrEqual(1_500);
      await tested.pass(1_500);
      expect(await consume(quick, 1_500)).toMatchObject({ allowed: true, remaining: 0 });
    });

    it('is not changed by a look', async () => {
      expect(await consume(LIMIT, 0)).toEqual({ allowed: true, remaining: 5, resetMs: 0 });
      expect(await allowedOf(5, LIMIT)).toBe(5);
      const look = await consume(LIMIT, 0);
      expect(look).toMatchObject({ allowed: false, remaining: 0 });
      near(HOUR_MS, look.resetMs);
    });

    it('takes nothing for what is refused as a whole, or by one of two windows', async () => {
      expect(await consume(LIMIT, 6)).toMatchObject({ allowed: false, remaining: 5 });
      expect(await consume(LIMIT, 5)).toMatchObject({ allowed: true, remaining: 0 });
      const paced: RateLimit = { requests: 6, windowMs: HOUR_MS, burst: 3 };
      expect(await allowedOf(9, paced)).toBe(3);
      await tested.pass(HOUR_MS / 2);
      expect(await allowedOf(9, paced)).toBe(3);
    });

    it('lets through no more of many that come at the same moment', async () => {
      const all = await Promise.all(Array.from({ length: 40 }, () => consume(LIMIT)));
      expect(all.filter(({ allowed }) => allowed)).toHaveLength(5);
    });
  });
}

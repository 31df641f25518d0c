import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { memoryRateLimits } from '../../infra/rate-limits.ts';
import type { RateLimits } from '../../src/ports/rate-limits.ts';

const MINUTE = { requests: 5, windowMs: 60_000, burst: null };
const PACED = { requests: 60, windowMs: 60_000, burst: 3 };

describe('counts in memory', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  async function allowedOf(counts: RateLimits, times: number, limit = MINUTE as typeof MINUTE | typeof PACED) {
    const answers = [];
    for (let time = 0; time < times; time += 1) answers.push(await counts.consume('ci', limit));
    return answers.filter(({ allowed }) => allowed).length;
  }

  it('let through as many as the limit says, and again when the window is over', async () => {
    const counts = memoryRateLimits();
    expect(await allowedOf(counts, 9)).toBe(5);
    vi.advanceTimersByTime(59_000);
    expect(await counts.consume('ci', MINUTE)).toEqual({ allowed: false, remaining: 0, resetMs: 1_000 });
    vi.advanceTimersByTime(1_000);
    expect(await counts.consume('ci', MINUTE)).toEqual({ allowed: true, remaining: 4, resetMs: 60_000 });
  });

  it('are apart for each key and each limit', async () => {
    const counts = memoryRateLimits();
    expect(await allowedOf(counts, 5)).toBe(5);
    expect(await counts.consume('other', MINUTE)).toMatchObject({ allowed: true, remaining: 4 });
    expect(await counts.consume('ci', { ...MINUTE, requests: 6 })).toMatchObject({ allowed: true, remaining: 5 });
  });

  it('let no more than the burst come at once, and then go by the pace of the window', async () => {
    const counts = memoryRateLimits();
    expect(await allowedOf(counts, 5, PACED)).toBe(3);
    expect(await counts.consume('ci', PACED)).toEqual({ allowed: false, remaining: 0, resetMs: 3_000 });
    vi.advanceTimersByTime(3_000);
    expect(await allowedOf(counts, 5, PACED)).toBe(3);
    for (let times = 0; times < 18; times += 1) {
      vi.advanceTimersByTime(3_000);
      expect(await allowedOf(counts, 5, PACED)).toBe(3);
    }
    // 60 in all: what was refused on the way was not counted.
    expect((await counts.consume('ci', PACED)).allowed).toBe(false);
    vi.advanceTimersByTime(3_000);
    expect((await counts.consume('ci', PACED)).allowed).toBe(true);
  });

  it('are not changed by a look', async () => {
    const counts = memoryRateLimits();
    expect(await counts.consume('ci', MINUTE, 0)).toEqual({ allowed: true, remaining: 5, resetMs: 0 });
    expect(await allowedOf(counts, 5)).toBe(5);
    expect(await counts.consume('ci', MINUTE, 0)).toEqual({ allowed: false, remaining: 0, resetMs: 60_000 });
  });

  it('take nothing for what is refused as a whole', async () => {
    const counts = memoryRateLimits();
    expect(await counts.consume('ci', MINUTE, 6)).toMatchObject({ allowed: false, remaining: 5 });
    expect(await counts.consume('ci', MINUTE, 5)).toMatchObject({ allowed: true, remaining: 0 });
  });

  it('share counts beyond 50,000 keys, and forget them with their window', async () => {
    const counts = memoryRateLimits();
    const one = { requests: 1, windowMs: 60_000, burst: null };
    for (let key = 0; key < 50_000; key += 1) await counts.consume(`address:${key}`, one);
    const more = [];
    for (let key = 0; key < 600; key += 1) more.push(await counts.consume(`later:${key}`, one));
    const allowed = more.filter((answer) => answer.allowed).length;
    expect(allowed).toBeGreaterThan(100);
    expect(allowed).toBeLessThanOrEqual(256);
    vi.advanceTimersByTime(60_000);
    const after = [];
    for (let key = 0; key < 600; key += 1) after.push(await counts.consume(`later:${key}`, one));
    expect(after.every((answer) => answer.allowed)).toBe(true);
  });
});

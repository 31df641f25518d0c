import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { memoryRateLimits } from '../../infra/rate-limits.ts';
import { countingContract } from '../contracts/rate-limits.ts';

countingContract('counts in memory', async () => {
  vi.useFakeTimers();
  return {
    counts: memoryRateLimits(),
    pass: async (ms) => void vi.advanceTimersByTime(ms),
    close: async () => void vi.useRealTimers(),
  };
});

describe('counts in memory', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

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

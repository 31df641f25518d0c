import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Reachability } from '../../infra/counts-with-fallback.ts';
import { openRedisRateLimits } from '../../infra/redis-rate-limits.ts';
import type { RateLimit } from '../../src/ports/rate-limits.ts';
import { countingContract } from '../contracts/rate-limits.ts';
import { HAS_REDIS, NEEDS_REDIS, startRedis, type TestRedis } from '../support/redis.ts';
import { eventually } from '../support/server.ts';

const LIMIT: RateLimit = { requests: 5, windowMs: 3_600_000, burst: null };

describe('counts in Redis that is not there', () => {
  it('are made in memory, and that is told once', async () => {
    const told: Reachability[] = [];
    const counts = await openRedisRateLimits({
      url: 'redis://user:hidden@127.0.0.1:1',
      onChange: (now) => told.push(now),
    });
    const answers = [];
    for (let time = 0; time < 7; time += 1) answers.push(await counts.consume('ci', LIMIT));
    expect(answers.map(({ allowed }) => allowed)).toEqual([true, true, true, true, true, false, false]);
    expect(told).toMatchObject([{ status: 'away', error: expect.stringContaining('ECONNREFUSED') }]);
    expect(counts.reachability()).toEqual(told[0]);
    expect(JSON.stringify(told)).not.toContain('hidden');
    await counts.close();
  });
});

describe.skipIf(!HAS_REDIS)(`with a Redis ${NEEDS_REDIS}`, () => {
  let redis: TestRedis;
  let client: Redis;
  beforeAll(async () => {
    redis = await startRedis();
    client = new Redis(redis.url);
  });
  afterAll(async () => {
    client.disconnect();
    await redis[Symbol.asyncDispose]();
  });

  countingContract('counts in Redis', async () => {
    await client.flushall();
    const counts = await openRedisRateLimits({
      url: redis.url,
      onChange: ({ error }) => expect.unreachable(`${error}`),
    });
    return {
      counts,
      pass: async (ms) => {
        for (const key of await client.keys('*')) await client.pexpire(key, (await client.pttl(key)) - ms);
      },
      close: async () => counts.close(),
    };
  });

  it('two that count share what is left', async () => {
    await client.flushall();
    const open = () => openRedisRateLimits({ url: redis.url, onChange: ({ error }) => expect.unreachable(`${error}`) });
    const [one, other] = await Promise.all([open(), open()]);
    const allowed = [];
    for (let time = 0; time < 4; time += 1)
      allowed.push(await one.consume('ci', LIMIT), await other.consume('ci', LIMIT));
    expect(allowed.filter((answer) => answer.allowed)).toHaveLength(5);
    expect(await client.pttl((await client.keys('*'))[0] ?? '')).toBeGreaterThan(0);
    await one.close();
    await other.close();
  });

  it('counts go on in memory while it is away, and in it when it is back', async () => {
    await using own = await startRedis();
    const told: string[] = [];
    const counts = await openRedisRateLimits({ url: own.url, onChange: ({ status }) => told.push(status) });
    expect(await counts.consume('ci', LIMIT)).toMatchObject({ allowed: true, remaining: 4 });
    await own.stop();
    for (let time = 0; time < 5; time += 1) expect((await counts.consume('ci', LIMIT)).allowed).toBe(true);
    expect((await counts.consume('ci', LIMIT)).allowed).toBe(false);
    expect(told).toEqual(['away']);
    await own.start();
    await eventually('it counts there again', async () =>
      (await counts.consume('ci', LIMIT)).allowed ? true : undefined,
    );
    expect(told).toEqual(['away', 'ok']);
    await counts.close();
  });
});

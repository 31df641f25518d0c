/** Counts in Redis, so that all nodes share them; while it is away each counts for itself. */
import { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import type { RateLimits } from '../src/ports/rate-limits.ts';
import { countsWithFallback, type OnReachability, type SharedRateLimits } from './counts-with-fallback.ts';
import { countIn } from './rate-windows.ts';

/** How long one count may take before it is made in memory. */
const PATIENCE_MS = 500;
/** How long a start waits for the first connection. */
const START_MS = 2_000;
const LONGEST_RECONNECT_MS = 5_000;
const PREFIX = 'ratchet:limits';

/** As the library counts, in milliseconds: its own script knows whole seconds only, which bursts are often shorter than. */
const COUNT_SCRIPT = `redis.call('set', KEYS[1], 0, 'PX', ARGV[2], 'NX')
local consumed = redis.call('incrby', KEYS[1], ARGV[1])
return {consumed, redis.call('pttl', KEYS[1])}`;

export interface RedisOptions {
  /** `redis://` or `rediss://`. */
  readonly url: string;
  readonly onChange: OnReachability;
}

/** Resolves when Redis is there, or it is known that it is not; it is looked for until closed. Never rejects. */
export async function openRedisRateLimits({ url, onChange }: RedisOptions): Promise<SharedRateLimits> {
  const client = new Redis(url, {
    lazyConnect: true,
    // What can not be counted now is counted elsewhere.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: PATIENCE_MS,
    connectTimeout: START_MS,
    retryStrategy: (times) => Math.min(times * 100, LONGEST_RECONNECT_MS),
  });
  const counts = countsWithFallback({ ...countsIn(client), isReady: () => client.status === 'ready' }, onChange);
  client.on('ready', () => counts.isBack());
  client.on('error', (error: unknown) => counts.isAway(error));
  client.on('close', () => counts.isAway(new Error('the connection has ended')));
  await client.connect().catch((error: unknown) => counts.isAway(error));
  return {
    consume: (key, limit, cost) => counts.consume(key, limit, cost),
    reachability: () => counts.reachability(),
    async close() {
      client.removeAllListeners();
      client.on('error', () => undefined);
      client.disconnect();
    },
  };
}

function countsIn(client: Redis): RateLimits {
  return countIn({
    open: (points, ms) =>
      // Seconds by its name, handed on to the script above as they are.
      new RateLimiterRedis({
        storeClient: client,
        keyPrefix: `${PREFIX}:${points}/${ms}`,
        points,
        duration: Math.max(1, Math.ceil(ms)),
        customIncrTtlLuaScript: COUNT_SCRIPT,
      }),
    keyOf: (key) => key,
  });
}

/** Counts in Redis, so that all nodes share them; while it is away each counts for itself. */
import { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import type { Allowance, RateLimit, RateLimits } from '../src/ports/rate-limits.ts';
import { memoryRateLimits } from './rate-limits.ts';
import { countIn } from './rate-windows.ts';

/** How long one count may take before it is made in memory. */
const PATIENCE_MS = 500;
/** How long a start waits for the first connection. */
const START_MS = 2_000;
/** After a count that failed, Redis is left alone for so long. */
const PAUSE_MS = 1_000;
const LONGEST_RECONNECT_MS = 5_000;
const PREFIX = 'ratchet:limits';

/** As the library counts, in milliseconds: its own script knows whole seconds only, which bursts are often shorter than. */
const COUNT_SCRIPT = `redis.call('set', KEYS[1], 0, 'PX', ARGV[2], 'NX')
local consumed = redis.call('incrby', KEYS[1], ARGV[1])
return {consumed, redis.call('pttl', KEYS[1])}`;

export interface Reachability {
  readonly status: 'ok' | 'away';
  /** ISO 8601. */
  readonly since: string;
  /** Why it is away; null when it is not. */
  readonly error: string | null;
}

export interface RedisRateLimits extends RateLimits {
  reachability(): Reachability;
  close(): void;
}

export interface RedisOptions {
  /** `redis://` or `rediss://`. */
  readonly url: string;
  /** Told once each time Redis goes away, with the reason, and once when it is back. */
  readonly onChange: (reachability: Reachability) => void;
}

/** Resolves when Redis is there, or it is known that it is not; it is looked for until closed. Never rejects. */
export async function openRedisRateLimits({ url, onChange }: RedisOptions): Promise<RedisRateLimits> {
  const client = new Redis(url, {
    lazyConnect: true,
    // What can not be counted now is counted elsewhere.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: PATIENCE_MS,
    connectTimeout: START_MS,
    retryStrategy: (times) => Math.min(times * 100, LONGEST_RECONNECT_MS),
  });
  const counts = new SharedCounts(client, onChange);
  await counts.connect();
  return counts;
}

class SharedCounts implements RedisRateLimits {
  readonly #client: Redis;
  readonly #onChange: RedisOptions['onChange'];
  readonly #shared: RateLimits;
  readonly #own = memoryRateLimits();
  #reachability: Reachability = { status: 'ok', since: new Date().toISOString(), error: null };
  #leftAloneUntil = 0;

  constructor(client: Redis, onChange: RedisOptions['onChange']) {
    this.#client = client;
    this.#onChange = onChange;
    this.#shared = countIn({
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
    client.on('ready', () => this.#isBack());
    client.on('error', (error: unknown) => this.#isAway(error));
    client.on('close', () => this.#isAway(new Error('the connection has ended')));
  }

  async connect(): Promise<void> {
    await this.#client.connect().catch((error: unknown) => this.#isAway(error));
  }

  async consume(key: string, limit: RateLimit, cost = 1): Promise<Allowance> {
    if (this.#client.status !== 'ready' || performance.now() < this.#leftAloneUntil)
      return this.#own.consume(key, limit, cost);
    try {
      const allowance = await this.#shared.consume(key, limit, cost);
      this.#isBack();
      return allowance;
    } catch (error) {
      this.#leftAloneUntil = performance.now() + PAUSE_MS;
      this.#isAway(error);
      return this.#own.consume(key, limit, cost);
    }
  }

  reachability(): Reachability {
    return this.#reachability;
  }

  close(): void {
    this.#client.removeAllListeners();
    this.#client.on('error', () => undefined);
    this.#client.disconnect();
  }

  #isAway(error: unknown): void {
    if (this.#reachability.status === 'away') return;
    const said = error instanceof Error ? error.message || error.name : String(error);
    this.#change({ status: 'away', since: new Date().toISOString(), error: said });
  }

  #isBack(): void {
    if (this.#reachability.status === 'ok') return;
    this.#change({ status: 'ok', since: new Date().toISOString(), error: null });
  }

  #change(reachability: Reachability): void {
    this.#reachability = reachability;
    this.#onChange(reachability);
  }
}

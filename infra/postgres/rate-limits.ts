/** Counts in PostgreSQL, so that all nodes on a database share them; while it is away each counts for itself. */
import { hash } from 'node:crypto';
import { type Client, DatabaseError } from 'pg';
import type { Allowance, RateLimit } from '../../src/ports/rate-limits.ts';
import {
  countsWithFallback,
  type Fallback,
  type OnReachability,
  type SharedRateLimits,
} from '../counts-with-fallback.ts';
import { type Connections, connections, type PostgresOptions, type Row } from './pool.ts';

/** How long one count may take before it is made in memory. */
const PATIENCE_MS = 500;
const RECONNECT_MS = 1_000;
/** How often counts whose windows are over are deleted, and how many at once; while there are more, one sweep follows the other. */
const SWEEP_MS = 60_000;
const SWEPT_AT_ONCE = 5_000;
const NEXT_SWEEP_MS = 100;
/** Classes of errors that name users, addresses and databases: invalid authorization, invalid catalog name. */
const OF_CONNECTING = /^(28|3D)/;
/** So many refusals are remembered; beyond that the database is asked again. */
const MAX_REFUSED = 10_000;

/**
 * Counts in the window of the rate and in that of the burst at once, or in neither. Windows are of the clock of the
 * database, because those of the nodes differ: $1 key, $2 cost, $3 and $4 rate and its window in milliseconds, $5 and $6
 * burst and its window.
 */
const TAKE = `
  INSERT INTO rate_counts AS kept (key, used, ends_at, burst_used, burst_ends_at, allowed)
    SELECT $1, CASE WHEN fits THEN $2::bigint ELSE 0 END, statement_timestamp() + $4::float8 * interval '1 millisecond',
        CASE WHEN fits THEN $2::bigint ELSE 0 END, statement_timestamp() + $6::float8 * interval '1 millisecond', fits
      FROM (SELECT $2::bigint <= least($3::float8, $5::float8) AS fits) AS first
  ON CONFLICT (key) DO UPDATE SET (used, ends_at, burst_used, burst_ends_at, allowed) = (
    SELECT used + CASE WHEN fits THEN $2::bigint ELSE 0 END, ends_at,
        burst_used + CASE WHEN fits THEN $2::bigint ELSE 0 END, burst_ends_at, fits
      FROM (
        SELECT *, used + $2::bigint <= $3::float8 AND burst_used + $2::bigint <= $5::float8 AS fits
          FROM (
            SELECT CASE WHEN over THEN 0 ELSE kept.used END AS used,
                CASE WHEN over THEN excluded.ends_at ELSE kept.ends_at END AS ends_at,
                CASE WHEN burst_over THEN 0 ELSE kept.burst_used END AS burst_used,
                CASE WHEN burst_over THEN excluded.burst_ends_at ELSE kept.burst_ends_at END AS burst_ends_at
              FROM (
                SELECT kept.ends_at <= statement_timestamp() AS over,
                  kept.burst_ends_at <= statement_timestamp() AS burst_over
              ) AS times
          ) AS present
      ) AS decided
  )
  RETURNING allowed, used, extract(epoch FROM ends_at - statement_timestamp()) * 1000,
    burst_used, extract(epoch FROM burst_ends_at - statement_timestamp()) * 1000`;
const LOOK = `
  SELECT true, used, extract(epoch FROM ends_at - statement_timestamp()) * 1000,
      burst_used, extract(epoch FROM burst_ends_at - statement_timestamp()) * 1000
    FROM rate_counts WHERE key = $1`;
const SWEEP = `
  DELETE FROM rate_counts WHERE key IN (
    SELECT key FROM rate_counts WHERE ends_at <= statement_timestamp() AND burst_ends_at <= statement_timestamp()
      LIMIT ${SWEPT_AT_ONCE} FOR UPDATE SKIP LOCKED
  ) RETURNING 1`;

export interface PostgresRateLimitsOptions extends PostgresOptions {
  readonly onChange: OnReachability;
}

/**
 * Counts in the database of a `postgresql://` URL, whose tables are up to date, over one connection.
 * Resolves when the database is there, or it is known that it is not; it is looked for until closed. Never rejects.
 */
export async function openPostgresRateLimits(
  url: string,
  { onChange, ...options }: PostgresRateLimitsOptions,
): Promise<SharedRateLimits> {
  const counts = new PostgresCounts(connections(url, { ...options, poolSize: 1 }), onChange);
  await counts.keep();
  return counts;
}

class PostgresCounts implements SharedRateLimits {
  readonly #connections: Connections;
  readonly #counts: Fallback;
  /** When each that has nothing left gets more, by the clock of this process: a flood asks nothing of the database. */
  readonly #refusedUntil = new Map<string, number>();
  #client: Client | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(shared: Connections, onChange: OnReachability) {
    this.#connections = shared;
    this.#counts = countsWithFallback(
      { consume: (key, limit, cost = 1) => this.#consume(key, limit, cost), isReady: () => this.#client !== null },
      onChange,
    );
  }

  consume(key: string, limit: RateLimit, cost = 1): Promise<Allowance> {
    return this.#counts.consume(key, limit, cost);
  }

  reachability() {
    return this.#counts.reachability();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#client?.end();
    await this.#connections.close();
  }

  /** Keeps the connection and the table as they should be, now and until closed. Never rejects. */
  async keep(): Promise<void> {
    let nextMs = SWEEP_MS;
    try {
      this.#client ??= await this.#connect();
      const swept = await this.#ask(this.#client, 'sweep', SWEEP, []);
      if (swept.length === SWEPT_AT_ONCE) nextMs = NEXT_SWEEP_MS;
      this.#counts.isBack();
    } catch (error) {
      this.#counts.isAway(toldReason(error));
    }
    this.#keepLater(this.#client === null ? RECONNECT_MS : nextMs);
  }

  #keepLater(ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.keep(), ms);
    this.#timer.unref();
  }

  async #connect(): Promise<Client> {
    const client = this.#connections.client({ pipeline: true, query_timeout: PATIENCE_MS });
    client.on('error', (error) => this.#lost(client, error));
    client.once('end', () => this.#lost(client, new Error('the connection has ended')));
    await client.connect();
    if (this.#isClosed) await client.end();
    return client;
  }

  #lost(client: Client, error: unknown): void {
    if (this.#client !== client || this.#isClosed) return;
    this.#client = null;
    this.#counts.isAway(toldReason(error));
    this.#keepLater(RECONNECT_MS);
  }

  async #consume(key: string, limit: RateLimit, cost: number): Promise<Allowance> {
    const client = this.#client;
    if (client === null) throw new Error('there is no connection');
    const shape = `${limit.requests}/${limit.windowMs}/${limit.burst}`;
    // No key is too long, and no address of anybody stands in the database.
    const digest = hash('sha256', `${shape} ${key}`, 'base64url');
    const refusedFor = (this.#refusedUntil.get(digest) ?? 0) - performance.now();
    if (refusedFor > 0) return { allowed: false, remaining: 0, resetMs: refusedFor };
    const { requests, windowMs } = limit;
    const burst = Math.min(limit.burst ?? requests, requests);
    const burstMs = (windowMs * burst) / requests;
    const values = [digest, cost, requests, windowMs, burst, burstMs];
    const rows =
      cost === 0 ? await this.#ask(client, 'look', LOOK, [digest]) : await this.#ask(client, 'take', TAKE, values);
    const allowance = allowanceOf(rows[0], { requests, burst, isLook: cost === 0 });
    if (!allowance.allowed && allowance.remaining === 0) this.#remember(digest, allowance.resetMs);
    return allowance;
  }

  #remember(digest: string, ms: number): void {
    if (this.#refusedUntil.size >= MAX_REFUSED) this.#refusedUntil.clear();
    this.#refusedUntil.set(digest, performance.now() + ms);
  }

  async #ask(client: Client, name: string, text: string, values: readonly unknown[]): Promise<readonly Row[]> {
    const query = { text, values: [...values], rowMode: 'array' as const };
    const named = this.#connections.preparesStatements ? { ...query, name: `ratchet_limits_${name}` } : query;
    const { rows } = await client.query<unknown[]>(named);
    return rows;
  }
}

interface Asked {
  readonly requests: number;
  readonly burst: number;
  readonly isLook: boolean;
}

/** Of the window that has less left; of the rate, which says when to come back, where both have nothing left. */
function allowanceOf(row: Row | undefined, { requests, burst, isLook }: Asked): Allowance {
  const [allowed = true, used = 0, ms = 0, burstUsed = 0, burstMs = 0] = row ?? [];
  const rate = windowOf(requests, Number(used), Number(ms));
  const atOnce = windowOf(burst, Number(burstUsed), Number(burstMs));
  const tightest = atOnce.remaining < rate.remaining ? atOnce : rate;
  return { allowed: isLook ? tightest.remaining > 0 : allowed === true, ...tightest };
}

function windowOf(points: number, used: number, ms: number): Omit<Allowance, 'allowed'> {
  return ms <= 0 ? { remaining: points, resetMs: 0 } : { remaining: Math.max(0, points - used), resetMs: ms };
}

/** Anybody may read it: what the server says itself, and never an address, or who may not connect from where to what. */
function toldReason(error: unknown): Error {
  const isTold = error instanceof DatabaseError && !OF_CONNECTING.test(error.code ?? '');
  return isTold ? error : new Error('Database connection failed', { cause: error });
}

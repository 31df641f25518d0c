import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Reachability } from '../../../infra/counts-with-fallback.ts';
import { migrate } from '../../../infra/postgres/migrations.ts';
import { connections } from '../../../infra/postgres/pool.ts';
import { openPostgresRateLimits } from '../../../infra/postgres/rate-limits.ts';
import { READ_STORE_MIGRATIONS } from '../../../infra/read-store/postgres.ts';
import type { RateLimit } from '../../../src/ports/rate-limits.ts';
import { countingContract } from '../../contracts/rate-limits.ts';
import { type PostgresServer, startPostgres } from '../../support/postgres.ts';
import { eventually } from '../../support/server.ts';
import { startProxy } from '../../support/tcp-proxy.ts';

const LIMIT: RateLimit = { requests: 5, windowMs: 3_600_000, burst: null };

let server: PostgresServer;
let url: string;

beforeAll(async () => {
  server = await startPostgres();
  url = await server.newSchema();
  const pool = connections(url, { poolSize: 1 });
  await migrate(pool, READ_STORE_MIGRATIONS);
  await pool.close();
});

afterAll(() => server.close());

const open = (at = url) =>
  openPostgresRateLimits(at, { onChange: ({ error }) => expect.unreachable(`away: ${error}`) });
const pass = async (ms: number): Promise<void> => {
  const by = `- ${ms} * interval '1 millisecond'`;
  await server.run(url, `UPDATE rate_counts SET ends_at = ends_at ${by}, burst_ends_at = burst_ends_at ${by}`);
};

countingContract('counts in PostgreSQL', async () => {
  await server.run(url, 'TRUNCATE rate_counts');
  vi.useFakeTimers({ toFake: ['performance'] });
  const counts = await open();
  return {
    counts,
    pass: async (ms) => {
      await pass(ms);
      vi.advanceTimersByTime(ms);
    },
    close: async () => {
      vi.useRealTimers();
      await counts.close();
    },
  };
});

describe('counts in PostgreSQL', () => {
  beforeEach(async () => void (await server.run(url, 'TRUNCATE rate_counts')));
  afterEach(() => void vi.useRealTimers());

  it('are shared by all that count there, and tell nobody who was counted', async () => {
    const [one, other] = await Promise.all([open(), open()]);
    const all = await Promise.all(
      Array.from({ length: 40 }, (_, time) => (time % 2 === 0 ? one : other).consume('user:ada', LIMIT)),
    );
    expect(all.filter(({ allowed }) => allowed)).toHaveLength(5);
    expect(JSON.stringify(await server.run(url, 'SELECT * FROM rate_counts'))).not.toContain('ada');
    await Promise.all([one.close(), other.close()]);
  });

  it('of whoever has nothing left ask nothing of the database', async () => {
    const counts = await open();
    for (let time = 0; time < 6; time += 1) await counts.consume('ci', LIMIT);
    const [row] = await server.run(url, 'SELECT xmin::text FROM rate_counts');
    for (const cost of [0, 1, 2]) expect(await counts.consume('ci', LIMIT, cost)).toMatchObject({ allowed: false });
    expect(await server.run(url, 'SELECT xmin::text FROM rate_counts')).toEqual([row]);
    await counts.close();
  });

  it('go by themselves when their window is over', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true });
    const counts = await open();
    await counts.consume('ci', LIMIT);
    await counts.consume('ci', { ...LIMIT, windowMs: 60_000 });
    await pass(60_000);
    vi.advanceTimersByTime(60_000);
    await eventually('one is left', async () =>
      (await server.run(url, 'SELECT 1 FROM rate_counts')).length === 1 ? true : undefined,
    );
    await counts.close();
  });

  it('of a flood of clients do not pile up when their windows are over', async () => {
    await server.run(
      url,
      `INSERT INTO rate_counts SELECT 'client ' || n, 1, now(), 1, now(), true FROM generate_series(1, 12000) AS n`,
    );
    const counts = await open();
    await eventually('all are gone', async () => {
      const [row] = await server.run(url, 'SELECT count(*)::integer AS kept FROM rate_counts');
      return row?.['kept'] === 0 ? true : undefined;
    });
    await counts.close();
  });

  it('go on in memory while it is away, and in it when it is back', async () => {
    const proxy = await startProxy(Number(new URL(url).port || 5432));
    const told: Reachability[] = [];
    const counts = await openPostgresRateLimits(Object.assign(new URL(url), { port: String(proxy.port) }).href, {
      onChange: (now) => told.push(now),
    });
    const allowed = async () => (await counts.consume('ci', LIMIT)).allowed;
    expect([await allowed(), told]).toEqual([true, []]);
    proxy.goDown();
    await eventually('the loss is noticed', async () => counts.reachability().status === 'away' || undefined);
    const answers = [];
    for (let time = 0; time < 6; time += 1) answers.push(await allowed());
    expect(answers).toEqual([true, true, true, true, true, false]);
    proxy.goUp();
    await eventually('it is back', async () => counts.reachability().status === 'ok' || undefined);
    expect(await counts.consume('ci', LIMIT)).toMatchObject({ allowed: true, remaining: 3 });
    expect(told).toMatchObject([
      { status: 'away', error: 'Database connection failed' },
      { status: 'ok', error: null },
    ]);
    await counts.close();
    await proxy.close();
  });

  it('tell everybody that the database refuses this program, and not as whom it came', async () => {
    const stranger = new URL(url);
    stranger.username = 'nobody_here';
    const told: Reachability[] = [];
    const counts = await openPostgresRateLimits(stranger.href, { onChange: (one) => void told.push(one) });
    expect(told).toMatchObject([{ status: 'away', error: 'Database connection failed' }]);
    await counts.close();
  });

  it('go on in memory when the database takes none', async () => {
    const told: Reachability[] = [];
    const counts = await openPostgresRateLimits(await server.newSchema(), { onChange: (now) => told.push(now) });
    expect(await counts.consume('ci', LIMIT)).toMatchObject({ allowed: true, remaining: 4 });
    expect(told).toMatchObject([{ status: 'away', error: expect.stringContaining('rate_counts') }]);
    await counts.close();
  });
});

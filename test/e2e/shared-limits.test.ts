import { describe, expect, it } from 'vitest';
import { HAS_REDIS, NEEDS_REDIS, startRedis } from '../support/redis.ts';
import { openTestApp } from '../support/app.ts';
import { startPostgres } from '../support/postgres.ts';
import { call, eventually, openHome, startServerProcess } from '../support/server.ts';

const LIMIT = { requests: 3, windowMs: 3_600_000, burst: null };

describe.skipIf(!HAS_REDIS)(`two servers with one Redis ${NEEDS_REDIS}`, () => {
  it('share a limit, go on by themselves while Redis is away, and count anew when it comes back empty', async () => {
    using home = openHome();
    await using redis = await startRedis();
    const more = `redis:\n  url: "${redis.url}"\nrate_limiting:\n  global: { requests_per_minute: 6 }\n`;
    await using one = await startServerProcess(home, { more });
    await using other = await startServerProcess(home, { more });
    const ask = async (url: string) => (await call(url, 'GET', '/api/v1/tasks')).status;
    const health = async (url: string) => (await call(url, 'GET', '/api/v1/health')).body;
    const statuses = [];
    for (let count = 0; count < 4; count += 1) statuses.push(await ask(one.url), await ask(other.url));
    expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 429, 429]);
    expect(await health(one.url)).toMatchObject({ status: 'ok', redis: { status: 'ok' } });
    await redis.stop();
    await eventually('the loss is noticed', async () =>
      (await health(one.url))['status'] === 'degraded' ? true : undefined,
    );
    expect([await ask(one.url), await ask(other.url)]).toEqual([200, 200]);

    // It comes back empty: counts begin anew, and nothing else was in it.
    await redis.start();
    await eventually('it is noticed', async () => ((await health(one.url))['status'] === 'ok' ? true : undefined));
    await eventually('it is noticed', async () => ((await health(other.url))['status'] === 'ok' ? true : undefined));
    const counted = [];
    for (let count = 0; count < 4; count += 1) counted.push(await ask(one.url), await ask(other.url));
    expect(counted.slice(-2)).toEqual([429, 429]);
  });
});

it('two nodes on one PostgreSQL share a limit', async () => {
  const server = await startPostgres();
  const settings = { eventStoreUrl: await server.newDatabase() };
  {
    await using one = await openTestApp(settings);
    await using other = await openTestApp(settings);
    const allowed = [];
    for (const node of [one, other, one, other, one]) {
      allowed.push((await node.app.core.rateLimits.consume('global', LIMIT)).allowed);
    }
    expect(allowed).toEqual([true, true, true, false, false]);
    expect(await one.app.health()).toMatchObject({ status: 'ok', rate_limits: { status: 'ok', error: null } });
  }
  await server.close();
});

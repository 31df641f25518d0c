import { describe, expect, it } from 'vitest';
import { HAS_REDIS, NEEDS_REDIS, startRedis } from '../support/redis.ts';
import { call, eventually, openHome, startServerProcess } from '../support/server.ts';

describe.skipIf(!HAS_REDIS)(`two servers with one Redis ${NEEDS_REDIS}`, () => {
  it('share a limit, and go on by themselves while Redis is away', async () => {
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
  });
});

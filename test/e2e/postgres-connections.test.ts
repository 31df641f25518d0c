/** What the settings of connections do to a whole server, with log, read models, projector and limits of its own. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import { call, eventually, type Home, openHome, ratchet, startServerProcess } from '../support/server.ts';
import { startTransactionPooler, type TransactionPooler } from '../support/transaction-pooler.ts';

const ECHO = { name: 'echo', code: 'function main(input) { return input; }' };

let server: PostgresServer;
let url: string;
let home: Home;

beforeAll(async () => {
  server = await startPostgres();
});

afterAll(() => server.close());

beforeEach(async () => {
  url = await server.newDatabase();
  home = openHome();
  return () => home[Symbol.dispose]();
});

const settings = (...lines: readonly string[]): string => `  ${lines.join('\n  ')}\n`;

async function connectionsOf(): Promise<number> {
  const rows = await server.run(
    url,
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
  );
  return rows.length;
}

/** Asks for much at once, so that every connection that may be had is wanted. */
async function load(at: string): Promise<void> {
  const execute = (input: number) => call(at, 'POST', '/api/v1/tasks/execute', { task_id: 'echo', input });
  const work = Array.from({ length: 60 }, async (_, n) => {
    const { body } = await execute(n);
    expect(body).toMatchObject({ status: 'completed', output: n });
    const { execution_id: id, position } = body;
    const seen = await call(at, 'GET', `/api/v1/executions/${id}?min_position=${position}`);
    expect(seen.body).toMatchObject({ status: 'completed', output: n });
  });
  await Promise.all(work);
}

describe('a server on PostgreSQL', () => {
  it.each([
    ['pool_size', settings('pool_size: 12')],
    ['max_connections, where it is the smaller one', settings('pool_size: 40', 'max_connections: 12')],
  ])('has no more connections than %s, and closes those that are idle for idle_timeout', async (_, more) => {
    const limits = 'rate_limiting:\n  global: { requests_per_minute: 100000 }\n';
    await using running = await startServerProcess(home, {
      database: url,
      more: limits,
      databaseMore: `${more}${settings('idle_timeout: 1')}`,
    });
    await call(running.url, 'POST', '/api/v1/tasks', ECHO);
    let most = 0;
    const loading = new AbortController();
    const watching = (async () => {
      while (!loading.signal.aborted) most = Math.max(most, await connectionsOf());
    })();
    await load(running.url).finally(() => loading.abort());
    await watching;
    expect(most).toBeLessThanOrEqual(12);
    const busy = most;
    await eventually('idle connections are closed', async () => ((await connectionsOf()) < busy ? true : undefined));
    await load(running.url);
  });

  describe('behind a pooler that gives each transaction another connection', () => {
    let pooler: TransactionPooler;
    let pooled: string;

    beforeEach(async () => {
      pooler = await startTransactionPooler(Number(new URL(url).port));
      pooled = Object.assign(new URL(url), { hostname: '127.0.0.1', port: String(pooler.port) }).href;
      return () => pooler.close();
    });

    it('works with prepared_statements off', async () => {
      await using running = await startServerProcess(home, {
        database: pooled,
        databaseMore: settings('prepared_statements: false'),
      });
      await call(running.url, 'POST', '/api/v1/tasks', ECHO);
      await load(running.url);
      expect(pooler.hops()).toBeGreaterThan(100);
      expect((await call(running.url, 'GET', '/health')).status).toBe(200);
      expect(running.stdout()).not.toMatch(/ERROR/);
      expect(await running.stop()).toBe(0);
    });

    it('says what to do with prepared_statements on', async () => {
      home.file('config.yaml', `database:\n  url: "${pooled}"\n`);
      const refused = await ratchet(home, ['serve', '--config', 'config.yaml', '--port', '0']);
      expect([refused.code, refused.stderr.split('\n')[0]]).toEqual([
        3,
        expect.stringMatching(
          /^Database connection failed: \S+: prepared statement "\S+" (does not|already) exists?; set database\.prepared_statements to false/,
        ),
      ]);
    });
  });
});

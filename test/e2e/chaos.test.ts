/** Many nodes on one PostgreSQL while processes die, freeze and lose the database: what was acknowledged ends exactly once. */
import { afterAll, beforeAll, it } from 'vitest';
import { chaosSeed, surviveChaos } from '../support/chaos/survive-chaos.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({ isOwn: true });
});
afterAll(async () => {
  await server.close();
});

it('three nodes end 200 acknowledged executions exactly once, whatever fails', { timeout: 240_000 }, async ({
  skip,
}) => {
  if (server.own === null) return skip('the server is not ours to end');
  const load = { nodes: 3, executions: 200, clients: 12 };
  const faults = { leaseSeconds: 3, rounds: 1, pairs: 0, frozenMs: 12_000, cutMs: 6_000, downMs: 1_500 };
  await surviveChaos(server, { ...load, ...faults, settleMs: 60_000 }, chaosSeed());
});

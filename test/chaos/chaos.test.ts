/** The trial of `test/e2e/chaos.test.ts` with ten times the load and longer failures, two of them at once now and then. */
import { expect, it } from 'vitest';
import { chaosSeed, surviveChaos } from '../support/chaos/survive-chaos.ts';
import { startPostgres } from '../support/postgres.ts';

it('three nodes end 2,000 acknowledged executions exactly once, whatever fails', async () => {
  const server = await startPostgres({ isOwn: true });
  try {
    expect(server.own, 'a server that is given can not be ended: unset DATABASE_URL_TEST').not.toBeNull();
    const load = { nodes: 3, executions: 2_000, clients: 32 };
    const faults = { leaseSeconds: 5, rounds: 3, pairs: 4, frozenMs: 15_000, cutMs: 20_000, downMs: 5_000 };
    await surviveChaos(server, { ...load, ...faults, settleMs: 180_000 }, chaosSeed());
  } finally {
    await server.close();
  }
});

import { expect, it } from 'vitest';
import { callAll, connectClients, startLoadedServer } from '../support/mcp-load.ts';
import { openHome } from '../support/server.ts';

const CLIENTS = 64;

it('64 clients × 100 calls at once: none is lost or mixed up, and the second thousand calls leave no more behind than the first', async () => {
  using home = openHome();
  await using server = await startLoadedServer(home, CLIENTS);
  const clients = await connectClients(server, CLIENTS);
  const weights: number[] = [await server.weigh()];
  // 64 × 16 calls are the first thousand, and the second: by then the engine has compiled and made room for what it needs.
  for (const [round, calls] of [
    ['first', 16],
    ['second', 16],
    ['rest', 68],
  ] as const) {
    await callAll(clients, calls, round);
    weights.push(await server.weigh());
  }
  process.stdout.write(`MB at the start, after 1,024, 2,048 and 6,400 calls: ${weights.map(Math.round).join(', ')}\n`);
  const [, first = 0, second = 0] = weights;
  expect(second).toBeLessThanOrEqual(first * 1.1);
  await Promise.all(clients.map((client) => client.close()));
});

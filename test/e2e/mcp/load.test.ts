import { it } from 'vitest';
import { callAll, connectClients, startLoadedServer } from '../../support/mcp-load.ts';
import { openHome } from '../../support/server.ts';

it('8 clients × 25 calls at once: none is lost, none gets the answer of another', { timeout: 60_000 }, async () => {
  using home = openHome();
  await using server = await startLoadedServer(home, 8);
  const clients = await connectClients(server, 8);
  await callAll(clients, 25, 'short');
  await Promise.all(clients.map((client) => client.close()));
});

import { it } from 'vitest';
import { surviveCrashes } from '../support/crash-load.ts';
import { openHome } from '../support/server.ts';

it('10 clients with 1,000 executions each, three kills: everything acknowledged is completed exactly once', async () => {
  using home = openHome();
  await surviveCrashes(home, { clients: 10, executions: 1_000, callsEvery: 10, kills: 3 });
});

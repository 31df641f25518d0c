import { afterAll, beforeAll } from 'vitest';
import { postgresEventStore } from '../../../infra/event-store/postgres.ts';
import { eventStoreContract } from '../../contracts/event-store.ts';
import { type PostgresServer, startPostgres } from '../../support/postgres.ts';

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres();
});

afterAll(async () => {
  await server.close();
});

eventStoreContract('PostgreSQL', async () => {
  const url = await server.newSchema();
  return { shared: true, open: () => postgresEventStore(url, { poolSize: 4 }), remove: async () => {} };
});

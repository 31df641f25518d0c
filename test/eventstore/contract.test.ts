/** The contract of event stores on a real EventStoreDB or KurrentDB: the same lines that run on the double. */
import { inject } from 'vitest';
import { eventStoreDbEventStore } from '../../infra/event-store/eventstoredb.ts';
import { eventStoreContract } from '../contracts/event-store.ts';
import { newLogUrl } from '../support/eventstoredb-server.ts';

eventStoreContract('EventStoreDB, a real server', async () => {
  const url = newLogUrl(inject('eventStoreUrl'));
  const open = async () => {
    const store = await eventStoreDbEventStore(url);
    // Looks through what other tests left there once, and not in each read.
    await store.head();
    return store;
  };
  return { shared: true, open, remove: async () => {} };
});

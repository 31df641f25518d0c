import { eventStoreDbEventStore } from '../../../infra/event-store/eventstoredb.ts';
import { eventStoreContract } from '../../contracts/event-store.ts';
import { EventStoreDbDouble } from '../../support/eventstoredb-double.ts';

eventStoreContract('EventStoreDB', async () => {
  const double = await new EventStoreDbDouble().start();
  return {
    shared: true,
    open: () => eventStoreDbEventStore(double.url),
    remove: async () => double.stop(),
  };
});

import { memoryEventStore } from '../../../infra/event-store/memory.ts';
import { eventStoreContract } from '../../contracts/event-store.ts';

eventStoreContract('memory', async () => ({
  shared: false,
  open: async () => memoryEventStore(),
  remove: async () => {},
}));

import { sqliteEventStore } from '../../../infra/event-store/sqlite.ts';
import { eventStoreContract } from '../../contracts/event-store.ts';
import { temporaryFolder } from '../../support/store-files.ts';

eventStoreContract('SQLite in a file', async () => {
  const folder = await temporaryFolder();
  return { shared: true, open: () => sqliteEventStore(folder.file('log.db')), remove: folder.remove };
});

eventStoreContract('SQLite in memory', async () => ({
  shared: false,
  open: () => sqliteEventStore(':memory:'),
  remove: async () => {},
}));

/** Opens the event store that a URL names, loading the driver of that one only. */
import { RatchetError } from '../../src/domain/errors.ts';
import type { EventStore } from '../../src/ports/event-store.ts';
import type { EventStoreDbOptions } from './eventstoredb.ts';
import type { PostgresStoreOptions } from './postgres.ts';
import type { SqliteOptions } from './sqlite.ts';

export interface OpenOptions {
  readonly sqlite?: SqliteOptions;
  readonly postgres?: PostgresStoreOptions;
  readonly eventStoreDb?: EventStoreDbOptions;
}

type Open = (url: string, options: OpenOptions) => Promise<EventStore>;

const postgresql: Open = async (url, { postgres }) => {
  const { postgresEventStore } = await import('./postgres.ts');
  return postgresEventStore(url, postgres);
};

const eventStoreDb: Open = async (url, options) => {
  const { eventStoreDbEventStore } = await import('./eventstoredb.ts');
  return eventStoreDbEventStore(url, options.eventStoreDb);
};

const IN_MEMORY = ':memory:';

/** By the scheme of the URL. */
const STORES: Readonly<Record<string, Open>> = {
  sqlite: async (url, { sqlite }) => {
    const { sqliteEventStore } = await import('./sqlite.ts');
    return sqliteEventStore(filePathOf(url), sqlite);
  },
  memory: async () => {
    const { memoryEventStore } = await import('./memory.ts');
    return memoryEventStore();
  },
  postgresql,
  postgres: postgresql,
  esdb: eventStoreDb,
  'esdb+discover': eventStoreDb,
  kurrentdb: eventStoreDb,
  'kurrentdb+discover': eventStoreDb,
};

/**
 * Opens an event store: `sqlite:FILE`, `sqlite::memory:`, `memory:`, `postgresql://USER:PASSWORD@HOST/DATABASE` or
 * `esdb://USER:PASSWORD@HOST` (also `kurrentdb:`, and either with `+discover`).
 * Fails with `unsupported` for another scheme, and with `store_unavailable` when the store can not be reached.
 */
export async function openEventStore(url: string, options: OpenOptions = {}): Promise<EventStore> {
  const colon = url.indexOf(':');
  const scheme = url.slice(0, Math.max(colon, 0));
  const open = Object.hasOwn(STORES, scheme) ? STORES[scheme] : undefined;
  if (open !== undefined) return open(url, options);
  const known = Object.keys(STORES).map((name) => `${name}:`);
  // The rest of the URL may hold a password.
  throw new RatchetError('unsupported', `no event store for "${scheme}:"; known are ${known.join(', ')}`, {
    details: { scheme, known },
  });
}

/** @returns the file that a URL of a store in SQLite names; null for one in memory and for other stores. */
export function sqliteFileOf(url: string): string | null {
  const file = url.startsWith('sqlite:') ? filePathOf(url) : IN_MEMORY;
  return file === IN_MEMORY ? null : file;
}

/** `sqlite:FILE`, and also the URL forms `sqlite:///absolute` and `sqlite://relative`. */
function filePathOf(url: string): string {
  const rest = url.slice(url.indexOf(':') + 1);
  const path = rest.startsWith('//') ? rest.slice(2) : rest;
  if (path !== '') return path;
  throw new RatchetError('configuration_invalid', 'an event store URL of SQLite names a file, as in sqlite:ratchet.db');
}

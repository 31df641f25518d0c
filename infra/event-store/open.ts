/** Opens the event store that a URL names, loading the driver of that one only. */
import { RatchetError } from '../../src/domain/errors.ts';
import type { EventStore } from '../../src/ports/event-store.ts';
import type { SqliteOptions } from './sqlite.ts';

export interface OpenOptions {
  readonly sqlite?: SqliteOptions;
}

type Open = (rest: string, options: OpenOptions) => Promise<EventStore>;

/** By the scheme of the URL; each gets what follows the first colon. */
const STORES: Readonly<Record<string, Open>> = {
  sqlite: async (rest, { sqlite }) => {
    const { sqliteEventStore } = await import('./sqlite.ts');
    return sqliteEventStore(filePathOf(rest), sqlite);
  },
  memory: async () => {
    const { memoryEventStore } = await import('./memory.ts');
    return memoryEventStore();
  },
};

/**
 * Opens an event store: `sqlite:FILE`, `sqlite::memory:` or `memory:`.
 * Fails with `unsupported` for another scheme, and with `store_unavailable` when the store can not be reached.
 */
export async function openEventStore(url: string, options: OpenOptions = {}): Promise<EventStore> {
  const colon = url.indexOf(':');
  const scheme = url.slice(0, Math.max(colon, 0));
  const open = Object.hasOwn(STORES, scheme) ? STORES[scheme] : undefined;
  if (open !== undefined) return open(url.slice(colon + 1), options);
  const known = Object.keys(STORES).map((name) => `${name}:`);
  // The rest of the URL may hold a password.
  throw new RatchetError('unsupported', `no event store for "${scheme}:"; known are ${known.join(' and ')}`, {
    details: { scheme, known },
  });
}

/** `sqlite:FILE`, and also the URL forms `sqlite:///absolute` and `sqlite://relative`. */
function filePathOf(rest: string): string {
  const path = rest.startsWith('//') ? rest.slice(2) : rest;
  if (path !== '') return path;
  throw new RatchetError('configuration_invalid', 'an event store URL of SQLite names a file, as in sqlite:ratchet.db');
}

/** Opens the read store at a place, loading the driver of that one only. */
import { isPostgres } from '../postgres/address.ts';
import type { PostgresReadOptions } from './postgres.ts';
import type { ReadStore } from './read-store.ts';
import { openSqliteReadStore } from './sqlite.ts';

/**
 * Opens the read store in a SQLite file, in memory (`:memory:`), or in the database of a `postgresql://` address.
 * Fails with `store_unavailable` when it can not be opened.
 */
export async function openReadStore<Schema>(
  place: string,
  options: PostgresReadOptions = {},
): Promise<ReadStore<Schema>> {
  if (!isPostgres(place)) return openSqliteReadStore<Schema>(place);
  const { openPostgresReadStore } = await import('./postgres.ts');
  return openPostgresReadStore<Schema>(place, options);
}

/** Brings the tables of a database up to what this program knows: in order, each once, by one runner at a time. */
import { hash } from 'node:crypto';
import type { Client } from 'pg';
import type { RatchetError } from '../../src/domain/errors.ts';
import { connectionFailed, storeError } from './errors.ts';
import type { Connections } from './pool.ts';

/** One change of the tables. Once released its text stays as it is. */
export interface Migration {
  readonly name: string;
  /**
   * Number (from 1) of the oldest migration that a program must know to work after this one. A change that leaves
   * programs of the release before working, as all should, keeps the number of the migration before.
   */
  readonly readableFrom: number;
  readonly sql: string;
}

export interface MigrationStatus {
  readonly name: string;
  /** ISO 8601; null when it is still to be applied. */
  readonly appliedAt: string | null;
}

interface Applied {
  readonly name: string;
  readonly checksum: string;
  readonly readableFrom: number;
  readonly appliedAt: string;
}

const LEDGER = `
  CREATE TABLE IF NOT EXISTS ratchet_migrations (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    readable_from integer NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
  )
`;
/** Held by whoever applies migrations to a database. */
const LOCK = 'SELECT pg_advisory_xact_lock(1383686978)';
const APPLIED = `
  SELECT name, checksum, readable_from, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
    FROM ratchet_migrations ORDER BY applied_at, name
`;

/** @returns each known migration and when it was applied. Fails with `store_unavailable`, also for a database of a newer program. */
export async function migrationStatus(
  connections: Connections,
  known: readonly Migration[],
): Promise<readonly MigrationStatus[]> {
  const applied = await read(connections);
  assertReadable(connections.place, known, applied);
  const times = new Map(applied.map(({ name, appliedAt }) => [name, appliedAt]));
  return known.map(({ name }) => ({ name, appliedAt: times.get(name) ?? null }));
}

/**
 * Applies what is missing, all of it or nothing; needs no right to change tables where nothing is missing.
 * @returns the names of what was applied now.
 * Fails with `store_unavailable`, also for a database of a newer program.
 */
export async function migrate(connections: Connections, known: readonly Migration[]): Promise<readonly string[]> {
  if (missing(await migrationStatus(connections, known)).length === 0) return [];
  const client = connections.client();
  client.on('error', () => {});
  try {
    await client.connect();
    await connections.settle(client);
    await client.query('BEGIN');
    const names = await applyMissing(client, connections.place, known);
    await client.query('COMMIT');
    return names;
  } catch (error) {
    throw failure(error, connections.place);
  } finally {
    // Without a COMMIT the end of the connection takes everything back.
    await client.end().catch(() => {});
  }
}

/** Fails with `store_unavailable` when a migration is still to be applied, or the database is of a newer program. */
export async function assertMigrated(connections: Connections, known: readonly Migration[]): Promise<void> {
  const [first] = missing(await migrationStatus(connections, known));
  if (first === undefined) return;
  throw connectionFailed(
    connections.place,
    `its schema is older than this program (${first} is missing); run \`ratchet migrate\``,
  );
}

function missing(statuses: readonly MigrationStatus[]): string[] {
  return statuses.filter(({ appliedAt }) => appliedAt === null).map(({ name }) => name);
}

async function applyMissing(client: Client, place: string, known: readonly Migration[]): Promise<string[]> {
  // Another runner may be at it: whoever comes second finds nothing left to do.
  await client.query(LOCK);
  await client.query(LEDGER);
  const { rows } = await client.query<unknown[]>({ text: APPLIED, rowMode: 'array' });
  const applied = rows.map(appliedOf);
  assertReadable(place, known, applied);
  const names = new Set(applied.map(({ name }) => name));
  const fresh = known.filter(({ name }) => !names.has(name));
  for (const { name, sql, readableFrom } of fresh) {
    await client.query(sql);
    const record = 'INSERT INTO ratchet_migrations (name, checksum, readable_from) VALUES ($1, $2, $3)';
    await client.query(record, [name, checksumOf(sql), readableFrom]);
  }
  return fresh.map(({ name }) => name);
}

/** A failed statement of a migration is told as it is: nothing is wrong with the connection. */
function failure(error: unknown, place: string): RatchetError {
  const duplicate = error instanceof Error && 'code' in error && (error.code === '42P07' || error.code === '42723');
  if (!duplicate) return storeError(error, place);
  const words = `it holds tables of another application (${error.message}); give Ratchet a database or a schema of its own`;
  return connectionFailed(place, words, error);
}

async function read({ query, place }: Connections): Promise<readonly Applied[]> {
  try {
    const [[ledger] = []] = await query({ text: "SELECT to_regclass('ratchet_migrations')::text" });
    if (ledger === null) return [];
    return (await query({ text: APPLIED })).map(appliedOf);
  } catch (error) {
    throw storeError(error, place);
  }
}

function appliedOf([name, checksum, readableFrom, appliedAt]: readonly unknown[]): Applied {
  return {
    name: String(name),
    checksum: String(checksum),
    readableFrom: Number(readableFrom),
    appliedAt: String(appliedAt),
  };
}

function assertReadable(place: string, known: readonly Migration[], applied: readonly Applied[]): void {
  const family = familyOf(known);
  const ours = applied.filter(({ name }) => name.startsWith(family));
  const needed = Math.max(0, ...ours.map(({ readableFrom }) => readableFrom));
  const newest = ours.at(-1);
  if (needed > known.length && newest !== undefined) {
    throw connectionFailed(place, `its schema is newer than this program (${newest.name}); upgrade this program`);
  }
  for (const { name, sql } of known) {
    const found = ours.find((one) => one.name === name);
    if (found === undefined || found.checksum === checksumOf(sql)) continue;
    throw connectionFailed(place, `${name} was applied in another form than this program knows; restore the database`);
  }
}

/** What the names of a list of migrations begin with: several lists share one database. */
function familyOf(known: readonly Migration[]): string {
  return known[0]?.name.replace(/\d.*$/, '') ?? '';
}

function checksumOf(sql: string): string {
  return hash('sha256', sql, 'hex');
}

/** Read models in PostgreSQL: one connection for projections, a pool for queries; everything in it can be thrown away. */
import { Kysely } from 'kysely';
import { DatabaseError, type QueryResult } from 'pg';
import { RatchetError } from '../../src/domain/errors.ts';
import type { Checkpoint, CheckpointMove, ProjectionStore, Statement } from '../../src/ports/read-store.ts';
import { isOfStatement, storeError } from '../postgres/errors.ts';
import { assertMigrated, type Migration, migrate } from '../postgres/migrations.ts';
import { assertReachable, connections, type PostgresOptions } from '../postgres/pool.ts';
import { NUMBERS_AS_NUMBERS, postgresDialect } from './postgres-dialect.ts';
import { ProjectorSession, type Sender } from './projector-session.ts';
import type { ReadStore } from './read-store.ts';
import { rebuildRequests } from './rebuild-requests.ts';
import { versionsIn } from './versions-text.ts';

export interface PostgresReadOptions extends PostgresOptions {
  /** Whether missing tables are made at start; else it fails where any are missing. True by default. */
  readonly autoMigrate?: boolean;
  /** How long the right to project outlives a holder that is frozen or cut off, in milliseconds; 10,000 by default. */
  readonly leaseMs?: number;
}

/** The tables of read models are made by their projections; these are the ones beside them. */
export const READ_STORE_MIGRATIONS: readonly Migration[] = [
  {
    name: 'read-store-1-checkpoints',
    readableFrom: 1,
    sql: `CREATE TABLE projection_checkpoints (
      name text PRIMARY KEY, version integer NOT NULL, position text NOT NULL, status text NOT NULL, error text
    )`,
  },
  {
    name: 'read-store-2-rate-counts',
    readableFrom: 1,
    // A crash may forget what was counted; room beside each row keeps its changes on its page.
    sql: `CREATE UNLOGGED TABLE rate_counts (
      key text COLLATE "C" PRIMARY KEY, used bigint NOT NULL, ends_at timestamptz NOT NULL,
      burst_used bigint NOT NULL, burst_ends_at timestamptz NOT NULL, allowed boolean NOT NULL
    ) WITH (fillfactor = 50);
    CREATE INDEX rate_counts_end ON rate_counts (ends_at)`,
  },
  {
    name: 'read-store-3-origin',
    readableFrom: 1,
    sql: 'CREATE TABLE read_store_origin (lone boolean PRIMARY KEY CHECK (lone), origin text)',
  },
  {
    name: 'read-store-4-projector',
    readableFrom: 1,
    sql: `CREATE TABLE projector (lone boolean PRIMARY KEY CHECK (lone), versions text NOT NULL);
    CREATE TABLE projection_rebuilds (
      id text PRIMARY KEY, names text, status text NOT NULL, error_code text, error text, asked_at bigint NOT NULL
    )`,
  },
];

const PUT = `INSERT INTO projection_checkpoints (name, version, position, status, error) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (name) DO UPDATE SET version = excluded.version, position = excluded.position, status = excluded.status,
    error = excluded.error`;
const MOVE = 'UPDATE projection_checkpoints SET position = $1 WHERE name = $2 AND position = $3';
const ALL = 'SELECT name, version, position, status, error FROM projection_checkpoints ORDER BY name';
const ORIGIN = 'SELECT origin FROM read_store_origin';
const PUT_ORIGIN = `INSERT INTO read_store_origin (lone, origin) VALUES (true, $1)
  ON CONFLICT (lone) DO UPDATE SET origin = excluded.origin`;
const ANNOUNCE = `INSERT INTO projector (lone, versions) VALUES (true, $1)
  ON CONFLICT (lone) DO UPDATE SET versions = excluded.versions`;
const ANNOUNCED = 'SELECT versions FROM projector';
/** Undefined column, undefined table. */
const OF_ANOTHER_RELEASE = new Set(['42703', '42P01']);
/** Rights that are missing, and a prepared statement that a pooler brought to another connection. */
const OF_CONNECTION: readonly string[] = ['42501', '42P05'];
const LEASE_MS = 10_000;
/** Tables may be large when their indexes are made. */
const LONGEST_CHANGE_MS = 3_600_000;

/**
 * Opens the read store in the database of a `postgresql://` URL.
 * Fails with `store_unavailable` when it can not be used; its message begins with "Database connection failed".
 */
export async function openPostgresReadStore<Schema>(
  url: string,
  options: PostgresReadOptions = {},
): Promise<ReadStore<Schema>> {
  const shared = connections(url, { ...options, types: NUMBERS_AS_NUMBERS });
  try {
    await assertReachable(shared);
    if (options.autoMigrate ?? true) await migrate(shared, READ_STORE_MIGRATIONS);
    else await assertMigrated(shared, READ_STORE_MIGRATIONS);
  } catch (error) {
    await shared.close();
    throw error;
  }
  const dialect = postgresDialect(shared.pool, (error) => readError(error, shared.place));
  const db = new Kysely<Schema>({ dialect });
  const session = new ProjectorSession(shared, options.leaseMs ?? LEASE_MS);
  return {
    db,
    projections: projectionStore(session, shared.place),
    rebuilds: rebuildRequests(dialect),
    async hold(displacing = false) {
      try {
        const lock = await session.hold(displacing);
        return lock === null ? null : { ...lock, projections: projectionStore(lock, shared.place) };
      } catch (error) {
        throw storeError(error, shared.place);
      }
    },
    async close() {
      await session.close();
      await shared.close();
    },
  };
}

function projectionStore(sender: Sender, place: string): ProjectionStore {
  const told = async <Result>(answer: Promise<Result>): Promise<Result> => {
    try {
      return await answer;
    } catch (error) {
      throw toldError(error, place);
    }
  };
  const put = ({ name, version, position, status, error }: Checkpoint): Statement => ({
    sql: PUT,
    parameters: [name, version, position, status, error],
  });
  return {
    checkpoints: async () => {
      const { rows } = await told(sender.query({ sql: ALL, parameters: [] }));
      return rows.map(checkpointOf);
    },
    putCheckpoint: async (checkpoint) => void (await told(sender.transaction([put(checkpoint)]))),
    apply: async (statements, moves) => {
      const steps = moves.map(({ name, from, to }) => ({ sql: MOVE, parameters: [to, name, from] }));
      const check = (results: readonly QueryResult[]): void => assertMoved(moves, results.slice(statements.length));
      await told(sender.transaction([...statements, ...steps], { check }));
    },
    origin: async () => {
      const { rows } = await told(sender.query({ sql: ORIGIN, parameters: [] }));
      const origin: unknown = rows[0]?.['origin'];
      return typeof origin === 'string' ? origin : null;
    },
    putOrigin: async (origin) => void (await told(sender.transaction([{ sql: PUT_ORIGIN, parameters: [origin] }]))),
    announce: async (versions) =>
      void (await told(sender.transaction([{ sql: ANNOUNCE, parameters: [JSON.stringify(versions)] }]))),
    announced: async () => {
      const { rows } = await told(sender.query({ sql: ANNOUNCED, parameters: [] }));
      return versionsIn(rows[0]?.['versions']);
    },
    change: async (statements, checkpoint) => {
      const all = checkpoint === null ? statements : [...statements, put(checkpoint)];
      await told(sender.transaction(all, { stalledMs: LONGEST_CHANGE_MS }));
    },
  };
}

function assertMoved(moves: readonly CheckpointMove[], results: readonly QueryResult[]): void {
  for (const [index, { name, from }] of moves.entries()) {
    if (results[index]?.rowCount === 1) continue;
    throw new RatchetError(
      'version_conflict',
      `the checkpoint of ${name} is not at ${from || 'the start'}: another process projects`,
      { details: { projection: name } },
    );
  }
}

/** What the rows or the program are to blame for is told as it is, and stops the projection that it belongs to. */
function toldError(error: unknown, place: string): unknown {
  return isOfRows(error) ? error : storeError(error, place);
}

/** Queries name tables and columns that a program of this release has made: where they are missing, another has been here. */
function readError(error: unknown, place: string): unknown {
  if (!(error instanceof DatabaseError) || !OF_ANOTHER_RELEASE.has(error.code ?? '')) return toldError(error, place);
  const words = `the read models in ${place} are of another release of this program: ${error.message}`;
  return new RatchetError('read_models_differ', words, { cause: error });
}

/** Neither the connection nor the disk: constraints, values that do not fit, and SQL that is wrong. */
function isOfRows(error: unknown): boolean {
  if (error instanceof TypeError) return true;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return (isOfStatement(error) && !code.startsWith('53')) || (code.startsWith('42') && !OF_CONNECTION.includes(code));
}

function checkpointOf(row: Record<string, unknown>): Checkpoint {
  return {
    name: String(row['name']),
    version: Number(row['version']),
    position: String(row['position']),
    status: row['status'] === 'paused' ? 'paused' : 'live',
    error: typeof row['error'] === 'string' ? row['error'] : null,
  };
}

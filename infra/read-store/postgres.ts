/** Read models in PostgreSQL: one connection for projections, a pool for queries; everything in it can be thrown away. */
import { hash } from 'node:crypto';
import { Kysely } from 'kysely';
import type { Client, QueryResult } from 'pg';
import { RatchetError } from '../../src/domain/errors.ts';
import type { Checkpoint, CheckpointMove, ProjectionStore, Statement } from '../../src/ports/read-store.ts';
import { isOfStatement, storeError } from '../postgres/errors.ts';
import { assertMigrated, type Migration, migrate } from '../postgres/migrations.ts';
import { assertReachable, connections, type PostgresOptions } from '../postgres/pool.ts';
import { holdSessionLock } from '../postgres/session-lock.ts';
import { NUMBERS_AS_NUMBERS, postgresDialect, storable } from './postgres-dialect.ts';
import type { ReadStore } from './read-store.ts';

export interface PostgresReadOptions extends PostgresOptions {
  /** Whether missing tables are made at start; else it fails where any are missing. True by default. */
  readonly autoMigrate?: boolean;
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
];

const PUT = `INSERT INTO projection_checkpoints (name, version, position, status, error) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (name) DO UPDATE SET version = excluded.version, position = excluded.position, status = excluded.status,
    error = excluded.error`;
const MOVE = 'UPDATE projection_checkpoints SET position = $1 WHERE name = $2 AND position = $3';
const ALL = 'SELECT name, version, position, status, error FROM projection_checkpoints ORDER BY name';
const ORIGIN = 'SELECT origin FROM read_store_origin';
const PUT_ORIGIN = `INSERT INTO read_store_origin (lone, origin) VALUES (true, $1)
  ON CONFLICT (lone) DO UPDATE SET origin = excluded.origin`;
const NOT_ALLOWED = '42501';
/** A name of a prepared statement has at most 63 characters. */
const NAME_LENGTH = 32;

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
  const db = new Kysely<Schema>({ dialect: postgresDialect(shared.pool, (error) => toldError(error, shared.place)) });
  const writer = new ProjectionWriter(() => shared.client({ pipeline: true }), shared.place, shared.preparesStatements);
  return {
    db,
    projections: projectionStore(writer),
    hold: () => holdSessionLock(shared, 'projector'),
    async close() {
      await writer.close();
      await shared.close();
    },
  };
}

function projectionStore(writer: ProjectionWriter): ProjectionStore {
  const put = ({ name, version, position, status, error }: Checkpoint): Statement => ({
    sql: PUT,
    parameters: [name, version, position, status, error],
  });
  return {
    checkpoints: async () => {
      const [result] = await writer.transaction([{ sql: ALL, parameters: [] }]);
      return (result?.rows ?? []).map(checkpointOf);
    },
    putCheckpoint: async (checkpoint) => void (await writer.transaction([put(checkpoint)])),
    apply: async (statements, moves) => {
      const steps = moves.map(({ name, from, to }) => ({ sql: MOVE, parameters: [to, name, from] }));
      await writer.transaction([...statements, ...steps], (results) =>
        assertMoved(moves, results.slice(statements.length)),
      );
    },
    origin: async () => {
      const [result] = await writer.transaction([{ sql: ORIGIN, parameters: [] }]);
      const origin: unknown = result?.rows[0]?.origin;
      return typeof origin === 'string' ? origin : null;
    },
    putOrigin: async (origin) => void (await writer.transaction([{ sql: PUT_ORIGIN, parameters: [origin] }])),
    change: async (statements, checkpoint) => void (await writer.transaction([...statements, put(checkpoint)])),
  };
}

/** Sends the statements of a transaction without waiting for each, on a connection that is made again when it is lost. */
class ProjectionWriter {
  readonly #connect: () => Client;
  readonly #place: string;
  readonly #prepares: boolean;
  #client: Promise<Client> | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(connect: () => Client, place: string, prepares: boolean) {
    this.#connect = connect;
    this.#place = place;
    this.#prepares = prepares;
  }

  /** Executes all or none, one transaction after the other; `check` may refuse what came of them. */
  transaction(
    statements: readonly Statement[],
    check: (results: readonly QueryResult[]) => void = () => undefined,
  ): Promise<readonly QueryResult[]> {
    const done = this.#turn.then(() => this.#run(statements, check));
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async close(): Promise<void> {
    await this.#turn;
    const client = await this.#client?.catch(() => null);
    await client?.end();
  }

  async #run(
    statements: readonly Statement[],
    check: (results: readonly QueryResult[]) => void,
  ): Promise<readonly QueryResult[]> {
    try {
      const client = await this.#connected();
      const sent = [client.query('BEGIN'), ...statements.map((statement) => this.#send(client, statement))];
      try {
        // After one has failed the others fail too, and less tellingly.
        const results = await Promise.all(sent);
        check(results.slice(1));
        await client.query('COMMIT');
        return results.slice(1);
      } catch (error) {
        await Promise.allSettled(sent);
        // A connection that can not even do that is of no more use; its end takes the transaction back.
        await client.query('ROLLBACK').catch(() => this.#drop(client));
        throw error;
      }
    } catch (error) {
      throw toldError(error, this.#place);
    }
  }

  #send(client: Client, { sql, parameters }: Statement): Promise<QueryResult> {
    const values = parameters.map(storable);
    if (!this.#prepares || values.length === 0) return client.query(sql, values);
    return client.query({ name: hash('sha256', sql, 'hex').slice(0, NAME_LENGTH), text: sql, values });
  }

  #drop(client: Client): void {
    this.#client = null;
    void client.end();
  }

  #connected(): Promise<Client> {
    this.#client ??= this.#open();
    return this.#client;
  }

  async #open(): Promise<Client> {
    const client = this.#connect();
    const forget = (): void => {
      this.#client = null;
    };
    client.on('error', forget);
    client.once('end', forget);
    try {
      await client.connect();
      return client;
    } catch (error) {
      forget();
      throw error;
    }
  }
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

/** Neither the connection nor the disk: constraints, values that do not fit, and SQL that is wrong. */
function isOfRows(error: unknown): boolean {
  if (error instanceof TypeError) return true;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return (isOfStatement(error) && !code.startsWith('53')) || (code.startsWith('42') && code !== NOT_ALLOWED);
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

/** Read models in SQLite: one writer for projections, one reader for queries, both on a file that can be thrown away. */
import { DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import { RatchetError } from '../../src/domain/errors.ts';
import type { Checkpoint, CheckpointMove, ProjectionStore, Statement } from '../../src/ports/read-store.ts';
import { IN_MEMORY } from '../event-store/sqlite-file.ts';
import { holdLock } from '../event-store/sqlite-lock.ts';
import { bindable, nodeSqliteDialect, StatementCache } from './node-sqlite-dialect.ts';
import type { ReadStore } from './read-store.ts';
import { rebuildRequests } from './rebuild-requests.ts';
import { versionsIn } from './versions-text.ts';

const TABLES = `create table if not exists projection_checkpoints (
  name text primary key, version integer not null, position text not null, status text not null, error text
) strict;
create table if not exists read_store_origin (lone integer primary key check (lone = 1), origin text) strict;
create table if not exists projector (lone integer primary key check (lone = 1), versions text not null) strict;
create table if not exists projection_rebuilds (
  id text primary key, names text, status text not null, error_code text, error text, asked_at integer not null
) strict`;

/**
 * Opens the read store; `:memory:` for one that lives as long as the process.
 * Fails with `store_unavailable` when the file can not be opened.
 */
export function openSqliteReadStore<Schema>(file: string): ReadStore<Schema> {
  const database = open(file);
  const statements = new StatementCache(database);
  const dialect = nodeSqliteDialect(database);
  const db = new Kysely<Schema>({ dialect });
  const projections = projectionStore(database, statements);
  return {
    db,
    projections,
    rebuilds: rebuildRequests(dialect),
    hold: async () => {
      const lock = holdLock(file === IN_MEMORY ? IN_MEMORY : `${file}.lock`);
      if (lock === null) return null;
      const ended = new AbortController();
      const release = (): void => {
        ended.abort();
        lock.release();
      };
      return {
        lost: new AbortController().signal,
        release,
        projections: projectionStore(database, statements, ended.signal),
      };
    },
    close: () => database.close(),
  };
}

function open(file: string): DatabaseSync {
  try {
    const database = new DatabaseSync(file, { timeout: 5_000 });
    // NORMAL may lose the last transactions in a power cut, checkpoint and rows together: they are projected again.
    database.exec(
      'pragma journal_mode = wal; pragma synchronous = normal; pragma temp_store = memory; pragma cache_size = -32000',
    );
    database.exec(TABLES);
    return database;
  } catch (cause) {
    throw new RatchetError(
      'store_unavailable',
      `Database connection failed: the read store ${file} can not be opened`,
      { cause },
    );
  }
}

/** @param ended refuses all that is written from the moment that it aborts */
function projectionStore(
  database: DatabaseSync,
  statements: StatementCache,
  ended: AbortSignal = new AbortController().signal,
): ProjectionStore {
  const write = (work: () => void): void => {
    if (ended.aborted) throw new RatchetError('store_unavailable', 'the right to project was given back');
    transaction(database, statements, work);
  };
  const put = `insert into projection_checkpoints (name, version, position, status, error) values (?, ?, ?, ?, ?)
    on conflict (name) do update set version = excluded.version, position = excluded.position, status = excluded.status, error = excluded.error`;
  const place = ({ name, version, position, status, error }: Checkpoint): void => {
    statements.get(put).run(name, version, position, status, error);
  };
  const move = 'update projection_checkpoints set position = ? where name = ? and position = ?';
  return {
    checkpoints: async () =>
      statements.get('select name, version, position, status, error from projection_checkpoints').all().map(checkpoint),
    putCheckpoint: async (checkpoint) => place(checkpoint),
    apply: async (changes, moves) => {
      write(() => {
        for (const change of changes) run(statements, change);
        for (const step of moves) moved(step, Number(statements.get(move).run(step.to, step.name, step.from).changes));
      });
    },
    origin: async () => {
      const found = statements.get('select origin from read_store_origin').get()?.['origin'];
      return typeof found === 'string' ? found : null;
    },
    putOrigin: async (origin) =>
      void statements.get('insert or replace into read_store_origin (lone, origin) values (1, ?)').run(origin),
    announce: async (versions) =>
      void statements
        .get('insert or replace into projector (lone, versions) values (1, ?)')
        .run(JSON.stringify(versions)),
    announced: async () => versionsIn(statements.get('select versions from projector').get()?.['versions']),
    change: async (changes, checkpoint) => {
      write(() => {
        for (const change of changes) database.exec(change.sql);
        if (checkpoint !== null) place(checkpoint);
      });
    },
  };
}

function run(statements: StatementCache, { sql, parameters }: Statement): void {
  statements.get(sql).run(...parameters.map(bindable));
}

function moved({ name, from }: CheckpointMove, changes: number): void {
  if (changes === 1) return;
  throw new RatchetError(
    'version_conflict',
    `the checkpoint of ${name} is not at ${from || 'the start'}: another process projects`,
    {
      details: { projection: name },
    },
  );
}

function transaction(database: DatabaseSync, statements: StatementCache, work: () => void): void {
  try {
    statements.get('begin immediate').run();
    work();
    statements.get('commit').run();
  } catch (error) {
    // A full disk and the like have rolled it back already.
    if (database.isTransaction) statements.get('rollback').run();
    throw passing(error) ?? error;
  }
}

/** Primary result codes of SQLite for what has nothing to do with the rows: busy, locked, memory, read-only, I/O, can not open. */
const UNAVAILABLE: readonly number[] = [5, 6, 7, 8, 10, 14];
const FULL = 13;

/** @returns our error for one that may pass without anybody changing the rows or the program, else null. */
function passing(error: unknown): RatchetError | null {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return null;
  const code = error.errcode & 0xff;
  if (code === FULL) {
    return new RatchetError('store_full', `the read store can not grow: ${error.message}`, { cause: error });
  }
  if (!UNAVAILABLE.includes(code)) return null;
  return new RatchetError('store_unavailable', `the read store can not be used: ${error.message}`, { cause: error });
}

function checkpoint(row: Record<string, unknown>): Checkpoint {
  return {
    name: String(row['name']),
    version: Number(row['version']),
    position: String(row['position']),
    status: row['status'] === 'paused' ? 'paused' : 'live',
    error: typeof row['error'] === 'string' ? row['error'] : null,
  };
}

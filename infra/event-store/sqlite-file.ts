/** Opens the SQLite file of an event log, so that several processes may begin on one new file at the same time. */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { connectionFailed, isBusy, openError } from './sqlite-errors.ts';

/** A database in the memory of this process. */
export const IN_MEMORY = ':memory:';

/** Older releases can damage a log that two connections write (the WAL-reset defect). */
const OLDEST_SQLITE = [3, 51, 3] as const;
/** "Rtch": marks a file as an event log of ours. */
const APPLICATION_ID = 0x52746368;
const SCHEMA_VERSION = 1;
const OPEN_TIMEOUT_MS = 10_000;
const OPEN_RETRY_MS = 5;

/**
 * Only two indexes beside the log itself, because each costs appends dearly: readers that want certain types scan by
 * position, which is quick. Event ids are UUIDs kept as 16 bytes, which makes their index half as large as text would.
 */
const SCHEMA = `
  CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    version INTEGER NOT NULL,
    event_id BLOB NOT NULL UNIQUE,
    type TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    occurred_at TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    principal TEXT NOT NULL,
    command_id TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    causation_id TEXT,
    traceparent TEXT,
    payload TEXT NOT NULL,
    category TEXT NOT NULL GENERATED ALWAYS AS (substr(stream, 1, instr(stream, '-') - 1)) VIRTUAL,
    UNIQUE (stream, version)
  ) STRICT;
  CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
  CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
  CREATE TRIGGER events_are_never_replaced BEFORE INSERT ON events
    WHEN EXISTS (SELECT 1 FROM events WHERE position = NEW.position)
      OR EXISTS (SELECT 1 FROM events WHERE event_id = NEW.event_id)
      OR EXISTS (SELECT 1 FROM events WHERE stream = NEW.stream AND version = NEW.version)
    BEGIN SELECT RAISE(ABORT, 'events are never replaced'); END;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** Types of network file systems as statfs tells them: NFS, SMB, CIFS, SMB2, Ceph, GFS2, OCFS2, Lustre, AFS. */
const NETWORK_FILE_SYSTEMS = new Set([
  0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x00c36400, 0x01161970, 0x7461636f, 0x0bd00bd0, 0x5346414f,
]);

export interface FileOptions {
  /** Largest size of the file in pages of 4 KiB; unlimited by default. */
  readonly maxPages?: number;
}

/** Opens the connection that writes, creating file and tables if need be. Fails with `store_unavailable`. */
export function openWriter(path: string, options: FileOptions = {}): DatabaseSync {
  return opened(path, () => {
    const db = new DatabaseSync(path, { timeout: 0 });
    return prepared(db, path, () => {
      db.exec('PRAGMA journal_mode = WAL');
      db.exec('PRAGMA synchronous = FULL');
      // Not within a commit, where appends would wait for it: see SqliteAppender.checkpoint.
      db.exec('PRAGMA wal_autocheckpoint = 0');
      db.exec('PRAGMA cache_size = -65536');
      db.exec('PRAGMA trusted_schema = OFF');
      createSchema(db, path);
      if (options.maxPages !== undefined) db.exec(`PRAGMA max_page_count = ${Math.trunc(options.maxPages)}`);
    });
  });
}

/** Opens a connection that only reads a log that exists. Fails with `store_unavailable`. */
export function openReader(path: string): DatabaseSync {
  return opened(path, () => {
    // Readers do not wait for writers; only the recovery after a crash makes them wait, and it is short.
    const db = new DatabaseSync(path, { readOnly: true, timeout: 1000 });
    return prepared(db, path, () => {
      db.exec('PRAGMA cache_size = -16384');
      db.exec('PRAGMA trusted_schema = OFF');
      if (!isCurrent(db, path)) throw connectionFailed(path, 'this file holds no event log');
    });
  });
}

function opened(path: string, open: () => DatabaseSync): DatabaseSync {
  refuseNetworkFile(path);
  const deadline = Date.now() + OPEN_TIMEOUT_MS;
  for (;;) {
    try {
      return open();
    } catch (error) {
      // Another process may be switching the same new file to WAL or creating the tables.
      if (!isBusy(error) || Date.now() > deadline) throw openError(error, path);
      pause(OPEN_RETRY_MS);
    }
  }
}

function prepared(db: DatabaseSync, path: string, prepare: () => void): DatabaseSync {
  try {
    refuseOldSqlite(db, path);
    prepare();
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function createSchema(db: DatabaseSync, path: string): void {
  if (isCurrent(db, path)) return;
  db.exec('BEGIN IMMEDIATE');
  if (!isCurrent(db, path)) db.exec(SCHEMA);
  db.exec('COMMIT');
}

function isCurrent(db: DatabaseSync, path: string): boolean {
  const version = number(db, 'PRAGMA user_version');
  if (number(db, 'PRAGMA application_id') !== APPLICATION_ID) {
    if (version === 0 && number(db, 'SELECT count(*) FROM sqlite_schema') === 0) return false;
    throw connectionFailed(path, 'this file is no event log of Ratchet');
  }
  if (version === SCHEMA_VERSION) return true;
  throw connectionFailed(path, `this event log has format ${version}, this release reads format ${SCHEMA_VERSION}`);
}

function refuseOldSqlite(db: DatabaseSync, path: string): void {
  const version = db.prepare('SELECT sqlite_version() AS version').get()?.['version'];
  if (isRecentSqlite(String(version))) return;
  throw connectionFailed(path, `SQLite ${version} can damage a log; needed is ${OLDEST_SQLITE.join('.')} or later`);
}

/** @returns whether a release of SQLite, such as `3.53.4`, is safe for a log that several connections write. */
export function isRecentSqlite(version: string): boolean {
  const parts = version.split('.').map(Number);
  for (const [index, oldest] of OLDEST_SQLITE.entries()) {
    const part = parts[index] ?? 0;
    if (part !== oldest) return part > oldest;
  }
  return true;
}

/** The processes that share a log share memory, so they must run on one machine. */
function refuseNetworkFile(path: string): void {
  if (path === IN_MEMORY) return;
  let type: number;
  try {
    type = statfsSync(dirname(path)).type;
  } catch (error) {
    throw openError(error, path);
  }
  if (!isNetworkFileSystem(type)) return;
  throw connectionFailed(path, 'the file is on a network file system, where SQLite is not safe; use PostgreSQL');
}

/** @returns whether a file system type, as statfs tells it, is one that other machines may share. */
export function isNetworkFileSystem(type: number): boolean {
  return NETWORK_FILE_SYSTEMS.has(type >>> 0);
}

function number(db: DatabaseSync, sql: string): number {
  const row = db.prepare(sql).get();
  return row === undefined ? 0 : Number(Object.values(row)[0]);
}

/** Stops this thread for some milliseconds; to be used where nothing else waits on it. */
export function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

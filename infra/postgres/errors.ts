/** Tells PostgreSQL's errors apart: what passes by itself, what is full, and what somebody must put right. */
import { DatabaseError } from 'pg';
import { type ErrorCode, RatchetError } from '../../src/domain/errors.ts';

/** Where a database is, without its password: `host:port/name`. */
export type Place = string;

/** Server is shutting down, has crashed, or is not up yet; too many connections; a standby took the place of the primary. */
const PASSING = new Set(['57P01', '57P02', '57P03', '53300', '25006', '40001', '40P01']);
const FULL = new Set(['53100']);
const DAMAGED = new Set(['XX001', 'XX002']);
const LOCK_TIMEOUT = '55P03';

/** A name of a prepared statement is known to one connection, and was used on another. */
const POOLED = 'set database.prepared_statements to false where a pooler such as PgBouncer hands connections around';

/** What a person can do about errors that come at start more often than others; by SQLSTATE or the system's code. */
const WAYS_OUT: Readonly<Record<string, string>> = {
  '28P01': 'correct user and password in the URL',
  '28000': 'allow this user and address in pg_hba.conf, or correct the URL',
  '3D000': 'create the database, or correct its name in the URL',
  '42501': 'grant the role what `ratchet migrate --roles` prints, or use the role that owns the tables',
  '26000': POOLED,
  '42P05': POOLED,
  '53300': 'raise max_connections of the server, or lower database.pool_size',
  '57P03': 'wait until the server has started',
  ECONNREFUSED: 'start the server, or correct host and port in the URL',
  ENOTFOUND: 'correct the host in the URL',
  EAI_AGAIN: 'correct the host in the URL',
  ETIMEDOUT: 'check that host and port can be reached',
};

/**
 * @returns whether trying again may help: the connection was lost or could not be made, or the server is restarting.
 * Whether a statement that was under way has been carried out is then unknown.
 */
export function isPassing(error: unknown): boolean {
  if (error instanceof DatabaseError) return PASSING.has(error.code ?? '') || (error.code ?? '').startsWith('08');
  // Whatever else the driver rejects with is told about the connection.
  return error instanceof Error && !(error instanceof RatchetError) && !(error instanceof TypeError);
}

/** @returns whether the statement itself was at fault or found no room, so that another one may succeed meanwhile. */
export function isOfStatement(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return false;
  const code = error.code ?? '';
  return FULL.has(code) || ['22', '23', '54'].includes(code.slice(0, 2));
}

/** @returns our error for one that came while using a database that was connected to before. */
export function storeError(error: unknown, place: Place): RatchetError {
  if (error instanceof RatchetError) return error;
  const code = codeOf(error);
  const reason = reasonOf(error);
  if (FULL.has(code)) return problem('store_full', `the database ${place} can not grow: ${reason}`, place, error);
  if (DAMAGED.has(code)) return problem('store_corrupt', `the database ${place} is damaged: ${reason}`, place, error);
  if (code === LOCK_TIMEOUT) {
    const words = `the database ${place} could not be written in time, because another connection holds its lock`;
    return problem('store_unavailable', words, place, error);
  }
  return connectionFailed(place, reason, error);
}

/** @returns a `store_unavailable` error with the words that errors of this kind begin with. */
export function connectionFailed(place: Place, reason: string, cause?: unknown): RatchetError {
  return problem('store_unavailable', `Database connection failed: ${place}: ${reason}`, place, cause);
}

function problem(code: ErrorCode, message: string, place: Place, cause: unknown): RatchetError {
  return new RatchetError(code, message, { details: { database: place }, cause });
}

function reasonOf(error: unknown): string {
  const code = codeOf(error);
  const way = WAYS_OUT[code];
  // An error of several addresses tried in turn has no words of its own.
  const words = error instanceof Error && error.message !== '' ? error.message : code;
  return way === undefined ? words : `${words}; ${way}`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** Tells SQLite's errors apart: what is busy, what is full, and what can not be used at all. */
import { type ErrorCode, RatchetError } from '../../src/domain/errors.ts';

// Primary result codes of SQLite; extended codes carry them in their low byte.
const BUSY = 5;
const CORRUPT = 11;
const FULL = 13;
const CONSTRAINT = 19;
const NOT_A_DATABASE = 26;

/** @returns the primary result code of an error that SQLite gave, else null. */
function resultCode(error: unknown): number | null {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return null;
  return error.errcode & 0xff;
}

/** @returns true when another connection holds the lock that was needed. */
export function isBusy(error: unknown): boolean {
  return resultCode(error) === BUSY;
}

/** @returns true when a row would have broken a UNIQUE or other constraint. */
export function isConstraint(error: unknown): boolean {
  return resultCode(error) === CONSTRAINT;
}

/** @returns true when there was no space left on the disk or in the file's own limit. */
export function isFull(error: unknown): boolean {
  return resultCode(error) === FULL;
}

/** @returns our error for one that came while reading or writing the log at `path`. */
export function storeError(error: unknown, path: string): RatchetError {
  if (error instanceof RatchetError) return error;
  const code = resultCode(error);
  const reason = reasonOf(error);
  if (code === FULL) return problem('store_full', `the event log ${path} can not grow: ${reason}`, path, error);
  if (code === CORRUPT || code === NOT_A_DATABASE) {
    return problem('store_corrupt', `the event log ${path} is damaged: ${reason}`, path, error);
  }
  return problem('store_unavailable', `the event log ${path} can not be used: ${reason}`, path, error);
}

/** @returns our error for one that came while opening the database at `path`. */
export function openError(error: unknown, path: string): RatchetError {
  if (error instanceof RatchetError) return error;
  return connectionFailed(path, reasonOf(error), error);
}

/** @returns a `store_unavailable` error with the words that start errors of this kind begin with. */
export function connectionFailed(path: string, reason: string, cause?: unknown): RatchetError {
  return problem('store_unavailable', `Database connection failed: ${path}: ${reason}`, path, cause);
}

function problem(code: ErrorCode, message: string, path: string, cause: unknown): RatchetError {
  return new RatchetError(code, message, { details: { path }, cause });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

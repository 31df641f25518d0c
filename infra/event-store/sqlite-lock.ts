/** A lock between processes that the operating system frees when its holder dies, whatever it dies of. */
import { DatabaseSync } from 'node:sqlite';
import { isBusy, openError } from './sqlite-errors.ts';

/** A lock that is held until it is released or the process ends. */
export interface HeldLock {
  /** Gives the lock back; a second call does nothing. */
  release(): void;
}

/**
 * Takes the exclusive lock that the file at `path` stands for, creating the file if need be. Does not wait.
 * The file stays when the lock is released: who deletes it lets two processes hold "the same" lock.
 * @returns null when it is held, by another process or by another holder in this one. Fails with `store_unavailable`.
 */
export function holdLock(path: string): HeldLock | null {
  let db: DatabaseSync | null = null;
  try {
    db = new DatabaseSync(path, { timeout: 0 });
    // The transaction writes nothing, so there is nothing to make durable, and no journal to lay beside the file.
    db.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY');
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db?.close();
    if (isBusy(error)) return null;
    throw openError(error, path);
  }
  const held = db;
  return {
    release() {
      // Closing rolls the open transaction back, which is what frees the lock.
      if (held.isOpen) held.close();
    },
  };
}

/** Knows which worker sessions on this machine are alive: each holds a lock that the system frees when its process dies. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RatchetError } from '../src/domain/errors.ts';
import type { Sessions } from '../src/ports/dispatch-table.ts';
import { holdLock } from './event-store/sqlite-lock.ts';

export interface OwnSession extends Sessions {
  close(): void;
}

const SUFFIX = '.lock';
/** A lock under this name is not yet held for sure, and nobody but its owner touches it. */
const NEW_SUFFIX = '.new';

/**
 * Starts a session whose lock stands in `folder`, beside those of all other processes on the same database.
 * Fails with `store_unavailable` when the lock can not be taken.
 */
export function openLockedSession(folder: string, sessionId: string): OwnSession {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${sessionId}${SUFFIX}`);
  const fresh = join(folder, `${sessionId}${NEW_SUFFIX}`);
  const lock = holdLock(fresh);
  if (lock === null) throw new RatchetError('store_unavailable', `the lock ${fresh} of a new session is held already`);
  // The lock is on the file, not on its name: others see the name only once the lock is held.
  renameSync(fresh, file);
  return {
    own: sessionId,
    alive: async () => [sessionId, ...liveSessions(folder, sessionId)],
    close: () => {
      rmSync(file, { force: true });
      lock.release();
    },
  };
}

/** A session of a process that shares its database with nobody. */
export function openLoneSession(sessionId: string): OwnSession {
  return { own: sessionId, alive: async () => [sessionId], close: () => undefined };
}

/** @returns the folder of the sessions that share a database file. */
export function sessionFolderOf(file: string): string {
  return `${file}.sessions`;
}

/** @returns the sessions of `folder` whose processes live, but for `own`; none where there is no such folder. */
export function liveSessions(folder: string, own: string | null = null): readonly string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith(SUFFIX));
  return names
    .map((name) => name.slice(0, -SUFFIX.length))
    .filter((session) => session !== own && isAlive(join(folder, `${session}${SUFFIX}`)));
}

/** Whoever can take the lock of a session has seen it dead; its file goes while the lock is held, and no session comes back. */
function isAlive(file: string): boolean {
  const lock = holdLock(file);
  if (lock === null) return true;
  rmSync(file, { force: true });
  lock.release();
  return false;
}

/** Knows which worker sessions on this machine are alive: each holds a lock that the system frees when its process dies. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Sessions } from '../src/ports/dispatch-table.ts';
import { holdLock } from './event-store/sqlite-lock.ts';

export interface OwnSession extends Sessions {
  close(): void;
}

const SUFFIX = '.lock';

/** Starts a session whose lock stands in `folder`, beside those of all other processes on the same database. */
export function openLockedSession(folder: string, sessionId: string): OwnSession {
  mkdirSync(folder, { recursive: true });
  const lock = holdLock(join(folder, `${sessionId}${SUFFIX}`));
  return {
    own: sessionId,
    alive: async () => [sessionId, ...others(folder, sessionId)],
    close: () => {
      lock?.release();
      remove(join(folder, `${sessionId}${SUFFIX}`));
    },
  };
}

/** A session of a process that shares its database with nobody. */
export function openLoneSession(sessionId: string): OwnSession {
  return { own: sessionId, alive: async () => [sessionId], close: () => undefined };
}

function others(folder: string, own: string): readonly string[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(SUFFIX));
  return names
    .map((name) => name.slice(0, -SUFFIX.length))
    .filter((session) => session !== own && isAlive(join(folder, `${session}${SUFFIX}`)));
}

/** Whoever can take the lock of a session has seen it dead. */
function isAlive(file: string): boolean {
  const lock = holdLock(file);
  if (lock === null) return true;
  lock.release();
  remove(file);
  return false;
}

function remove(file: string): void {
  for (const name of [file, `${file}-journal`]) rmSync(name, { force: true });
}

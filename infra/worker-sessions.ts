/** Knows which worker sessions of this machine have lost their process: each holds a lock that the system frees with it. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { RatchetError } from '../src/domain/errors.ts';
import type { Presence } from '../src/ports/worker-sessions.ts';
import { isNetworkFileSystem } from './event-store/sqlite-file.ts';
import { type HeldLock, holdLock } from './event-store/sqlite-lock.ts';

const SUFFIX = '.lock';
/** A lock under this name is not yet held for sure, and nobody but its owner touches it. */
const NEW_SUFFIX = '.new';

export interface PresenceOptions {
  /** Whether no process on another machine can have a session: one without a lock here is then gone. */
  readonly isOnlyMachine: boolean;
}

/**
 * How sessions of this process are seen by other processes of the machine: by locks in `folder`; not at all without one, nor
 * on a file system that other machines share, whose locks prove nothing about them.
 *
 * @param typeOf type of the file system of a folder, as statfs tells it
 */
export function openPresence(
  folder: string | null,
  options: PresenceOptions,
  typeOf: (folder: string) => number = (path) => statfsSync(path).type,
): Presence {
  if (folder === null) return hiddenPresence(options);
  mkdirSync(folder, { recursive: true });
  const isShared = !options.isOnlyMachine && isNetworkFileSystem(typeOf(folder));
  return isShared ? hiddenPresence(options) : folderPresence(folder, options);
}

/** Sessions whose locks stand in `folder`, beside those of all other processes of this machine on the same database. */
export function folderPresence(folder: string, { isOnlyMachine }: PresenceOptions): Presence {
  const own = new Map<string, HeldLock>();
  const died = new Set<string>();
  const fileOf = (session: string): string => join(folder, `${session}${SUFFIX}`);
  return {
    enter: (session) => {
      mkdirSync(folder, { recursive: true });
      const fresh = join(folder, `${session}${NEW_SUFFIX}`);
      const lock = holdLock(fresh);
      if (lock === null)
        throw new RatchetError('store_unavailable', `the lock ${fresh} of a new session is held already`);
      // The lock is on the file, not on its name: others see the name only once the lock is held.
      renameSync(fresh, fileOf(session));
      own.set(session, lock);
    },
    leave: (session) => {
      const lock = own.get(session);
      if (lock === undefined) return;
      own.delete(session);
      rmSync(fileOf(session), { force: true });
      lock.release();
    },
    hasDied: (session) => {
      if (own.has(session)) return false;
      if (died.has(session)) return true;
      const file = fileOf(session);
      if (!existsSync(file)) return isOnlyMachine;
      if (isAlive(file)) return false;
      // Its file is gone now, and would tell nothing to who asks again.
      died.add(session);
      return true;
    },
  };
}

/** Sessions of a process that shows them to no other on this machine. */
export function hiddenPresence({ isOnlyMachine }: PresenceOptions): Presence {
  const own = new Set<string>();
  return {
    enter: (session) => void own.add(session),
    leave: (session) => void own.delete(session),
    hasDied: (session) => isOnlyMachine && !own.has(session),
  };
}

/** @returns the folder of the sessions that share a database file. */
export function sessionFolderOf(file: string): string {
  return `${file}.sessions`;
}

/** @returns the sessions of `folder` whose processes live; none where there is no such folder. */
export function liveSessions(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith(SUFFIX));
  return names.filter((name) => isAlive(join(folder, name))).map((name) => name.slice(0, -SUFFIX.length));
}

/** Whoever can take the lock of a session has seen it dead; its file goes while the lock is held, and no session comes back. */
function isAlive(file: string): boolean {
  const lock = holdLock(file);
  if (lock === null) return true;
  rmSync(file, { force: true });
  lock.release();
  return false;
}

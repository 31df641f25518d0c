/** Sees whether somebody runs on a database that is about to be written as a whole. */
import { sqliteFileOf } from '../../infra/event-store/open.ts';
import { liveSessions, sessionFolderOf } from '../../infra/worker-sessions.ts';
import { RatchetError } from '../domain/errors.ts';

/** Fails with `unsupported` when a process of ours runs on this SQLite database; of other stores that can not be seen. */
export function refuseRunningServer(url: string): void {
  const file = sqliteFileOf(url);
  if (file === null) return;
  const sessions = liveSessions(sessionFolderOf(file));
  if (sessions.length === 0) return;
  throw new RatchetError('unsupported', `a server runs on ${url}: stop it first, or say --force`, {
    details: { sessions },
  });
}

/**
 * A process that is frozen, or that no packet reaches, keeps what its connections have locked: the server waits for it.
 * Whoever waits for such a lock can end that connection here.
 */
import { DatabaseError } from 'pg';
import type { Query } from './pool.ts';

const NOT_ALLOWED = '42501';

/**
 * Ends the connection that holds an advisory lock.
 *
 * @param query runs one statement as a role that may end the holder's connections: the same one, or a superuser
 * @param lock an SQL expression for the lock's number as one bigint
 * @param stuckMs only where the server has been waiting for the holder's process for so long, by its own clock;
 *   null: whatever the holder does
 * @returns whether one was ended
 */
export async function endHolder(
  query: (statement: Query) => Promise<readonly unknown[]>,
  lock: string,
  stuckMs: number | null,
): Promise<boolean> {
  const text = `SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND l.pid <> pg_backend_pid()
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (l.classid::bigint << 32) | l.objid::bigint = ${lock}
      AND ($1::integer IS NULL OR (a.wait_event_type = 'Client'
        AND a.state_change < clock_timestamp() - make_interval(secs => $1::integer / 1000.0)))`;
  try {
    return (await query({ text, values: [stuckMs] })).length > 0;
  } catch (error) {
    // Of another role: only that one may end it.
    if (error instanceof DatabaseError && error.code === NOT_ALLOWED) return false;
    throw error;
  }
}

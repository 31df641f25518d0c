/** A lock between processes on any machine that the database frees when its holder's connection ends. */
import type { HeldLock } from '../../src/ports/held-lock.ts';
import { storeError } from './errors.ts';
import type { Connections } from './pool.ts';

/**
 * Takes the exclusive lock of this name in the schema of the connection. Does not wait.
 * @returns null when another connection holds it. Fails with `store_unavailable`.
 */
export async function holdSessionLock(connections: Connections, name: string): Promise<HeldLock | null> {
  const client = connections.client();
  const lost = new AbortController();
  client.on('error', () => lost.abort());
  client.once('end', () => lost.abort());
  try {
    await client.connect();
    const { rows } = await client.query<{ held: boolean }>(
      "SELECT pg_try_advisory_lock(hashtextextended(current_schema() || ' ' || $1, 0)) AS held",
      [name],
    );
    if (rows[0]?.held !== true) {
      await client.end();
      return null;
    }
  } catch (error) {
    void client.end();
    throw storeError(error, connections.place);
  }
  return { lost: lost.signal, release: async () => client.end() };
}

/** Compares the clock of this machine with that of the database: nodes that share one go by times that others wrote. */
import { RatchetError } from '../../src/domain/errors.ts';
import { storeError } from './errors.ts';
import type { Connections } from './pool.ts';

/** Below this nobody notices. */
const NOTICED_MS = 2_000;
/** From here on delays, schedules and tokens that run out are plainly wrong. */
const REFUSED_MS = 5 * 60_000;

/**
 * @returns by how much the clock of this machine is known to be ahead, in milliseconds; negative: behind. What the answer
 * took to come is not counted, so a slow network makes no difference where there is none. Fails with `store_unavailable`.
 */
export async function clockDifference({ query, place }: Pick<Connections, 'query' | 'place'>): Promise<number> {
  try {
    const before = Date.now();
    const [row] = await query({ text: 'SELECT extract(epoch FROM clock_timestamp()) * 1000' });
    const after = Date.now();
    const there = Number(row?.[0]);
    if (there < before) return before - there;
    return there > after ? after - there : 0;
  } catch (error) {
    throw storeError(error, place);
  }
}

/**
 * @returns a warning where the clocks differ by 2 seconds or more, else null.
 * Fails with `clock_differs` from 5 minutes on, and with `store_unavailable`.
 */
export async function checkClock(connections: Pick<Connections, 'query' | 'place'>): Promise<string | null> {
  const ms = await clockDifference(connections);
  const off = Math.abs(ms);
  if (off < NOTICED_MS) return null;
  const said = off < REFUSED_MS ? `${(off / 1_000).toFixed(1)} s` : `${Math.round(off / 60_000)} min`;
  const words = `the clock of this machine is ${said} ${ms > 0 ? 'ahead of' : 'behind'} that of the database ${connections.place}`;
  if (off < REFUSED_MS) return `${words}: let both set their clocks over NTP`;
  throw new RatchetError('clock_differs', words, { details: { database: connections.place, ms } });
}

/** A process that projects notes into a read store for as long as it may, and tells how that goes. */
import { openPostgresReadStore } from '../../infra/read-store/postgres.ts';
import type { ReadModels } from '../../projections/read-models.ts';

const [, , url = '', leaseMs = ''] = process.argv;
const WRITE_MS = 5;
const TRY_MS = 50;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const rows = await openPostgresReadStore<ReadModels>(url, { poolSize: 2, leaseMs: Number(leaseMs) });
for (let lead = 1; ; lead += 1) {
  let lock = await rows.hold();
  while (lock === null) {
    await pause(TRY_MS);
    lock = await rows.hold();
  }
  process.stdout.write('holds\n');
  try {
    for (;;) {
      const note = { sql: 'INSERT INTO notes (note) VALUES ($1)', parameters: [`child ${lead}`] };
      await lock.projections.apply([note], []);
      await pause(WRITE_MS);
    }
  } catch (error) {
    process.stdout.write(`${lock.lost.aborted ? 'lost' : 'failed'} ${error instanceof Error ? error.message : ''}\n`);
  }
  await lock.release();
}

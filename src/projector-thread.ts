/** The thread that projects, so that folding events never delays an answer. */
import { parentPort, workerData } from 'node:worker_threads';
import { openEventStore } from '../infra/event-store/open.ts';
import { openReadStore } from '../infra/read-store/open.ts';
import type { ProjectionLock } from '../infra/read-store/read-store.ts';
import { PROJECTIONS } from '../projections/index.ts';
import type { ReadModels } from '../projections/read-models.ts';
import { ProjectionRunner } from '../projections/runner.ts';
import { asRatchetError, RatchetError } from './domain/errors.ts';
import { keepProjecting } from './projecting.ts';
import { type FromProjector, type ProjectorSettings, type Refusal, type ToProjector } from './projector.ts';

const settings: ProjectorSettings = workerData;
const FOLLOW_MS = 10;
const TAKE_OVER_MS = 500;

const tell = (message: FromProjector): void => parentPort?.postMessage(message);
const stop = new AbortController();
const events = await openEventStore(settings.eventStoreUrl, {
  sqlite: { readOnly: true },
  postgres: settings.postgres ?? {},
});
const rows = await openReadStore<ReadModels>(settings.readStore, settings.postgres);
let runner: ProjectionRunner | null = null;

parentPort?.on('message', (message: ToProjector) => {
  if (message.type === 'close') return stop.abort();
  rebuild(message.names ?? undefined).then(
    () => tell({ type: 'rebuilt', id: message.id, error: null }),
    (error: unknown) => tell({ type: 'rebuilt', id: message.id, error: told(error) }),
  );
});

for (;;) {
  const lock = await followUntilLeader();
  if (lock === null) break;
  try {
    await project(lock);
  } finally {
    runner = null;
    await lock.release();
  }
}
await events.close();
await rows.close();
parentPort?.close();

/** Projects until it is to stop, or the lock is lost. */
async function project({ projections, lost }: ProjectionLock): Promise<void> {
  runner = new ProjectionRunner({ events, rows: projections, db: rows.db }, PROJECTIONS, {
    onReached: (position) => tell({ type: 'reached', position }),
    onStatus: (statuses) => tell({ type: 'statuses', statuses }),
  });
  await runner.prepare();
  tell({ type: 'ready' });
  await keepProjecting(
    runner,
    (error) => tell({ type: 'trouble', error: told(error) }),
    AbortSignal.any([stop.signal, lost]),
  );
}

async function rebuild(names: readonly string[] | undefined): Promise<void> {
  if (runner === null) throw new RatchetError('unsupported', 'another process projects this database: rebuild there');
  await runner.rebuild(names);
}

/** What is not ours keeps its words, which name the event or the row that does not fit. */
function told(error: unknown): Refusal {
  const { code, message, cause } = asRatchetError(error);
  return { code, message: cause instanceof Error ? `${message}: ${cause.message}` : message };
}

/** While another process projects, tells how far it is; answers with the lock once that process has gone, null at close. */
async function followUntilLeader(): Promise<ProjectionLock | null> {
  let isReady = false;
  let triedAt = 0;
  while (!stop.signal.aborted) {
    if (settings.mayLead !== false && Date.now() - triedAt >= TAKE_OVER_MS) {
      triedAt = Date.now();
      const taken = await rows.hold();
      if (taken !== null) return taken;
    }
    const checkpoints = await rows.projections.checkpoints();
    const positions = checkpoints.map((checkpoint) => checkpoint.position).sort();
    tell({
      type: 'statuses',
      statuses: checkpoints.map(({ name, version, position, status, error }) => ({
        name,
        version,
        position,
        status,
        error,
      })),
    });
    if (checkpoints.length === PROJECTIONS.length && positions[0] !== undefined) {
      tell({ type: 'reached', position: positions[0] });
      if (!isReady) tell({ type: 'ready' });
      isReady = true;
    }
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
  }
  return null;
}

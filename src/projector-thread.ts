/** The thread that projects, so that folding events never delays an answer. */
import { parentPort, workerData } from 'node:worker_threads';
import { openEventStore } from '../infra/event-store/open.ts';
import { openReadStore } from '../infra/read-store/open.ts';
import { PROJECTIONS } from '../projections/index.ts';
import type { ReadModels } from '../projections/read-models.ts';
import { told } from './asked-rebuilds.ts';
import type { FromProjector, ProjectorSettings, ToProjector } from './projector.ts';
import { ProjectorTurns } from './projector-turns.ts';

const settings: ProjectorSettings = workerData;
const tell = (message: FromProjector): void => parentPort?.postMessage(message);
// Left to the thread's end, an error would come to the process without its code.
process.once('uncaughtException', (error) => {
  tell({ type: 'failed', error: told(error) });
  process.exit(1);
});
const stop = new AbortController();
const rebuilds = new Set<Promise<void>>();
const events = await openEventStore(settings.eventStoreUrl, {
  sqlite: { readOnly: true },
  postgres: settings.postgres ?? {},
});
const rows = await openReadStore<ReadModels>(settings.readStore, settings.postgres);
const { mayLead = true, mayDisplace = true } = settings;
const turns = new ProjectorTurns({ events, rows, projections: PROJECTIONS, mayLead, mayDisplace, tell });

parentPort?.on('message', (message: ToProjector) => {
  switch (message.type) {
    case 'close':
      return stop.abort();
    case 'wanted':
      return turns.wanted(message.position);
    case 'rebuild':
      return rebuild(message.id, message.names);
    default:
      return message satisfies never;
  }
});

await turns.run(stop.signal);
await Promise.all(rebuilds);
await events.close();
await rows.close();
parentPort?.close();

/** Never rejects. */
function rebuild(id: number, names: readonly string[] | null): void {
  const rebuilt = turns.rebuild(names, stop.signal).then(
    () => tell({ type: 'rebuilt', id, error: null }),
    (error: unknown) => tell({ type: 'rebuilt', id, error: told(error) }),
  );
  rebuilds.add(rebuilt);
  void rebuilt.then(() => rebuilds.delete(rebuilt));
}

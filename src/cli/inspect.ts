/** `ratchet replay`, `events` and `projections`: look at what is recorded, without a server. */
import { eventFilter, shownEvent } from '../../queries/event.ts';
import { type App, type AppSettings, openApp } from '../app.ts';
import { RatchetError } from '../domain/errors.ts';
import { type Category, START } from '../domain/event.ts';
import type { ExitCode } from './exit.ts';
import { type Output, pretty, table } from './output.ts';

async function withApp(settings: AppSettings, work: (app: App) => Promise<ExitCode>): Promise<ExitCode> {
  const app = await openApp({ ...settings, runs: false, sources: [], warmWorkers: 1 });
  try {
    return await work(app);
  } finally {
    await app.close(0);
  }
}

/** Replays a recorded execution; answers 1 when the replay differs from the record. */
export async function replay(
  settings: AppSettings,
  executionId: string,
  attempt: number | undefined,
  output: Output,
): Promise<ExitCode> {
  return withApp(settings, async ({ core }) => {
    const result = await core.replay(executionId, attempt);
    output.result(result, () => {
      const head = `${result.identical ? 'identical' : 'DIFFERENT'}: attempt ${result.attempt}, ${result.steps} steps, ${result.turns} turns, ${result.result}`;
      const lines = result.differences.map(
        ({ what, expected, actual }) => `${what}\n  recorded ${pretty(expected)}\n  replayed ${pretty(actual)}`,
      );
      return [head, ...lines].join('\n');
    });
    return result.identical ? 0 : 1;
  });
}

export interface EventOptions {
  readonly after?: string | undefined;
  readonly category?: string | undefined;
  readonly type?: string | undefined;
  readonly limit: number;
}

/** Prints stored events; with `follow`, goes on until interrupted. */
export async function showEvents(
  settings: AppSettings,
  options: EventOptions,
  follow: boolean,
  output: Output,
): Promise<ExitCode> {
  return withApp(settings, async ({ store }) => {
    const filter = eventFilter({
      category: options.category?.split(',') as Category[] | undefined,
      type: options.type?.split(','),
    });
    const print = (event: Parameters<typeof shownEvent>[0]): void => {
      const shown = shownEvent(event);
      output.result(
        shown,
        () =>
          `${shown.position} ${shown.recordedAt} ${shown.stream}@${shown.version} ${shown.type} ${JSON.stringify(shown.data).slice(0, 160)}`,
      );
    };
    if (!follow) {
      const page = await store.readAll(options.after ?? START, filter, options.limit);
      page.events.forEach(print);
      return 0;
    }
    const stop = new AbortController();
    process.once('SIGINT', () => stop.abort());
    process.stdout.once('error', () => stop.abort());
    for await (const page of store.subscribe(options.after ?? (await store.head()), filter, stop.signal))
      page.events.forEach(print);
    return 0;
  });
}

/** Prints how far each projection is. */
export async function projectionStatus(settings: AppSettings, output: Output): Promise<ExitCode> {
  return withApp(settings, async ({ projector, store }) => {
    const head = await store.head();
    await projector.progress.reach(head, 60_000).catch(() => undefined);
    const statuses = projector.statuses();
    output.result({ head, projections: statuses }, () =>
      table([
        ['projection', 'version', 'status', 'position'],
        ...statuses.map(({ name, version, status, position }) => [
          name,
          String(version),
          status,
          position || '(start)',
        ]),
      ]),
    );
    return statuses.every(({ status }) => status !== 'paused') ? 0 : 1;
  });
}

/** Builds read models anew. Fails with `unsupported` while a server projects the same database. */
export async function rebuildProjections(
  settings: AppSettings,
  names: readonly string[],
  output: Output,
): Promise<ExitCode> {
  return withApp(settings, async ({ projector }) => {
    const known = projector.statuses().map(({ name }) => name);
    const wrong = names.find((name) => known.length > 0 && !known.includes(name));
    if (wrong !== undefined)
      throw new RatchetError('not_found', `there is no projection ${wrong}; known are ${known.join(', ')}`);
    output.progress(null, 'rebuilding');
    await projector.rebuild(names.length === 0 ? undefined : names);
    output.progress(1, 'rebuilt');
    output.result(
      { rebuilt: names.length === 0 ? known : names },
      () => `rebuilt ${names.length === 0 ? 'all projections' : names.join(', ')}`,
    );
    return 0;
  });
}

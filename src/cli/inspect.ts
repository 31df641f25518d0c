/** `ratchet events` and `projections`: look at what is recorded, without a server. */
import { z } from 'zod';
import { eventFilter, eventFilterInput, shownEvent } from '../../queries/event.ts';
import { type App, type AppSettings, openApp } from '../app.ts';
import { START } from '../domain/event.ts';
import { parse } from '../interfaces/operation.ts';
import type { ExitCode } from './exit.ts';
import { type Output, table } from './output.ts';

/** Opens the app for a command that runs no executions, and closes it after. */
export async function withApp(settings: AppSettings, work: (app: App) => Promise<ExitCode>): Promise<ExitCode> {
  const app = await openApp({ ...settings, runs: false, sources: [], auditFile: null, warmWorkers: 1 });
  try {
    return await work(app);
  } finally {
    await app.close(0);
  }
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
    const { category, type } = options;
    const filter = eventFilter(parse(z.strictObject(eventFilterInput), { category, type }));
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

/** Builds read models anew, or has them built by the server that projects the same database. */
export async function rebuildProjections(
  settings: AppSettings,
  names: readonly string[],
  output: Output,
): Promise<ExitCode> {
  const isAll = names.length === 0;
  return withApp({ ...settings, keepsReadModels: !isAll }, async ({ projector }) => {
    const known = projector.statuses().map(({ name }) => name);
    output.progress(null, 'rebuilding');
    await projector.rebuild(isAll ? undefined : names);
    output.progress(1, 'rebuilt');
    output.result({ rebuilt: isAll ? known : names }, () => `rebuilt ${isAll ? 'all projections' : names.join(', ')}`);
    return 0;
  });
}

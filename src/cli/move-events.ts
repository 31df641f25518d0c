/** `ratchet events export`, `import`, `copy` and `verify`: all events from one store to another, and the proof that none differs. */
import { openEventStore } from '../../infra/event-store/open.ts';
import { compareLogs, type Difference, digestOf } from '../../infra/moving/compare.ts';
import { type Copied, copyInto, type OnCopied } from '../../infra/moving/copy.ts';
import { type EventPages, followedPages, storedPages } from '../../infra/moving/pages.ts';
import { bytesOfExport, ExportReader } from '../../infra/moving/read-export.ts';
import { type Exported, exportToFile, exportToStream } from '../../infra/moving/write-export.ts';
import type { AppSettings } from '../app.ts';
import type { EventStore } from '../ports/event-store.ts';
import { type ExitCode, UsageError } from './exit.ts';
import type { Output } from './output.ts';
import { refuseRunningServer } from './running-server.ts';
import { shownUrl } from './settings.ts';
import { untilStopped } from './until-stopped.ts';

/** The database of the configuration, and how those in PostgreSQL are connected to. */
export type MovingSettings = Pick<AppSettings, 'eventStoreUrl' | 'postgres'>;

export interface ExportCommandOptions {
  readonly from?: string;
  readonly out: string;
  readonly resume?: boolean;
}

export interface ImportOptions {
  readonly to?: string;
  readonly resume?: boolean;
  readonly force?: boolean;
}

export interface CopyOptions {
  readonly from: string;
  readonly to: string;
  readonly follow?: boolean;
  readonly force?: boolean;
}

export interface VerifyOptions {
  readonly from?: string;
  readonly against?: string;
}

const PROGRESS_MS = 200;
const REBUILT = 'The next start on the target builds its read models from these events.';

/** Writes all events of a store to a file; to standard output they go alone, and the result to standard error. */
export async function exportEvents(
  settings: MovingSettings,
  options: ExportCommandOptions,
  output: Output,
): Promise<ExitCode> {
  const { out, resume = false, from = settings.eventStoreUrl } = options;
  if (out === '-' && resume) throw new UsageError('standard output can not be gone on with: --resume needs a file');
  const told = { source: shownUrl(from), exportedAt: new Date().toISOString(), onCount: counting(output, 'exported') };
  const exported = await withSource(settings, from, (store) =>
    out === '-' ? exportToStream(store, process.stdout, told) : exportToFile(store, out, { ...told, resume }),
  );
  tellExported(exported, { from: told.source, out }, output);
  return 0;
}

function tellExported({ count, hash, already }: Exported, places: { from: string; out: string }, output: Output): void {
  output.progress(1, `${count} events exported`);
  const text = `${count} events are in ${places.out}, ${count - already} of them written now\nhash ${hash}`;
  if (places.out === '-') output.note(text);
  else output.result({ ...places, count, already, written: count - already, hash }, () => text);
}

/** Stores the events of a file; a file is checked as a whole before the first is stored. */
export async function importEvents(
  settings: MovingSettings,
  file: string,
  { to = settings.eventStoreUrl, resume = false, force = false }: ImportOptions,
  output: Output,
): Promise<ExitCode> {
  const reader = (): ExportReader => new ExportReader(bytesOfExport(file), { mayBeCut: resume });
  if (file !== '-') await digestOf(reader().pages(), counting(output, 'checked'));
  const copied = await withTarget(settings, to, force, (target) => copyInto(target, reader().pages(), copying(output)));
  tellCopied(copied, { from: file, to: shownUrl(to) }, output);
  return 0;
}

/** Brings the events of one store into another. */
export async function copyEvents(
  settings: MovingSettings,
  { from, to, follow = false, force = false }: CopyOptions,
  output: Output,
): Promise<ExitCode> {
  if (from === to) throw new UsageError('--from and --to name the same database');
  const copied = await withSource(settings, from, (source) =>
    withTarget(settings, to, force, (target) =>
      copyInto(target, follow ? untilAsked(source) : storedPages(source), copying(output)),
    ),
  );
  tellCopied(copied, { from: shownUrl(from), to: shownUrl(to) }, output);
  return 0;
}

function untilAsked(source: EventStore): EventPages {
  const stop = new AbortController();
  void untilStopped().then(() => stop.abort());
  return followedPages(source, stop.signal);
}

function tellCopied(
  { count, hash, already, appended }: Copied,
  places: { from: string; to: string },
  output: Output,
): void {
  output.progress(1, `${count} events copied`);
  output.result({ ...places, count, already, appended, hash }, () =>
    [`${places.to} holds the ${count} events of ${places.from}, ${appended} of them stored now`, `hash ${hash}`].join(
      '\n',
    ),
  );
  output.note(REBUILT);
}

/** Tells count and hash of a log, and where it differs from another; ends with 1 when it does. */
export async function verifyEvents(
  settings: MovingSettings,
  { from = settings.eventStoreUrl, against }: VerifyOptions,
  output: Output,
): Promise<ExitCode> {
  const onCount = counting(output, 'verified');
  if (against === undefined) {
    const { count, hash } = await withPages(settings, from, (pages) => digestOf(pages, onCount));
    output.progress(1, `${count} events verified`);
    output.result({ from: shownUrl(from), count, hash }, () => `${count} events\nhash ${hash}`);
    return 0;
  }
  const { count, hash, difference } = await withPages(settings, from, (a) =>
    withPages(settings, against, (b) => compareLogs(a, b, onCount)),
  );
  output.progress(1, `${count} events verified`);
  const places = { from: shownUrl(from), against: shownUrl(against) };
  output.result({ ...places, equal: difference === null, count, hash, difference }, () =>
    difference === null ? `equal: ${count} events\nhash ${hash}` : differenceText(difference, count),
  );
  return difference === null ? 0 : 1;
}

function differenceText({ stream, version, differs }: Difference, count: number): string {
  const what = typeof differs === 'string' ? `is ${differs}` : `differs in ${differs.join(', ')}`;
  return `not equal: after ${count} events that are the same, ${stream} at version ${version} ${what}`;
}

/** Opens a log that exists, for reading. */
async function withSource<Result>(
  settings: MovingSettings,
  url: string,
  work: (store: EventStore) => Promise<Result>,
): Promise<Result> {
  // Nothing is made of a source, not even the tables it lacks.
  const options = { sqlite: { readOnly: true }, postgres: { ...settings.postgres, autoMigrate: false } };
  return closing(await openEventStore(url, options), work);
}

async function withTarget<Result>(
  settings: MovingSettings,
  url: string,
  force: boolean,
  work: (store: EventStore) => Promise<Result>,
): Promise<Result> {
  if (!force) refuseRunningServer(url);
  return closing(await openEventStore(url, { postgres: settings.postgres ?? {} }), work);
}

async function closing<Result>(store: EventStore, work: (store: EventStore) => Promise<Result>): Promise<Result> {
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** A scheme has two letters at least: one would be a drive. */
const URL_LIKE = /^[a-z][a-z0-9+.-]+:/i;

async function withPages<Result>(
  settings: MovingSettings,
  place: string,
  work: (pages: EventPages) => Promise<Result>,
): Promise<Result> {
  if (URL_LIKE.test(place)) return withSource(settings, place, (store) => work(storedPages(store)));
  return work(new ExportReader(bytesOfExport(place)).pages());
}

function counting(output: Output, done: string): (count: number) => void {
  let told = 0;
  return (count) => {
    if (Date.now() - told < PROGRESS_MS) return;
    told = Date.now();
    output.progress(null, `${count} events ${done}`);
  };
}

function copying(output: Output): OnCopied {
  const tell = counting(output, 'copied');
  return ({ already, appended }) => tell(already + appended);
}

/** Writes a log to a file that appears under its name only when it is whole. */
import { createWriteStream, existsSync } from 'node:fs';
import { copyFile, rename, truncate } from 'node:fs/promises';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { RatchetError } from '../../src/domain/errors.ts';
import { START, type StoredEvent } from '../../src/domain/event.ts';
import { differingFields, EMPTY_DIGEST, type LogDigest, withEvent } from '../../src/domain/log-digest.ts';
import type { EventStore } from '../../src/ports/event-store.ts';
import type { OnCount } from './compare.ts';
import { damaged, eventLine, headerLine, trailerLine } from './export-lines.ts';
import { storedPages } from './pages.ts';
import { bytesOfExport, ExportReader, isCompressed } from './read-export.ts';
import { sha256 } from './sha256.ts';

export interface ExportOptions {
  /** Where the events come from, without secrets. */
  readonly source: string;
  /** ISO 8601. */
  readonly exportedAt: string;
  /** Goes on with a file that holds the beginning of the log, whole or not; begins anew where there is none. */
  readonly resume: boolean;
  readonly onCount?: OnCount;
}

export interface Exported extends LogDigest {
  /** Events that the file held before. */
  readonly already: number;
}

/** What a file holds already. */
interface Kept {
  readonly digest: LogDigest;
  readonly last: StoredEvent | null;
  readonly hasHeader: boolean;
}

const NOTHING: Kept = { digest: EMPTY_DIGEST, last: null, hasHeader: false };

/**
 * Writes the events that a store holds now to `file`, compressed where its name ends in `.gz`. Until it is whole it is
 * `file` with `.part` behind, which `resume` goes on with.
 * Fails with `already_exists` unless `resume` is given, with `export_damaged` when there is a file that is not what was
 * written, with `log_differs` when it is of another log, with `store_full` or `invalid_request` when it can not be
 * written, and as reading the store does.
 */
export async function exportToFile(store: EventStore, file: string, options: ExportOptions): Promise<Exported> {
  const part = `${file}.part`;
  if (!options.resume && existsSync(file)) {
    throw new RatchetError('already_exists', `${file} is there; choose another name, or go on with it by --resume`);
  }
  const kept = options.resume ? await keptOf(store, file, part) : NOTHING;
  const exporting = new Exporting(store, kept, options);
  const output = createWriteStream(part, { flags: kept.hasHeader ? 'a' : 'w', flush: true });
  const lines = Readable.from(exporting.lines());
  try {
    await (isCompressed(file) ? pipeline(lines, createGzip(), output) : pipeline(lines, output));
    await rename(part, file);
  } catch (error) {
    throw writeError(error, file);
  }
  return { ...exporting.digest, already: kept.digest.count };
}

/** Writes the events that a store holds now to a stream, which stays open. */
export async function exportToStream(
  store: EventStore,
  output: Writable,
  options: Omit<ExportOptions, 'resume'>,
): Promise<Exported> {
  const exporting = new Exporting(store, NOTHING, options);
  try {
    await pipeline(Readable.from(exporting.lines()), output, { end: false });
  } catch (error) {
    throw writeError(error, 'standard output');
  }
  return { ...exporting.digest, already: 0 };
}

/** What the system says of writing; errors of the store are told as they are. */
function writeError(error: unknown, place: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return error;
  if (error.code === 'ENOSPC') return new RatchetError('store_full', `no space is left for ${place}`, { cause: error });
  return new RatchetError('invalid_request', `${place} can not be written`, { cause: error });
}

class Exporting {
  readonly #store: EventStore;
  readonly #kept: Kept;
  readonly #options: Omit<ExportOptions, 'resume'>;
  digest: LogDigest;

  constructor(store: EventStore, kept: Kept, options: Omit<ExportOptions, 'resume'>) {
    this.#store = store;
    this.#kept = kept;
    this.#options = options;
    this.digest = kept.digest;
  }

  /** The lines that the file lacks, some at a time. */
  async *lines(): AsyncGenerator<string> {
    const { source, exportedAt, onCount } = this.#options;
    const header = (first: string | null): string =>
      this.#kept.hasHeader ? '' : headerLine({ source, exportedAt, first });
    let last = this.#kept.last?.position ?? null;
    for await (const events of storedPages(this.#store, last ?? START)) {
      const text = events.map((event) => {
        this.digest = withEvent(this.digest, event, sha256);
        return eventLine(event, this.digest.hash);
      });
      yield (last === null ? header(events[0]?.position ?? null) : '') + text.join('');
      last = events.at(-1)?.position ?? last;
      onCount?.(this.digest.count);
    }
    yield (last === null ? header(null) : '') + trailerLine(this.digest, last);
  }
}

/** Makes `part` hold what is good of an earlier export, without its last line. */
async function keptOf(store: EventStore, file: string, part: string): Promise<Kept> {
  const begun = [part, file].find((name) => existsSync(name));
  if (begun === undefined) return NOTHING;
  const compressed = isCompressed(file);
  const reader = new ExportReader(bytesOfExport(begun, compressed), { mayBeCut: true });
  for await (const _events of reader.pages());
  const { last, digest, header } = reader;
  if (header === null && begun === file) throw damaged(1, 'this is no export of events');
  // A header without events tells of a log that was empty then: it is written anew.
  if (last === null) return NOTHING;
  await assertSameLog(store, last, file);
  if (begun === file) await copyFile(file, part);
  if (compressed) await shortenCompressed(part, reader.goodBytes);
  else await truncate(part, reader.goodBytes);
  return { digest, last, hasHeader: true };
}

async function assertSameLog(store: EventStore, last: StoredEvent, file: string): Promise<void> {
  const stored = await store.readAt(last.position).catch(() => null);
  if (stored !== null && differingFields(stored, last).length === 0) return;
  const message = `${file} is of another log: the source does not hold its last event, ${last.stream} at version ${last.version}`;
  throw new RatchetError('log_differs', message, { details: { stream: last.stream, version: last.version } });
}

/** What was cut off while it was compressed can not be gone on with: what is good of it is compressed again. */
async function shortenCompressed(part: string, bytes: number): Promise<void> {
  const shorter = `${part}.shorter`;
  const good = Readable.from(firstOf(bytesOfExport(part, true), bytes));
  await pipeline(good, createGzip(), createWriteStream(shorter, { flush: true }));
  await rename(shorter, part);
}

async function* firstOf(input: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  let left = bytes;
  for await (const chunk of input) {
    if (chunk.length >= left) {
      yield chunk.subarray(0, left);
      return;
    }
    left -= chunk.length;
    yield chunk;
  }
}

/** Reads a file that holds a log, trusting no line that is not as it was written. */
import { createReadStream, statSync } from 'node:fs';
import { pipeline, type Readable } from 'node:stream';
import { constants, createGunzip } from 'node:zlib';
import { RatchetError } from '../../src/domain/errors.ts';
import type { StoredEvent } from '../../src/domain/event.ts';
import { EMPTY_DIGEST, type LogDigest, withEvent } from '../../src/domain/log-digest.ts';
import { byteLines } from './byte-lines.ts';
import { checkOf, damaged, type EventLine, type Header, readHeader, readLine, type Trailer } from './export-lines.ts';
import type { EventPages } from './pages.ts';
import { sha256 } from './sha256.ts';

const PAGE_EVENTS = 500;
const PAGE_CHARACTERS = 1024 * 1024;

/** @returns whether a file of this name is compressed. */
export function isCompressed(file: string): boolean {
  return file.endsWith('.gz');
}

/**
 * @param file name of the file; `-` for standard input
 * @returns its bytes, inflated. Fails with `not_found`.
 */
export function bytesOfExport(file: string, compressed = isCompressed(file)): Readable {
  if (file === '-') return process.stdin;
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? true)
    throw new RatchetError('not_found', `there is no file ${file}`);
  const input = createReadStream(file);
  if (!compressed) return input;
  // A file that was cut off gives what is there; that its last line is missing tells the rest.
  const inflated = createGunzip({ finishFlush: constants.Z_SYNC_FLUSH });
  // The reader of what is inflated is told of errors.
  pipeline(input, inflated, () => {});
  return inflated;
}

export interface ReadOptions {
  /** Whether the file may end before its last line; it may not where left out. */
  readonly mayBeCut?: boolean;
}

/** One reading of a file, and what is known of it so far. */
export class ExportReader {
  readonly #bytes: AsyncIterable<Uint8Array>;
  readonly #mayBeCut: boolean;
  #header: Header | null = null;
  #digest: LogDigest = EMPTY_DIGEST;
  #last: StoredEvent | null = null;
  #isWhole = false;
  #lines = 0;
  #goodBytes = 0;

  constructor(bytes: AsyncIterable<Uint8Array>, { mayBeCut = false }: ReadOptions = {}) {
    this.#bytes = bytes;
    this.#mayBeCut = mayBeCut;
  }

  /** Null while nothing was read. */
  get header(): Header | null {
    return this.#header;
  }

  get digest(): LogDigest {
    return this.#digest;
  }

  /** The last event that was read; null before the first. */
  get last(): StoredEvent | null {
    return this.#last;
  }

  /** Whether the last line was reached and agrees with all before. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Length of the header and the events read so far, inflated. */
  get goodBytes(): number {
    return this.#goodBytes;
  }

  /** The events; to be called once. Fails with `export_damaged` at the first line that is not what was written. */
  async *pages(): EventPages {
    let page: StoredEvent[] = [];
    let characters = 0;
    try {
      for await (const { text, bytes, hasEnd } of byteLines(this.#bytes)) {
        if (!hasEnd) break;
        const event = this.#read(text);
        if (!this.#isWhole) this.#goodBytes += bytes;
        if (event === null) continue;
        page.push(event);
        characters += event.payload.length;
        if (page.length < PAGE_EVENTS && characters < PAGE_CHARACTERS) continue;
        yield page;
        page = [];
        characters = 0;
      }
    } catch (error) {
      throw isZlibError(error) ? damaged(this.#lines + 1, 'the file is not properly compressed') : error;
    }
    if (page.length > 0) yield page;
    if (this.#header === null && !this.#mayBeCut) throw damaged(1, 'this is no export of events');
    if (!this.#isWhole && !this.#mayBeCut) throw this.#cut();
  }

  #read(text: string): StoredEvent | null {
    this.#lines += 1;
    if (this.#header === null) {
      this.#header = readHeader(text);
      return null;
    }
    if (this.#isWhole) throw damaged(this.#lines, 'nothing may follow the last line');
    const line = readLine(text, this.#lines);
    switch (line.kind) {
      case 'event':
        return this.#event(line.event, this.#header);
      case 'trailer':
        this.#end(line.trailer);
        return null;
      default:
        return line satisfies never;
    }
  }

  #event({ check, ...event }: EventLine, { first }: Header): StoredEvent {
    const digest = withEvent(this.#digest, event, sha256);
    const isFirst = this.#last === null;
    if (checkOf(event, digest.hash) !== check || (isFirst && first !== event.position)) {
      throw damaged(this.#lines, 'it is not what was exported there, or lines before it are missing');
    }
    this.#digest = digest;
    this.#last = event;
    return event;
  }

  #end({ count, hash, last }: Trailer): void {
    if (count !== this.#digest.count || hash !== this.#digest.hash || last !== (this.#last?.position ?? null)) {
      throw damaged(this.#lines, 'number and hash are not those of the events before it');
    }
    this.#isWhole = true;
  }

  #cut(): RatchetError {
    const message = `the export is cut off after line ${this.#lines}: the line with the number of events is missing`;
    return new RatchetError('export_damaged', message, { details: { line: this.#lines } });
  }
}

function isZlibError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('Z_');
}

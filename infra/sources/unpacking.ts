/** Writes what an archive or a repository holds below one folder, within bounds, and nowhere else whatever names it uses. */
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RatchetError } from '../../src/domain/errors.ts';
import { makeFolder } from '../folder.ts';

export interface UnpackBounds {
  /** Bytes that are fetched or read. */
  readonly archiveBytes: number;
  /** Bytes of all files together. */
  readonly unpackedBytes: number;
  /** Files and folders. */
  readonly entries: number;
  /** Bytes of one path. */
  readonly pathBytes: number;
}

const MIB = 1024 * 1024;

export const UNPACK_BOUNDS: UnpackBounds = {
  archiveBytes: 64 * MIB,
  unpackedBytes: 256 * MIB,
  entries: 20_000,
  pathBytes: 512,
};

/** @returns the error for content that is not taken; the reason says why in a few words. */
export function refusedContent(reason: string, cause?: unknown): RatchetError {
  return new RatchetError('source_refused', reason, cause === undefined ? {} : { cause });
}

export class Unpacking {
  readonly bounds: UnpackBounds;
  readonly #root: string;
  #bytes = 0;
  #entries = 0;

  /** @param root folder that exists and is empty */
  constructor(root: string, bounds: UnpackBounds) {
    this.#root = root;
    this.bounds = bounds;
  }

  /** Bytes that may still be written. */
  get bytesLeft(): number {
    return this.bounds.unpackedBytes - this.#bytes;
  }

  /** Counts a file or folder. Fails with `source_refused` for a name that leads elsewhere, and for too many. */
  enter(name: string): void {
    const reason = reasonAgainst(name, this.bounds.pathBytes);
    if (reason !== null) throw refusedContent(`the entry ${JSON.stringify(name.slice(0, 200))} ${reason}`);
    this.#entries += 1;
    if (this.#entries > this.bounds.entries) throw refusedContent(`more than ${this.bounds.entries} files and folders`);
  }

  /** Counts bytes before they are kept. Fails with `source_refused` for too many. */
  take(bytes: number): void {
    this.#bytes += bytes;
    if (this.bytesLeft < 0) throw refusedContent(`more than ${this.bounds.unpackedBytes} bytes when unpacked`);
  }

  /** Writes a file that was entered and taken. Fails with `source_refused` for a second one of the same name. */
  async write(name: string, content: Uint8Array): Promise<void> {
    const path = join(this.#root, name);
    try {
      makeFolder(dirname(path));
      await writeFile(path, content, { flag: 'wx' });
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'EEXIST' || code === 'ENOTDIR' || code === 'EISDIR') {
        throw refusedContent(`the entry ${JSON.stringify(name)} is there twice`, error);
      }
      throw error;
    }
  }
}

/** Names are judged as any system would read them, so that a copy is safe wherever it is used. */
function reasonAgainst(name: string, pathBytes: number): string | null {
  if (name === '') return 'has no name';
  if (Buffer.byteLength(name) > pathBytes) return `has a path longer than ${pathBytes} bytes`;
  if (name.includes('\0')) return 'has a NUL in its path';
  if (name.startsWith('/') || name.startsWith('\\')) return 'has an absolute path';
  if (/^[A-Za-z]:/.test(name)) return 'has a path with a drive letter';
  const parts = name.replace(/\/$/, '').split(/[/\\]/);
  if (parts.includes('..')) return 'leads out of its folder';
  if (name.includes('\\')) return 'has a backslash in its path';
  return parts.includes('') ? 'has an empty part in its path' : null;
}

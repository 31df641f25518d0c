/** Reads a file that others may have put there: regular files only, never more than a set size, never blocking on a pipe. */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises';
import { isAbsolute, relative, sep } from 'node:path';
import { RatchetError } from '../src/domain/errors.ts';

/** @returns true when `path` is `root` or below it. Both must be absolute and free of links. */
export function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/**
 * Reads a whole regular file that lies, after all links are resolved, below one of `roots` (which must be free of links).
 *
 * @param shown how messages name the file
 * Fails with `file_refused` (outside, or a device, pipe, socket or folder), `not_found`, `body_too_large`.
 */
export async function readRegularFile(
  path: string,
  roots: readonly string[],
  maxBytes: number,
  shown: string = path,
): Promise<Uint8Array> {
  const real = await realpath(path).catch((cause: unknown) => Promise.reject(unreadable(shown, cause)));
  if (!roots.some((root) => isInside(root, real))) throw outside(shown);
  assertRegular(await lstat(real).catch((cause: unknown) => Promise.reject(unreadable(shown, cause))), shown);
  const handle = await open(real, constants.O_RDONLY | noFollow).catch((cause: unknown) =>
    Promise.reject(unreadable(shown, cause)),
  );
  try {
    const stats = await handle.stat();
    assertRegular(stats, shown);
    if (!(await isStillInside(handle, roots))) throw outside(shown);
    if (stats.size > maxBytes) throw tooLarge(shown, maxBytes);
    return await readAtMost(handle, maxBytes, shown);
  } finally {
    await handle.close();
  }
}

/** @returns the error for a file that lies outside what may be read; the same whether or not it exists. */
export function outside(shown: string): RatchetError {
  return new RatchetError('file_refused', `${shown} is not below a folder that may be read`, {
    details: { path: shown },
  });
}

// Without O_NONBLOCK the opening of a pipe put there between check and opening would wait for a writer.
const noFollow = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

function assertRegular(stats: Stats, shown: string): void {
  if (stats.isFile()) return;
  const kind = stats.isDirectory() ? 'a folder' : 'not a regular file';
  throw new RatchetError('file_refused', `${shown} is ${kind}`, { details: { path: shown } });
}

/** A folder on the way can be exchanged for a link between the check and the opening; Linux tells what was really opened. */
async function isStillInside(handle: FileHandle, roots: readonly string[]): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  const opened = await realpath(`/proc/self/fd/${handle.fd}`).catch(() => null);
  return opened === null || roots.some((root) => isInside(root, opened));
}

async function readAtMost(handle: FileHandle, maxBytes: number, shown: string): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    // One byte more than allowed tells a file that grew, or one whose size is not known beforehand.
    const { bytesRead, buffer } = await handle.read({
      buffer: Buffer.allocUnsafe(Math.min(256 * 1024, maxBytes + 1 - total)),
    });
    if (bytesRead === 0) return Buffer.concat(chunks, total);
    total += bytesRead;
    if (total > maxBytes) throw tooLarge(shown, maxBytes);
    chunks.push(buffer.subarray(0, bytesRead));
  }
}

function tooLarge(shown: string, maxBytes: number): RatchetError {
  return new RatchetError('body_too_large', `${shown} is larger than ${maxBytes} bytes`, {
    details: { path: shown, limit: maxBytes },
  });
}

function unreadable(shown: string, cause: unknown): RatchetError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new RatchetError('not_found', `there is no file ${shown}`, { details: { path: shown }, cause });
  }
  return new RatchetError('file_refused', `${shown} cannot be read (${String(code ?? 'unknown reason')})`, {
    details: { path: shown },
    cause,
  });
}

/** The file system as tasks may see it: regular files below the configured roots, read whole. */
import { realpath } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { isRatchetError, RatchetError } from '../src/domain/errors.ts';
import type { Files } from '../src/ports/files.ts';
import { isInside, outside, readRegularFile } from './regular-file.ts';

/**
 * @param roots folders that may be read, with everything below them; a root that does not exist yet is looked for again
 * at each read. Empty: every file is refused.
 */
export function openFiles(roots: readonly string[]): Files {
  const wanted = roots.map((root) => resolve(root));
  return {
    read: async (path, maxBytes) => {
      if (path === '' || path.includes('\0'))
        throw new RatchetError('file_refused', 'the path of the file is not valid');
      const found = await realRoots(wanted);
      const candidates = isAbsolute(path) ? [resolve(path)] : wanted.map((root) => resolve(root, path));
      const inside = candidates.filter((candidate) => [...wanted, ...found].some((root) => isInside(root, candidate)));
      if (inside.length === 0) throw outside(path);
      return await readFirst(inside, found, maxBytes, path);
    },
  };
}

async function readFirst(
  candidates: readonly string[],
  roots: readonly string[],
  maxBytes: number,
  shown: string,
): Promise<Uint8Array> {
  let missing: unknown;
  for (const candidate of candidates) {
    try {
      return await readRegularFile(candidate, roots, maxBytes, shown);
    } catch (error) {
      if (!isRatchetError(error, 'not_found')) throw error;
      missing = error;
    }
  }
  throw missing;
}

async function realRoots(roots: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(roots.map((root) => realpath(root).catch(() => null)));
  return found.filter((root) => root !== null);
}

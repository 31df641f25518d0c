/** Results as lines of a file or of the standard output: whole lines only, and on disk before they count as delivered. */
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RatchetError } from '../src/domain/errors.ts';
import type { ResultLines } from '../src/ports/result-lines.ts';
import { makeFolder } from './folder.ts';

const NEWLINE = '\n'.charCodeAt(0);

/** @param stdout where printed lines go */
export function openResultLines(stdout: NodeJS.WritableStream): ResultLines {
  return {
    // Opened for each line: a file that was moved away is begun anew.
    append: async (path, line) => {
      try {
        makeFolder(dirname(path));
        await appendLine(path, line);
      } catch (cause) {
        throw unwritten('the file of the target', cause);
      }
    },
    print: (line) =>
      new Promise((resolve, reject) => {
        const onError = (cause: unknown): void => reject(unwritten('the standard output', cause));
        stdout.once('error', onError);
        stdout.write(`${line}\n`, (error) => {
          // The event comes after the answer: nobody listening then would end the process.
          if (error !== null && error !== undefined) return onError(error);
          stdout.off('error', onError);
          resolve();
        });
      }),
  };
}

/** What a crash cut short ends before the new line begins. */
async function appendLine(path: string, line: string): Promise<void> {
  const file = await open(path, 'a+', 0o640);
  try {
    const { size } = await file.stat();
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
    const isCut = size > 0 && buffer[0] !== NEWLINE;
    await file.appendFile(`${isCut ? '\n' : ''}${line}\n`);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** The path stays out of it: the message is stored, and read by people who may not know the machine. */
function unwritten(what: string, cause: unknown): RatchetError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  return new RatchetError(isFull ? 'store_full' : 'store_unavailable', `${what} can not be written (${code})`, {
    cause,
  });
}

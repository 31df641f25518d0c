/** The file that mirrors the audit trail: appended only, readable by its owner only, whole lines only. */
import { appendFileSync, closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { RatchetError } from '../src/domain/errors.ts';
import type { Position } from '../src/domain/event.ts';
import type { AuditFile } from '../src/ports/audit-file.ts';

/** More than the longest line; entries hold no payloads. */
const TAIL_BYTES = 256 * 1024;

/** A line that a crash cut short is removed; it is written again. Fails with `configuration_invalid` when it can not be opened. */
export function openAuditFile(path: string): AuditFile {
  let last = mend(path);
  return {
    last: () => last,
    write: (lines) => {
      const [newest] = lines.slice(-1);
      if (newest === undefined) return;
      try {
        appendFileSync(path, lines.map((line) => `${line}\n`).join(''), { mode: 0o600, flush: true });
      } catch (cause) {
        // What was written of it is removed before it is written again.
        last = mend(path);
        const isFull = cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC';
        throw new RatchetError(
          isFull ? 'store_full' : 'store_unavailable',
          `the audit file ${path} can not be written`,
          {
            cause,
          },
        );
      }
      last = positionOf(newest);
    },
  };
}

/** @returns the position of the last whole line, after which the file ends then. */
function mend(path: string): Position | null {
  const file = open(path);
  try {
    const { size } = fstatSync(file);
    const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
    readSync(file, tail, 0, tail.length, size - tail.length);
    const end = tail.lastIndexOf('\n') + 1;
    if (end < tail.length) ftruncateSync(file, size - (tail.length - end));
    const lines = tail.subarray(0, end).toString().trimEnd().split('\n');
    return positionOf(lines.at(-1) ?? '');
  } finally {
    closeSync(file);
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'a+', 0o600);
  } catch (cause) {
    throw new RatchetError('configuration_invalid', `the audit file ${path} can not be opened`, { cause });
  }
}

function positionOf(line: string): Position | null {
  try {
    const entry: unknown = JSON.parse(line);
    const isEntry = typeof entry === 'object' && entry !== null && 'position' in entry;
    return isEntry && typeof entry.position === 'string' ? entry.position : null;
  } catch {
    return null;
  }
}

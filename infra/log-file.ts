/** A file of log lines that begins anew at its limit, never splits a line, and never takes the server down with it. */
import { closeSync, fstatSync, openSync, renameSync, rmSync, type Stats, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { RatchetError } from '../src/domain/errors.ts';
import { makeFolder } from './folder.ts';

export interface LogFileOptions {
  readonly path: string;
  /** Bytes at which the file becomes `path.1` and a new one is begun. */
  readonly maxSize: number;
  /** How many of `path.1` … `path.N` are kept; with 0 a full file is thrown away. */
  readonly maxBackups: number;
  /** Lines collected at most and the longest time in milliseconds that one waits; null writes each at once. */
  readonly buffered: { readonly size: number; readonly flushIntervalMs: number } | null;
  /** @returns the line, with its end, that says how many could not be written, and why. */
  readonly tellDropped: (count: number, reason: string) => string;
}

/** A rotation takes microseconds: a lock as old as this was left by a process that died. */
const STALE_LOCK_MS = 10_000;

/** Appends to the file; several processes may have the same one open. */
export class LogFile {
  readonly #options: LogFileOptions;
  #fd: number | null;
  #buffer: string[] = [];
  #timer: NodeJS.Timeout | null = null;
  /** The rest of a line that only a part of could be written. */
  #rest: Buffer | null = null;
  #dropped = 0;
  #reason = '';
  #isClosed = false;
  readonly #onExit = (): void => this.flush();

  /** Opens it, its folder too. Fails with `configuration_invalid`; the message begins with "Permission denied:" where that is the reason. */
  constructor(options: LogFileOptions) {
    this.#options = options;
    try {
      this.#fd = open(options.path);
    } catch (cause) {
      throw unopened(options.path, cause);
    }
    process.on('exit', this.#onExit);
  }

  /** @param line one line with its end. Ignored after closing. */
  write(line: string): void {
    if (this.#isClosed) return;
    this.#buffer.push(line);
    const { buffered } = this.#options;
    if (buffered === null || this.#buffer.length >= buffered.size) return this.flush();
    this.#timer ??= setTimeout(() => this.flush(), buffered.flushIntervalMs).unref();
  }

  /** Writes what is collected. Lines that can not be written are dropped and counted. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const lines = this.#buffer;
    this.#buffer = [];
    let written = 0;
    try {
      this.#finishLine();
      while (written < lines.length) {
        const told = this.#dropped === 0 ? '' : this.#options.tellDropped(this.#dropped, this.#reason);
        const room = this.#room(Buffer.byteLength(told + lines[written])) - Buffer.byteLength(told);
        written += this.#append(told, lines.slice(written, fitting(lines, written, room)));
        this.#finishLine();
      }
    } catch (error) {
      this.#dropped += lines.length - written;
      this.#reason = reasonOf(error);
    }
  }

  /** Writes what is collected and closes the file. */
  close(): void {
    if (this.#isClosed) return;
    this.flush();
    this.#isClosed = true;
    process.off('exit', this.#onExit);
    this.#release();
  }

  /** @returns how many bytes the file can still take, having begun a new one if `needed` are not left. */
  #room(needed: number): number {
    const { path, maxSize } = this.#options;
    let stats = this.#follow();
    if (stats.isFile() && stats.size > 0 && stats.size + needed > maxSize && this.#rotate()) {
      this.#release();
      this.#fd = open(path);
      stats = fstatSync(this.#fd);
    }
    return stats.isFile() ? maxSize - stats.size : Number.POSITIVE_INFINITY;
  }

  /** Makes sure that the open file is the one at the path: another process may have rotated it, or a person removed it. */
  #follow(): Stats {
    const { path } = this.#options;
    const there = statSync(path, { throwIfNoEntry: false });
    if (this.#fd !== null && there !== undefined) {
      const own = fstatSync(this.#fd);
      if (own.ino === there.ino && own.dev === there.dev) return own;
    }
    this.#release();
    this.#fd = open(path);
    return fstatSync(this.#fd);
  }

  /**
   * Moves each file one number up.
   *
   * @returns false when that can not be done, or another process is doing it: better a file too large than lines lost
   */
  #rotate(): boolean {
    const { path, maxBackups } = this.#options;
    const lock = `${path}.lock`;
    if (!takeLock(lock)) return false;
    try {
      const there = statSync(path, { throwIfNoEntry: false });
      if (there === undefined || this.#fd === null || there.ino !== fstatSync(this.#fd).ino) return true;
      if (maxBackups === 0) rmSync(path);
      for (let number = maxBackups; number > 0; number -= 1) {
        const from = number === 1 ? path : `${path}.${number - 1}`;
        if (statSync(from, { throwIfNoEntry: false }) !== undefined) renameSync(from, `${path}.${number}`);
      }
      return true;
    } catch {
      return false;
    } finally {
      rmSync(lock, { force: true });
    }
  }

  /** Only the end of a line that was cut short may follow it. */
  #finishLine(): void {
    while (this.#rest !== null && this.#fd !== null) {
      const count = writeSync(this.#fd, this.#rest);
      this.#rest = count < this.#rest.length ? this.#rest.subarray(count) : null;
    }
  }

  /** @returns how many of `lines` are written; the end of the last one may still be missing. */
  #append(told: string, lines: readonly string[]): number {
    if (this.#fd === null) return 0;
    const bytes = Buffer.from(told + lines.join(''));
    const count = writeSync(this.#fd, bytes);
    this.#dropped = 0;
    let end = Buffer.byteLength(told);
    let begun = 0;
    for (; begun < lines.length && end < count; begun += 1) end += Buffer.byteLength(lines[begun] ?? '');
    if (end > count) this.#rest = bytes.subarray(count, end);
    return begun;
  }

  #release(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }
}

function open(path: string): number {
  makeFolder(dirname(path));
  return openSync(path, 'a', 0o640);
}

/** @returns the end of the lines from `start` on that go into `size` bytes; at least one does. */
function fitting(lines: readonly string[], start: number, size: number): number {
  let end = start;
  let bytes = 0;
  while (end < lines.length) {
    bytes += Buffer.byteLength(lines[end] ?? '');
    if (bytes > size && end > start) break;
    end += 1;
  }
  return end;
}

function takeLock(lock: string): boolean {
  try {
    closeSync(openSync(lock, 'wx'));
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') return false;
    const held = statSync(lock, { throwIfNoEntry: false });
    if (held !== undefined && Date.now() - held.mtimeMs > STALE_LOCK_MS) rmSync(lock, { force: true });
    return false;
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function unopened(path: string, cause: unknown): RatchetError {
  const code = codeOf(cause);
  const isDenied = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
  const reason = isDenied ? 'Permission denied: ' : '';
  const detail = code === undefined ? '' : ` (${code})`;
  return new RatchetError('configuration_invalid', `${reason}the log file ${path} can not be opened${detail}`, {
    details: { path },
    cause,
  });
}

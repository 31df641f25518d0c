/** Facts about the machine, without which numbers mean nothing. */
import { cpus, loadavg, totalmem } from 'node:os';
import { DatabaseSync } from 'node:sqlite';

export interface Machine {
  readonly processors: number;
  readonly model: string;
  readonly memoryMb: number;
  readonly node: string;
  readonly sqlite: string;
  readonly platform: string;
}

export function machine(): Machine {
  const all = cpus();
  return {
    processors: all.length,
    model: all[0]?.model ?? 'unknown',
    memoryMb: Math.round(totalmem() / 1024 / 1024),
    node: process.version,
    sqlite: sqliteVersion(),
    platform: `${process.platform} ${process.arch}`,
  };
}

function sqliteVersion(): string {
  const db = new DatabaseSync(':memory:');
  const version = String(db.prepare('SELECT sqlite_version() AS version').get()?.['version']);
  db.close();
  return version;
}

/** @returns the load average of the last minute. */
export function load(): number {
  return loadavg()[0] ?? 0;
}

/** Memory outside the heap: a limit on all writable memory of a process, measured from what an idle one needs. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Room for the engine itself: young generation, compiler, thread stacks. */
const ENGINE_KB = 96 * 1024;
/** Writable memory an idle process is taken to need until one was measured; most of it is reserved and never touched. */
const FIRST_GUESS_KB = 640 * 1024;

const MEMORY_CLASSES = [64, 128, 256, 1024] as const;

/** @returns the class of memory that a limit is rounded up to, MiB. */
export function memoryClass(memoryMb: number): number {
  return MEMORY_CLASSES.find((known) => known >= memoryMb) ?? 1024;
}

/** What an idle process keeps in memory. */
const IDLE_RESIDENT_MB = 96;

/** The limit for a process with this heap, KiB, or null where none can be set. */
export type MemoryLimit = (heapMb: number) => number | null;

const limitFrom =
  (baselineKb: number): MemoryLimit =>
  (heapMb) =>
    baselineKb + heapMb * 1024 + ENGINE_KB;

/** No limit: the resident memory has to be watched instead. */
export const NO_LIMIT: MemoryLimit = () => null;

/** What to try first on this system. */
export function firstLimit(): MemoryLimit {
  return process.platform === 'linux' ? limitFrom(FIRST_GUESS_KB) : NO_LIMIT;
}

/**
 * @param pid an idle process, or the wrapper that started it
 * @returns the limit for all further processes; {@link NO_LIMIT} when nothing can be measured
 */
export async function measuredLimit(pid: number | undefined): Promise<MemoryLimit> {
  if (process.platform !== 'linux' || pid === undefined) return NO_LIMIT;
  try {
    const status = await readFile(`/proc/${await innermost(pid)}/status`, 'utf8');
    const baseline = Number(/^VmData:\s+(\d+) kB$/m.exec(status)?.[1]);
    return Number.isFinite(baseline) ? limitFrom(baseline) : NO_LIMIT;
  } catch {
    return NO_LIMIT;
  }
}

/** @returns resident memory of the process started as `pid`, MiB; 0 when the system does not tell. */
export async function residentMb(pid: number): Promise<number> {
  try {
    if (process.platform === 'linux') {
      const status = await readFile(`/proc/${await innermost(pid)}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
    }
    const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)]);
    return Number(stdout) / 1024;
  } catch {
    return 0;
  }
}

/** Resident memory above which a process with this heap is ended where no limit can be set, MiB. */
export function mostResidentMb(heapMb: number): number {
  return heapMb + ENGINE_KB / 1024 + IDLE_RESIDENT_MB;
}

/** A wrapper keeps the process id we know; the task's process is its only descendant. */
async function innermost(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const child = Number(children.trim().split(' ')[0]);
  return child > 0 ? innermost(child) : pid;
}

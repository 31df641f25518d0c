/** Memory outside the heap: a limit on all writable memory of a process, measured from what an idle one needs. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { TaskProcess } from './task-process.ts';

/** Room for the engine itself: young generation, compiler, thread stacks. */
const ENGINE_KB = 96 * 1024;

export interface MemoryLimit {
  /** Limit in KiB for a process with this heap, or null where none can be set. */
  dataKb(heapMb: number): number | null;
}

const NONE: MemoryLimit = { dataKb: () => null };

/** Measures an idle process and sets the limit on it as well, as it was started without one. */
export async function calibrate(first: TaskProcess): Promise<MemoryLimit> {
  if (process.platform !== 'linux' || first.pid === undefined) return NONE;
  try {
    const pid = await innermost(first.pid);
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const baseline = Number(/^VmData:\s+(\d+) kB$/m.exec(status)?.[1]);
    if (!Number.isFinite(baseline)) return NONE;
    const limit: MemoryLimit = { dataKb: (heapMb) => baseline + heapMb * 1024 + ENGINE_KB };
    const bytes = (limit.dataKb(first.heapMb) ?? 0) * 1024;
    await promisify(execFile)('prlimit', ['--pid', String(pid), `--data=${bytes}`]);
    return limit;
  } catch {
    return NONE;
  }
}

/** The wrapper keeps the process id we know; the task's process is its only descendant. */
async function innermost(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const child = Number(children.trim().split(' ')[0]);
  return child > 0 ? innermost(child) : pid;
}

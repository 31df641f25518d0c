/** Reads from /proc what processor time each thread of a server and the processes of its tasks have used. */
import { readdirSync, readFileSync } from 'node:fs';

/** Stages by the names of the threads that do them. */
const STAGES: Readonly<Record<string, string>> = {
  'node-MainThread': 'main',
  'event-writer': 'append',
  projector: 'projection',
};
const SAMPLE_MS = 100;

export interface StageTimes {
  /** Microseconds by stage; `context` is the processes of the tasks, `other` the threads of the engine. */
  readonly micros: Readonly<Record<string, number>>;
}

/** Sums the processor time of a process and its descendants while work runs. Linux only; elsewhere it tells nothing. */
export class ProcessorMeter {
  readonly #pid: number;
  readonly #except: ReadonlySet<number>;
  /** Last reading of each task process: one that is replaced takes its counters with it. */
  readonly #first = new Map<number, number>();
  readonly #last = new Map<number, number>();
  readonly #threads: ReadonlyMap<string, number>;
  readonly #timer: NodeJS.Timeout;

  /** @param except descendants that are not measured, such as those that make the load */
  constructor(pid: number, except: readonly number[] = []) {
    this.#pid = pid;
    this.#except = new Set(except);
    this.#threads = threadsOf(pid);
    for (const [child, micros] of this.#children()) this.#first.set(child, micros);
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  stop(): StageTimes {
    clearInterval(this.#timer);
    this.#sample();
    const micros: Record<string, number> = { main: 0, append: 0, projection: 0, context: 0, other: 0 };
    for (const [key, used] of threadsOf(this.#pid)) {
      const [, name = ''] = key.split(' ');
      const stage = STAGES[name] ?? 'other';
      micros[stage] = (micros[stage] ?? 0) + used - (this.#threads.get(key) ?? 0);
    }
    for (const [pid, used] of this.#last) {
      micros['context'] = (micros['context'] ?? 0) + used - (this.#first.get(pid) ?? 0);
    }
    return { micros };
  }

  #sample(): void {
    for (const [pid, micros] of this.#children()) this.#last.set(pid, micros);
  }

  #children(): [number, number][] {
    return descendants(this.#pid, this.#except).map((pid) => [pid, sum(threadsOf(pid).values())]);
  }
}

/** @returns the ids of all processes below `root`, itself left out. */
export function descendants(root: number, except: ReadonlySet<number> = new Set()): number[] {
  const parents = new Map<number, number[]>();
  for (const name of entries('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    // After the name in parentheses, which may hold spaces: state, then parent.
    const parent = Number(text(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ')[1]);
    parents.set(parent, [...(parents.get(parent) ?? []), pid]);
  }
  const found: number[] = [];
  const add = (pid: number): void => {
    for (const child of parents.get(pid) ?? []) {
      if (except.has(child)) continue;
      found.push(child);
      add(child);
    }
  };
  add(root);
  return found;
}

/** @returns the proportional set size of a process and all below it, MB of a million bytes. */
export function memoryOf(root: number): number {
  return sum([root, ...descendants(root)].map(memoryOfOne));
}

/** @returns the proportional set size of a process alone, MB of a million bytes. */
export function memoryOfOne(pid: number): number {
  return (Number(/^Pss:\s+(\d+) kB/m.exec(text(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) * 1024) / 1e6;
}

/** Microseconds of each thread, by its id and name. */
function threadsOf(pid: number): Map<string, number> {
  const threads = new Map<string, number>();
  for (const id of entries(`/proc/${pid}/task`)) {
    const name = text(`/proc/${pid}/task/${id}/comm`).trim();
    const nanos = Number(text(`/proc/${pid}/task/${id}/schedstat`).split(' ')[0]);
    threads.set(`${id} ${name}`, nanos / 1000);
  }
  return threads;
}

function sum(values: Iterable<number>): number {
  let all = 0;
  for (const value of values) all += value;
  return all;
}

/** A process may end between two looks; its files are then empty. */
function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function entries(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

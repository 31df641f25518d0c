/** The warm processes in which tasks run: handed out one execution at a time, replaced when they die or grow old. */
import { RatchetError } from '../../src/domain/errors.ts';
import type { IsolationLevel, PreparedCode, Sandbox, SandboxLimits, SandboxSession } from '../../src/ports/sandbox.ts';
import { endWhenLarge, findGround, type Ground, WATCH_MS } from './ground.ts';
import { childEntry } from './isolation.ts';
import { memoryClass, NO_LIMIT } from './memory-limit.ts';
import { PreparedCodes } from './prepared-codes.ts';
import { ProcessSession } from './session.ts';
import { TaskProcess } from './task-process.ts';

export interface SandboxOptions {
  /** Most processes at a time. */
  readonly size: number;
  /** Processes kept even when there is nothing to do. Default 2, at most `size`. */
  readonly warm?: number;
  /** Memory class of the processes kept ready, MiB. Default 128. */
  readonly warmMemoryMb?: number;
  /** Executions after which a process is replaced. Default 1000. */
  readonly recycleAfter?: number;
  /** How long an idle process beyond the warm ones is kept, milliseconds. Default 30,000. */
  readonly idleMs?: number;
  /** How long a process may take to become ready, milliseconds. Default 10,000. */
  readonly startTimeoutMs?: number;
  /** Whether a process that dies by itself is replaced. Default true; else there is room for one less from then on. */
  readonly restart?: boolean;
}

const MAX_FAILED_STARTS = 3;

/**
 * Finds the strongest isolation that works here, by starting the first process with it, and opens the pool.
 * Fails with `sandbox_crashed` when no process can be started at all.
 */
export async function openSandbox(options: SandboxOptions): Promise<Sandbox> {
  const settings = withDefaults(options);
  const start = (ground: Ground): TaskProcess => startProcess(ground, settings.warmMemoryMb);
  const { first, ...ground } = await findGround(start, settings.startTimeoutMs);
  return new ProcessPool(settings, ground, first);
}

function startProcess({ way, limit }: Ground, heapMb: number): TaskProcess {
  return new TaskProcess({ way, heapMb, dataKb: limit(heapMb), entry: childEntry() });
}

type Settings = Required<SandboxOptions>;

function withDefaults(options: SandboxOptions): Settings {
  return {
    size: options.size,
    warm: Math.min(options.warm ?? 2, options.size),
    warmMemoryMb: memoryClass(options.warmMemoryMb ?? 128),
    recycleAfter: options.recycleAfter ?? 1000,
    idleMs: options.idleMs ?? 30_000,
    startTimeoutMs: options.startTimeoutMs ?? 10_000,
    restart: options.restart ?? true,
  };
}

interface Waiter {
  readonly heapMb: number;
  readonly resolve: (process: TaskProcess) => void;
  readonly reject: (error: unknown) => void;
}

class ProcessPool implements Sandbox {
  readonly isolation: IsolationLevel;
  readonly #settings: Settings;
  readonly #ground: Ground;
  readonly #prepared = new PreparedCodes();
  readonly #all = new Set<TaskProcess>();
  readonly #starting = new Map<TaskProcess, number>();
  readonly #sweep: NodeJS.Timeout;
  readonly #watch: NodeJS.Timeout | undefined;
  #idle: TaskProcess[] = [];
  #waiters: Waiter[] = [];
  #failedStarts = 0;
  /** Processes that died and are not replaced. */
  #lost = 0;
  #closed = false;

  constructor(settings: Settings, ground: Ground, first: TaskProcess) {
    this.#settings = settings;
    this.#ground = ground;
    this.isolation = ground.way.level;
    this.#sweep = setInterval(() => this.#endOldIdle(), Math.max(10, settings.idleMs / 2)).unref();
    if (ground.limit === NO_LIMIT) this.#watch = setInterval(() => void this.#endLarge(), WATCH_MS).unref();
    this.#adopt(first);
    this.#free(first);
  }

  idle(): number {
    return this.#idle.length;
  }

  async open(limits: SandboxLimits, signal?: AbortSignal): Promise<SandboxSession> {
    if (this.#closed) throw closedError();
    if (this.#size() === 0) throw goneError();
    signal?.throwIfAborted();
    const heapMb = memoryClass(limits.memoryMb);
    const process = this.#takeIdle(heapMb) ?? (await this.#wait(heapMb, signal));
    const session = new ProcessSession(process, limits, (free) => this.#free(free));
    return session;
  }

  prepare(code: string, file: string): PreparedCode {
    return this.#prepared.prepare(code, file);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#sweep);
    clearInterval(this.#watch);
    this.#refuseAll(closedError());
    const ended = [...this.#all].map((process) => process.exited);
    for (const process of this.#all) process.kill(closedError());
    await Promise.all(ended);
  }

  #takeIdle(heapMb: number): TaskProcess | undefined {
    const index = this.#idle.findLastIndex((process) => process.heapMb === heapMb);
    return index < 0 ? undefined : this.#idle.splice(index, 1)[0];
  }

  #wait(heapMb: number, signal: AbortSignal | undefined): Promise<TaskProcess> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiters = this.#waiters.filter((known) => known !== waiter);
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        heapMb,
        resolve: (process) => {
          signal?.removeEventListener('abort', abort);
          resolve(process);
        },
        reject: (error) => {
          signal?.removeEventListener('abort', abort);
          reject(error);
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiters.push(waiter);
      this.#startWhatIsMissing();
    });
  }

  #adopt(process: TaskProcess): void {
    this.#all.add(process);
    process.onEnd(() => {
      this.#all.delete(process);
      this.#starting.delete(process);
      this.#idle = this.#idle.filter((known) => known !== process);
      if (process.died && !this.#settings.restart) this.#lose();
      this.#startWhatIsMissing();
    });
  }

  #size(): number {
    return Math.max(0, this.#settings.size - this.#lost);
  }

  #lose(): void {
    this.#lost += 1;
    if (this.#size() === 0) this.#refuseAll(goneError());
  }

  #refuseAll(error: unknown): void {
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters = [];
  }

  #free(process: TaskProcess): void {
    if (!process.alive) return;
    if (this.#closed || process.executions >= this.#settings.recycleAfter) return process.kill();
    const index = this.#waiters.findIndex((waiter) => waiter.heapMb === process.heapMb);
    const [waiter] = index < 0 ? [] : this.#waiters.splice(index, 1);
    if (waiter !== undefined) return waiter.resolve(process);
    process.idleSince = Date.now();
    this.#idle.push(process);
    this.#startWhatIsMissing();
  }

  /** Starts processes for those who wait, in their order, then for the warm stock. */
  #startWhatIsMissing(): void {
    if (this.#closed) return;
    const underWay = [...this.#starting.values()];
    for (const waiter of this.#waiters) {
      const known = underWay.indexOf(waiter.heapMb);
      if (known >= 0) underWay.splice(known, 1);
      else if (this.#makeRoom()) this.#begin(waiter.heapMb);
      else return;
    }
    const { warm, warmMemoryMb } = this.#settings;
    const alive = [...this.#all].filter((process) => process.heapMb === warmMemoryMb).length;
    for (let missing = warm - alive; missing > 0 && this.#all.size < this.#size(); missing--) this.#begin(warmMemoryMb);
  }

  /** @returns true when one more process may be started, after ending an idle one if need be. */
  #makeRoom(): boolean {
    if (this.#all.size < this.#size()) return true;
    const oldest = this.#idle.shift();
    if (oldest === undefined) return false;
    this.#all.delete(oldest);
    oldest.kill();
    return true;
  }

  #begin(heapMb: number): void {
    const process = startProcess(this.#ground, heapMb);
    this.#starting.set(process, heapMb);
    this.#adopt(process);
    process.ready(this.#settings.startTimeoutMs).then(
      () => {
        this.#failedStarts = 0;
        this.#starting.delete(process);
        this.#free(process);
      },
      (error: unknown) => this.#startFailed(error),
    );
  }

  /** One failure may be chance; after several, those who wait are told instead of waiting for ever. */
  #startFailed(error: unknown): void {
    this.#failedStarts += 1;
    if (this.#failedStarts < MAX_FAILED_STARTS) return;
    this.#refuseAll(error);
  }

  /** Stands in where the system sets no limit on memory outside the heap. */
  async #endLarge(): Promise<void> {
    for (const process of this.#all) {
      if (!this.#idle.includes(process)) await endWhenLarge(process);
    }
  }

  #endOldIdle(): void {
    const { warm, warmMemoryMb, idleMs } = this.#settings;
    const before = Date.now() - idleMs;
    let kept = 0;
    for (const process of [...this.#idle].reverse()) {
      if (process.heapMb === warmMemoryMb && kept < warm) kept += 1;
      else if (process.idleSince < before) process.kill();
    }
  }
}

function goneError(): RatchetError {
  return new RatchetError(
    'sandbox_crashed',
    'every process for tasks has died, and workers.restart_on_failure is off; start the server again, or switch it on',
  );
}

function closedError(): RatchetError {
  return new RatchetError('shutting_down', 'the sandbox is closed');
}

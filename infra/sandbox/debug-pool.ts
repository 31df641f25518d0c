/** The processes in which task code runs under a debugger: a pool of its own, because they may start a thread and an inspector. */
import { RatchetError } from '../../src/domain/errors.ts';
import type { DebuggedSession, DebugSandbox } from '../../src/ports/debug-sandbox.ts';
import type { PreparedCode, Sandbox, SandboxLimits } from '../../src/ports/sandbox.ts';
import { ProcessDebugSession } from './debug-session.ts';
import { endWhenLarge, findGround, type Ground, WATCH_MS } from './ground.ts';
import { debugChildEntry } from './isolation.ts';
import { memoryClass, NO_LIMIT } from './memory-limit.ts';
import { TaskProcess } from './task-process.ts';

export interface DebugSandboxOptions {
  /** Most processes at a time. */
  readonly size: number;
  readonly prepare: Sandbox['prepare'];
  /** How long an idle process is kept for the next session, milliseconds. Default 60,000. */
  readonly idleMs?: number;
  /** How long a process may take to become ready, milliseconds. Default 10,000. */
  readonly startTimeoutMs?: number;
}

/** What the helper thread and the debugger may need on top of the task, MiB: a long text of the task is there several times while it is told. */
const DEBUGGER_MB = 768;

/** Nothing is started before the first session is asked for. */
export function openDebugSandbox(options: DebugSandboxOptions): DebugSandbox {
  return new DebugPool({ idleMs: 60_000, startTimeoutMs: 10_000, ...options });
}

/** A process that was started for whoever comes next. */
interface Warm {
  readonly heapMb: number;
  readonly process: Promise<TaskProcess>;
  readonly timer: NodeJS.Timeout;
}

class DebugPool implements DebugSandbox {
  readonly #options: Required<DebugSandboxOptions>;
  readonly #all = new Set<TaskProcess>();
  readonly #waiting = new Set<PromiseWithResolvers<void>>();
  #ground: Promise<Ground> | undefined;
  /** Sessions that have a place, also while their process starts. */
  #open = 0;
  #warm: Warm | undefined;
  #watch: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: Required<DebugSandboxOptions>) {
    this.#options = options;
  }

  async open(limits: SandboxLimits, signal?: AbortSignal): Promise<DebuggedSession> {
    signal?.throwIfAborted();
    await this.#place(signal);
    const heapMb = memoryClass(limits.memoryMb);
    let process: TaskProcess;
    try {
      process = await this.#process(heapMb, signal);
    } catch (error) {
      this.#leave();
      throw error;
    }
    process.onEnd(() => {
      this.#leave();
      this.#keepWarm(heapMb);
    });
    return new ProcessDebugSession(process, limits);
  }

  prepare(code: string, file: string): PreparedCode {
    return this.#options.prepare(code, file);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#watch);
    clearTimeout(this.#warm?.timer);
    for (const waiting of this.#waiting) waiting.reject(closedError());
    const ended = [...this.#all].map((process) => process.exited);
    for (const process of this.#all) process.kill(closedError());
    await Promise.all(ended);
  }

  /** Waits until one more session may be open. */
  async #place(signal: AbortSignal | undefined): Promise<void> {
    if (this.#closed) throw closedError();
    if (this.#open < this.#options.size) {
      this.#open += 1;
      return;
    }
    const waiting = Promise.withResolvers<void>();
    const abort = (): void => {
      // At once, so that no place is handed to somebody who has left.
      this.#waiting.delete(waiting);
      waiting.reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort, { once: true });
    this.#waiting.add(waiting);
    try {
      await waiting.promise;
    } finally {
      this.#waiting.delete(waiting);
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Hands the place to who waits longest. */
  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#open -= 1;
    } else {
      this.#waiting.delete(next);
      next.resolve();
    }
  }

  async #process(heapMb: number, signal: AbortSignal | undefined): Promise<TaskProcess> {
    const started = this.#takeWarm(heapMb) ?? this.#start(heapMb);
    if (signal === undefined) return await started;
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    try {
      return await Promise.race([started, aborted.promise]);
    } catch (error) {
      started.then(
        (process) => process.kill(),
        () => undefined,
      );
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** One of another class of memory is ended, so that there are never more processes than places. */
  #takeWarm(heapMb: number): Promise<TaskProcess> | undefined {
    const warm = this.#warm;
    if (warm === undefined) return undefined;
    this.#warm = undefined;
    clearTimeout(warm.timer);
    if (warm.heapMb === heapMb) return warm.process.then((process) => (process.alive ? process : this.#start(heapMb)));
    this.#discard(warm);
    return undefined;
  }

  #keepWarm(heapMb: number): void {
    if (this.#closed || this.#warm !== undefined || this.#open >= this.#options.size) return;
    const timer = setTimeout(() => {
      this.#warm = undefined;
      this.#discard(warm);
    }, this.#options.idleMs).unref();
    const warm: Warm = { heapMb, process: this.#start(heapMb), timer };
    // Whoever takes it hears of its failure.
    warm.process.catch(() => undefined);
    this.#warm = warm;
  }

  #discard({ process }: Warm): void {
    process.then(
      (started) => started.kill(),
      () => undefined,
    );
  }

  async #start(heapMb: number): Promise<TaskProcess> {
    if (this.#ground === undefined) return await this.#startFirst(heapMb);
    const process = this.#begin(await this.#ground, heapMb);
    await process.ready(this.#options.startTimeoutMs);
    return process;
  }

  /** Finds the ground for all further processes. When there is none, the next session tries again. */
  async #startFirst(heapMb: number): Promise<TaskProcess> {
    const found = findGround((ground) => this.#begin(ground, heapMb), this.#options.startTimeoutMs);
    this.#ground = found;
    try {
      const { first, limit } = await found;
      if (limit === NO_LIMIT && !this.#closed) this.#watch = setInterval(() => void this.#endLarge(), WATCH_MS).unref();
      return first;
    } catch (error) {
      this.#ground = undefined;
      throw error;
    }
  }

  #begin({ way, limit }: Ground, heapMb: number): TaskProcess {
    if (this.#closed) throw closedError();
    const dataKb = limit(heapMb + DEBUGGER_MB);
    const process = new TaskProcess({ way, heapMb, dataKb, entry: debugChildEntry(), debugged: true });
    this.#all.add(process);
    process.onEnd(() => this.#all.delete(process));
    return process;
  }

  async #endLarge(): Promise<void> {
    for (const process of this.#all) await endWhenLarge(process, DEBUGGER_MB);
  }
}

function closedError(): RatchetError {
  return new RatchetError('shutting_down', 'the debugger is closed');
}

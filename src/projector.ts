/** Runs projections for a process: on a thread of their own beside a file, or in line for a store in memory. */
import { Worker } from 'node:worker_threads';
import { holdLock } from '../infra/event-store/sqlite-lock.ts';
import type { ReadStore } from '../infra/read-store/sqlite.ts';
import { PROJECTIONS } from '../projections/index.ts';
import type { ReadModels } from '../projections/read-models.ts';
import { ProjectionRunner, type ProjectionStatus } from '../projections/runner.ts';
import { asRatchetError, type ErrorCode, RatchetError } from './domain/errors.ts';
import { type Position, START } from './domain/event.ts';
import type { EventStore } from './ports/event-store.ts';
import type { ProjectionProgress } from './ports/read-store.ts';

export interface Projector {
  readonly progress: ProjectionProgress;
  statuses(): readonly ProjectionStatus[];
  rebuild(names: readonly string[] | undefined): Promise<void>;
  close(): Promise<void>;
}

/** What the thread is started with. */
export interface ProjectorSettings {
  readonly eventStoreUrl: string;
  readonly readStoreFile: string;
}

/** An error as it crosses from the thread. */
interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Thread to process, and process to thread. */
export type FromProjector =
  | { readonly type: 'reached'; readonly position: Position }
  | { readonly type: 'statuses'; readonly statuses: readonly ProjectionStatus[] }
  | { readonly type: 'ready' }
  | { readonly type: 'rebuilt'; readonly id: number; readonly error: Refusal | null }
  | { readonly type: 'failed'; readonly message: string };
export type ToProjector =
  | { readonly type: 'rebuild'; readonly id: number; readonly names: readonly string[] | null }
  | { readonly type: 'close' };

/** Who waits for which position. */
class Progress implements ProjectionProgress {
  #position: Position = START;
  #paused: string | null = null;
  #waiters: { readonly position: Position; readonly resolve: () => void; readonly reject: (error: unknown) => void }[] =
    [];

  reach(position: Position, timeoutMs: number): Promise<void> {
    if (this.#paused !== null) return Promise.reject(paused(this.#paused));
    if (position <= this.#position) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((waiter) => waiter.resolve !== done);
        failed(
          new RatchetError('projection_behind', `the read models are not yet at ${position}`, {
            details: { position, reached: this.#position },
          }),
        );
      }, timeoutMs);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const failed = (error: unknown): void => {
        clearTimeout(timer);
        reject(error);
      };
      this.#waiters.push({ position, resolve: done, reject: failed });
    });
  }

  reached(position: Position): void {
    if (position <= this.#position) return;
    this.#position = position;
    const due = this.#waiters.filter((waiter) => waiter.position <= position);
    this.#waiters = this.#waiters.filter((waiter) => waiter.position > position);
    for (const waiter of due) waiter.resolve();
  }

  statuses(statuses: readonly ProjectionStatus[]): void {
    this.#paused = statuses.find((status) => status.status === 'paused')?.name ?? null;
    if (this.#paused === null) return;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(paused(this.#paused));
  }

  /** Statuses are told when they change; between two tellings, what is live moves with the rest. */
  moved(statuses: readonly ProjectionStatus[]): readonly ProjectionStatus[] {
    return statuses.map((told) =>
      told.status === 'live' && told.position < this.#position ? { ...told, position: this.#position } : told,
    );
  }
}

function paused(name: string): RatchetError {
  return new RatchetError('projection_paused', `the projection ${name} has stopped at an event it can not apply`, {
    details: { projection: name },
  });
}

/** Projects in this thread. Resolves when the read models have been made. */
export async function projectInline(
  events: EventStore,
  rows: ReadStore<ReadModels>,
  onTrouble: (error: unknown) => void = () => undefined,
): Promise<Projector> {
  const progress = new Progress();
  const runner = new ProjectionRunner({ events, rows: rows.projections, db: rows.db }, PROJECTIONS, {
    onReached: (position) => progress.reached(position),
    onStatus: (statuses) => progress.statuses(statuses),
  });
  await runner.prepare();
  const stop = new AbortController();
  const running = runner.run(stop.signal);
  running.catch(onTrouble);
  return {
    progress,
    statuses: () => runner.statuses(),
    rebuild: (names) => runner.rebuild(names),
    close: async () => {
      stop.abort();
      await running.catch(() => undefined);
    },
  };
}

/** Projects on a thread; when another process projects the same file already, follows it and takes over when it dies. */
export async function projectOnThread(
  settings: ProjectorSettings,
  onTrouble: (error: unknown) => void,
): Promise<Projector> {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const worker = new Worker(new URL(`./projector-thread${extension}`, import.meta.url), {
    name: 'projector',
    workerData: settings,
  });
  const progress = new Progress();
  const ready = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const rebuilds = new Map<number, { resolve: () => void; reject: (error: unknown) => void }>();
  let statuses: readonly ProjectionStatus[] = [];
  let rebuildId = 0;
  worker.on('message', (message: FromProjector) => {
    switch (message.type) {
      case 'ready':
        return ready.resolve();
      case 'reached':
        return progress.reached(message.position);
      case 'statuses':
        statuses = message.statuses;
        return progress.statuses(statuses);
      case 'rebuilt': {
        const waiting = rebuilds.get(message.id);
        rebuilds.delete(message.id);
        if (message.error === null) return waiting?.resolve();
        return waiting?.reject(new RatchetError(message.error.code, message.error.message));
      }
      case 'failed':
        statuses = statuses.map((status) => ({ ...status, status: 'paused', error: message.message }));
        progress.statuses(statuses);
        return onTrouble(new RatchetError('store_unavailable', message.message));
      default:
        return message satisfies never;
    }
  });
  worker.on('error', (error) => {
    ready.reject(asRatchetError(error));
    onTrouble(error);
  });
  worker.on('exit', () => {
    ready.reject(new RatchetError('internal', 'the projector thread ended'));
    gone.resolve();
  });
  const send = (message: ToProjector): void => worker.postMessage(message);
  await ready.promise;
  return {
    progress,
    statuses: () => progress.moved(statuses),
    rebuild: (names) =>
      new Promise((resolve, reject) => {
        rebuildId += 1;
        rebuilds.set(rebuildId, { resolve, reject });
        send({ type: 'rebuild', id: rebuildId, names: names === undefined ? null : [...names] });
      }),
    close: async () => {
      send({ type: 'close' });
      await gone.promise;
    },
  };
}

/** @returns the lock of the one process that projects this file, or null while another holds it. */
export function projectorLock(readStoreFile: string): ReturnType<typeof holdLock> {
  return holdLock(`${readStoreFile}.lock`);
}

/** What a projector is, and the one that runs in line, for a store in memory. */
import type { PostgresStoreOptions } from '../infra/event-store/postgres.ts';
import type { ReadStore } from '../infra/read-store/read-store.ts';
import { PROJECTIONS } from '../projections/index.ts';
import type { ReadModels } from '../projections/read-models.ts';
import { ProjectionRunner, type ProjectionStatus } from '../projections/runner.ts';
import { RatchetError } from './domain/errors.ts';
import { type Position, START } from './domain/event.ts';
import type { EventStore } from './ports/event-store.ts';
import type { ProjectionProgress } from './ports/read-store.ts';
import type { Refusal } from './ports/rebuild-requests.ts';
import { keepProjecting } from './projecting.ts';

export interface Projector {
  readonly progress: ProjectionProgress;
  statuses(): readonly ProjectionStatus[];
  rebuild(names: readonly string[] | undefined): Promise<void>;
  close(): Promise<void>;
}

/** What the thread is started with. */
export interface ProjectorSettings {
  readonly eventStoreUrl: string;
  /** A SQLite file, or the address of a PostgreSQL database. */
  readonly readStore: string;
  /** Of each, where it is in PostgreSQL. */
  readonly postgres?: PostgresStoreOptions;
  /** False where this process never projects itself, and only follows the one that does. True by default. */
  readonly mayLead?: boolean;
  /** False where this process does not end the turn of an older release that projects. True by default. */
  readonly mayDisplace?: boolean;
}

/** Thread to process, and process to thread. */
export type FromProjector =
  | { readonly type: 'reached'; readonly position: Position }
  | { readonly type: 'statuses'; readonly statuses: readonly ProjectionStatus[] }
  | { readonly type: 'ready' }
  | { readonly type: 'rebuilt'; readonly id: number; readonly error: Refusal | null }
  | { readonly type: 'trouble'; readonly error: Refusal }
  /** The last one of a thread that ends with an error. */
  | { readonly type: 'failed'; readonly error: Refusal };
export type ToProjector =
  | { readonly type: 'rebuild'; readonly id: number; readonly names: readonly string[] | null }
  /** Somebody waits for it. */
  | { readonly type: 'wanted'; readonly position: Position }
  | { readonly type: 'close' };

/** Who waits for which position. */
export class Progress implements ProjectionProgress {
  #position: Position = START;
  /** Why nobody can wait now. */
  #stopped: RatchetError | null = null;
  #waiters: { readonly position: Position; readonly resolve: () => void; readonly reject: (error: unknown) => void }[] =
    [];
  readonly #onWait: (position: Position) => void;

  /** @param onWait told of each position that somebody waits for */
  constructor(onWait: (position: Position) => void = () => undefined) {
    this.#onWait = onWait;
  }

  reach(position: Position, timeoutMs: number): Promise<void> {
    if (this.#stopped !== null) return Promise.reject(this.#stopped);
    if (position <= this.#position) return Promise.resolve();
    this.#onWait(position);
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
    const stopped = statuses.find((status) => status.status === 'paused');
    if (stopped !== undefined) this.stopped(paused(stopped.name));
    else this.#stopped = null;
  }

  /** Those who wait, and those who come, are told `error`, until statuses are told again. */
  stopped(error: RatchetError): void {
    this.#stopped = error;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
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
  const running = keepProjecting(runner, onTrouble, stop.signal);
  return {
    progress,
    statuses: () => runner.statuses(),
    rebuild: (names) => runner.rebuild(names),
    close: async () => {
      stop.abort();
      await running;
    },
  };
}

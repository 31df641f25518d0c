/** Runs projections on a thread of their own beside a file, and starts the thread anew when it has died. */
import { Worker } from 'node:worker_threads';
import type { ProjectionStatus } from '../projections/runner.ts';
import { RatchetError } from './domain/errors.ts';
import { type FromProjector, Progress, type Projector, type ProjectorSettings, type ToProjector } from './projector.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** How long a process that never projects waits for read models that nobody has made yet, and when it says that it does. */
const NOBODY_PROJECTS_MS = 60_000;
const SAYS_SO_MS = 2_000;

interface Rebuild {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

class ThreadedProjector implements Projector {
  readonly progress = new Progress((position) => this.#tell({ type: 'wanted', position }));
  readonly #settings: ProjectorSettings;
  readonly #onTrouble: (error: unknown) => void;
  readonly #rebuilds = new Map<number, Rebuild>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();
  #worker: Worker | null = null;
  #statuses: readonly ProjectionStatus[] = [];
  #rebuildId = 0;
  #isReady = false;
  #isClosing = false;
  #lastError: unknown = null;
  #pauseMs = FIRST_PAUSE_MS;
  #restart: NodeJS.Timeout | null = null;

  constructor(settings: ProjectorSettings, onTrouble: (error: unknown) => void) {
    this.#settings = settings;
    this.#onTrouble = onTrouble;
  }

  /** Resolves when the read models have been made. Fails as the first thread does; later ones are started again. */
  start(): Promise<void> {
    this.#startThread();
    return this.#ready.promise;
  }

  /** Ends a start that waits for another process to make the read models. */
  giveUp(): void {
    const words = 'the read models have not been made: start a node with the role projector on the same databases';
    this.#ready.reject(new RatchetError('store_unavailable', words));
  }

  statuses(): readonly ProjectionStatus[] {
    return this.progress.moved(this.#statuses);
  }

  rebuild(names: readonly string[] | undefined): Promise<void> {
    if (this.#worker === null) return Promise.reject(this.#gone());
    return new Promise((resolve, reject) => {
      this.#rebuildId += 1;
      this.#rebuilds.set(this.#rebuildId, { resolve, reject });
      this.#tell({ type: 'rebuild', id: this.#rebuildId, names: names === undefined ? null : [...names] });
    });
  }

  close(): Promise<void> {
    this.#isClosing = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    if (this.#worker === null) this.#closed.resolve();
    else this.#tell({ type: 'close' });
    return this.#closed.promise;
  }

  #tell(message: ToProjector): void {
    this.#worker?.postMessage(message);
  }

  #startThread(): void {
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    const worker = new Worker(new URL(`./projector-thread${extension}`, import.meta.url), {
      name: 'projector',
      workerData: this.#settings,
    });
    this.#worker = worker;
    worker.on('message', (message: FromProjector) => this.#take(message));
    worker.on('error', (error) => (this.#lastError = error));
    worker.on('exit', () => this.#ended());
  }

  #take(message: FromProjector): void {
    switch (message.type) {
      case 'ready':
        this.#isReady = true;
        this.#pauseMs = FIRST_PAUSE_MS;
        return this.#ready.resolve();
      case 'reached':
        return this.progress.reached(message.position);
      case 'statuses':
        this.#statuses = message.statuses;
        return this.progress.statuses(message.statuses);
      case 'rebuilt': {
        const waiting = this.#rebuilds.get(message.id);
        this.#rebuilds.delete(message.id);
        if (message.error === null) return waiting?.resolve();
        return waiting?.reject(new RatchetError(message.error.code, message.error.message));
      }
      case 'trouble':
        return this.#onTrouble(new RatchetError(message.error.code, message.error.message));
      case 'failed':
        this.#lastError = new RatchetError(message.error.code, message.error.message);
        return;
      default:
        return message satisfies never;
    }
  }

  #ended(): void {
    this.#worker = null;
    const error = this.#gone();
    this.progress.stopped(error);
    for (const { reject } of this.#rebuilds.values()) reject(error);
    this.#rebuilds.clear();
    if (this.#isClosing) return this.#closed.resolve();
    if (!this.#isReady) return this.#ready.reject(this.#lastError ?? error);
    this.#statuses = this.#statuses.map((status) => ({ ...status, status: 'paused', error: error.message }));
    this.#onTrouble(error);
    this.#restart = setTimeout(() => this.#startThread(), this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }

  #gone(): RatchetError {
    const words = this.#isClosing ? 'the projector is closed' : 'the projector thread has ended and is started again';
    return new RatchetError('store_unavailable', words, { cause: this.#lastError });
  }
}

/**
 * Projects on a thread; when another process projects the same store already, follows it and takes over when it dies. A
 * process that may not project itself fails with `store_unavailable` where no other has made the read models within a minute,
 * and calls `onWaiting` when that takes longer than a moment.
 */
export async function projectOnThread(
  settings: ProjectorSettings,
  onTrouble: (error: unknown) => void,
  onWaiting: () => void = () => undefined,
): Promise<Projector> {
  const projector = new ThreadedProjector(settings, onTrouble);
  const timers =
    settings.mayLead === false
      ? [setTimeout(onWaiting, SAYS_SO_MS), setTimeout(() => projector.giveUp(), NOBODY_PROJECTS_MS)]
      : [];
  try {
    await projector.start();
  } catch (error) {
    await projector.close();
    throw error;
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
  return projector;
}

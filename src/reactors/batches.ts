/** Moves batches on: follows the ends of their items, whichever process runs them, and looks after those that nobody else does. */
import type { ExecuteDeps } from '../../commands/execute-task.ts';
import { type BatchWork, batchWork, endOf, nextLook, readBatch, runBatch } from '../../commands/run-batch.ts';
import type { BatchEvent, BatchRequest } from '../domain/batch.ts';
import { idOf, type Position, type StoredEvent } from '../domain/event.ts';
import { type ExecutionEvent, TERMINAL_EVENT_TYPES } from '../domain/execution.ts';
import { decode } from '../domain/history.ts';
import type { EventPage } from '../ports/event-store.ts';
import { keepFollowing } from './keep-following.ts';

const FILTER = {
  categories: ['batch', 'execution'],
  types: [...TERMINAL_EVENT_TYPES, 'BatchRequested', 'BatchItemStarted', 'BatchCancelRequested', 'BatchEnded'],
} as const;
/** What was missed, for whatever reason, is found again after at most this many milliseconds; so is a batch that its node has left. */
const SEARCH_MS = 10_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;

export interface BatchesDeps extends ExecuteDeps {
  /** Ids of the batches that have not ended, as far as the read models know. */
  readonly openBatches: () => Promise<readonly string[]>;
  /** Whether this node moves batches on; should two believe so for a moment, their streams let one win. */
  readonly isElected: () => boolean;
}

/** A batch that has not ended. */
interface Open {
  readonly work: BatchWork;
  /** What is being done about it; null when nothing is. */
  running: Promise<void> | null;
  isRegistered: boolean;
  /** Whether there is news since that began. */
  hasNews: boolean;
  /** Not looked at before this time, milliseconds since the epoch: after an error, or while another node moves it on. */
  notBefore: number;
  pauseMs: number;
}

export class Batches {
  readonly #deps: BatchesDeps;
  readonly #onTrouble: (error: unknown) => void;
  readonly #open = new Map<string, Open>();
  /** The batch and the item that an execution stands for. */
  readonly #items = new Map<string, { readonly open: Open; readonly item: string }>();
  #timer: NodeJS.Timeout | null = null;
  #searchAt = 0;
  #closed = false;

  constructor(deps: BatchesDeps, onTrouble: (error: unknown) => void) {
    this.#deps = deps;
    this.#onTrouble = onTrouble;
  }

  /**
   * Takes up all batches that have not ended, and goes on until `signal` aborts.
   *
   * @param from a position that the read models have reached
   */
  async start(from: Position, signal: AbortSignal): Promise<void> {
    const onPage = (page: EventPage): void => {
      for (const stored of page.events) this.#note(stored);
    };
    void keepFollowing(this.#deps.store, { from, filter: FILTER, onPage, onTrouble: this.#onTrouble }, signal);
    await this.#look();
  }

  /** Lets what is being done come to its end, and does nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await Promise.all([...this.#open.values()].flatMap(({ running }) => running ?? []));
  }

  #note(stored: StoredEvent): void {
    const event = decode<BatchEvent | ExecutionEvent>(stored);
    const id = idOf(stored.stream);
    switch (event.type) {
      case 'ExecutionCompleted':
      case 'ExecutionFailed':
      case 'ExecutionCancelled': {
        const found = this.#items.get(id);
        if (found === undefined) return;
        found.open.work.ends.set(found.item, endOf(found.item, event));
        return this.#wake(found.open);
      }
      case 'BatchRequested':
        this.#register(this.#opened(id), event.data);
        return this.#wake(this.#opened(id));
      case 'BatchItemStarted':
      case 'BatchCancelRequested':
      case 'BatchEnded': {
        const open = this.#open.get(id);
        if (open === undefined || stored.version <= open.work.known.version) return;
        open.work.heard = Math.max(open.work.heard, stored.version);
        return this.#wake(open);
      }
      default:
        return;
    }
  }

  #opened(batchId: string): Open {
    const known = this.#open.get(batchId);
    if (known !== undefined) return known;
    const work = batchWork(batchId);
    const open: Open = {
      work,
      isRegistered: false,
      running: null,
      hasNews: false,
      notBefore: 0,
      pauseMs: FIRST_PAUSE_MS,
    };
    this.#open.set(batchId, open);
    return open;
  }

  #wake(open: Open): void {
    open.hasNews = true;
    if (this.#closed || open.running !== null || open.notBefore > this.#deps.runtime.now()) return;
    open.running = this.#run(open).finally(() => {
      open.running = null;
      if (this.#closed) return;
      if (open.hasNews && open.notBefore === 0) this.#wake(open);
      else this.#arm();
    });
  }

  async #run(open: Open): Promise<void> {
    open.hasNews = false;
    const { work } = open;
    try {
      // Its executions are known before the next one can end.
      const state = await readBatch(this.#deps, work);
      if (state.status === 'running') this.#register(open, state.request);
      if (this.#deps.isElected()) {
        await runBatch(this.#deps, work);
        Object.assign(open, { notBefore: 0, pauseMs: FIRST_PAUSE_MS });
      } else open.notBefore = this.#deps.runtime.now() + SEARCH_MS;
    } catch (error) {
      this.#onTrouble(error);
      open.notBefore = this.#deps.runtime.now() + open.pauseMs;
      open.pauseMs = Math.min(open.pauseMs * 2, LONGEST_PAUSE_MS);
    }
    const { state } = work.known;
    if (state.status === 'none' || state.status === 'running') return;
    for (const { executionId } of state.request.items) this.#items.delete(executionId);
    this.#open.delete(work.batchId);
  }

  #register(open: Open, { items }: BatchRequest): void {
    if (open.isRegistered) return;
    open.isRegistered = true;
    for (const { id, executionId } of items) this.#items.set(executionId, { open, item: id });
  }

  /** Does what has become due by the clock, and searches for what was missed. */
  async #look(): Promise<void> {
    const now = this.#deps.runtime.now();
    if (now >= this.#searchAt) {
      this.#searchAt = now + SEARCH_MS;
      await this.#search();
    }
    for (const open of this.#open.values()) {
      if (dueTime(open) > now) continue;
      open.notBefore = 0;
      this.#wake(open);
    }
    this.#arm();
  }

  async #search(): Promise<void> {
    try {
      for (const id of await this.#deps.openBatches()) if (!this.#open.has(id)) this.#wake(this.#opened(id));
    } catch (error) {
      this.#onTrouble(error);
    }
  }

  #arm(): void {
    if (this.#closed) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const at = Math.min(this.#searchAt, ...[...this.#open.values()].map(dueTime));
    this.#timer = setTimeout(() => void this.#look(), Math.max(1, at - this.#deps.runtime.now()));
  }
}

/** @returns when there is something to do about it, milliseconds since the epoch; infinite for never. */
function dueTime({ work, running, notBefore }: Open): number {
  if (running !== null) return Number.POSITIVE_INFINITY;
  return notBefore > 0 ? notBefore : nextLook(work);
}

/** Keeps all tasks in memory, folded from their events, so that a request finds its task without a query. */
import { RatchetError } from '../domain/errors.ts';
import { idOf, type Position, START } from '../domain/event.ts';
import { decode } from '../domain/history.ts';
import { type ExistingTask, type TaskEvent, type TaskState, task } from '../domain/task.ts';
import type { EventPage, EventStore } from '../ports/event-store.ts';
import type { TaskDirectory } from '../ports/task-directory.ts';
import { keepFollowing } from './keep-following.ts';

const REACH_MS = 10_000;
const FILTER = { categories: ['task'] } as const;

interface Waiter {
  readonly position: Position;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class FollowedTasks implements TaskDirectory {
  readonly #store: EventStore;
  readonly #byId = new Map<string, TaskState>();
  readonly #idByAlias = new Map<string, string>();
  #position: Position = START;
  readonly #waiters = new Set<Waiter>();

  constructor(store: EventStore) {
    this.#store = store;
  }

  find(nameOrId: string): ExistingTask | undefined {
    const state = this.#byId.get(nameOrId) ?? this.#byId.get(this.#idByAlias.get(nameOrId) ?? '');
    return state === undefined || state.status === 'none' ? undefined : state;
  }

  all(): readonly ExistingTask[] {
    return [...this.#byId.values()]
      .filter((state): state is ExistingTask => state.status !== 'none' && state.status !== 'deleted')
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Waits at most `timeoutMs`, 10,000 by default.
   * Fails with `timeout` after that, and with `shutting_down` when the following ends meanwhile.
   */
  async reach(position: Position, timeoutMs = REACH_MS): Promise<void> {
    if (position <= this.#position) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { position, resolve, reject };
    const timer = setTimeout(() => {
      const details = { position, reached: this.#position };
      reject(new RatchetError('timeout', `the tasks are not yet known up to ${position}`, { details }));
    }, timeoutMs);
    this.#waiters.add(waiter);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    }
  }

  /** Folds everything that is stored; resolves at the head. */
  async load(): Promise<void> {
    for (;;) {
      const page = await this.#store.readAll(this.#position, FILTER, 1_000);
      this.#fold(page);
      if (page.atHead) return;
    }
  }

  /** Goes on folding until `signal` aborts; those who wait then are told so. */
  async follow(onTrouble: (error: unknown) => void, signal: AbortSignal): Promise<void> {
    const onPage = (page: EventPage): void => this.#fold(page);
    await keepFollowing(this.#store, { from: this.#position, filter: FILTER, onPage, onTrouble }, signal);
    for (const { reject } of this.#waiters) {
      reject(new RatchetError('shutting_down', 'this process ends and follows the tasks no longer'));
    }
  }

  #fold(page: EventPage): void {
    // All or none: a page with an event that can not be read is brought again.
    const decoded = page.events.map((stored) => ({ id: idOf(stored.stream), event: decode<TaskEvent>(stored) }));
    for (const { id, event } of decoded) {
      const state = task.evolve(this.#byId.get(id) ?? task.initial, event);
      this.#byId.set(id, state);
      if (state.status === 'none') continue;
      this.#idByAlias.set(state.name, id);
      if (state.uuid !== null) this.#idByAlias.set(state.uuid, id);
    }
    this.#position = page.position;
    for (const waiter of this.#waiters) if (waiter.position <= page.position) waiter.resolve();
  }
}

/** Keeps all tasks in memory, folded from their events, so that a request finds its task without a query. */
import { idOf, type Position, START } from '../domain/event.ts';
import { decode } from '../domain/history.ts';
import { type ExistingTask, type TaskEvent, type TaskState, task } from '../domain/task.ts';
import type { EventStore } from '../ports/event-store.ts';
import type { TaskDirectory } from '../ports/task-directory.ts';

export class FollowedTasks implements TaskDirectory {
  readonly #store: EventStore;
  readonly #byId = new Map<string, TaskState>();
  readonly #idByAlias = new Map<string, string>();
  #position: Position = START;
  #reached: { readonly position: Position; readonly resolve: () => void }[] = [];

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

  reach(position: Position): Promise<void> {
    if (position <= this.#position) return Promise.resolve();
    return new Promise((resolve) => this.#reached.push({ position, resolve }));
  }

  /** Folds everything that is stored; resolves at the head. */
  async load(): Promise<void> {
    for (;;) {
      const page = await this.#store.readAll(this.#position, { categories: ['task'] }, 1_000);
      this.#fold(page);
      if (page.atHead) return;
    }
  }

  /** Goes on folding until `signal` aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    for await (const page of this.#store.subscribe(this.#position, { categories: ['task'] }, signal)) this.#fold(page);
  }

  #fold(page: Awaited<ReturnType<EventStore['readAll']>>): void {
    for (const stored of page.events) {
      const id = idOf(stored.stream);
      const state = task.evolve(this.#byId.get(id) ?? task.initial, decode<TaskEvent>(stored));
      this.#byId.set(id, state);
      if (state.status === 'none') continue;
      this.#idByAlias.set(state.name, id);
      if (state.uuid !== null) this.#idByAlias.set(state.uuid, id);
    }
    this.#position = page.position;
    const due = this.#reached.filter((waiting) => waiting.position <= page.position);
    this.#reached = this.#reached.filter((waiting) => waiting.position > page.position);
    for (const waiting of due) waiting.resolve();
  }
}

/** How many executions of one client run at once: those beyond wait for their own kind, and keep nobody else waiting. */
import { PriorityQueue } from './priority-queue.ts';

interface Client {
  running: number;
  readonly waiting: PriorityQueue;
}

export class ClientPlaces {
  readonly #max: number;
  /** Clients of whom something runs. */
  readonly #clients = new Map<string, Client>();
  /** Places that were given to those that waited, until they come for them. */
  readonly #handed = new Map<string, string>();
  /** Priorities of those that wait. */
  readonly #priorities = new Map<string, number>();

  /** @param max for each client; null: no limit */
  constructor(max: number | null) {
    this.#max = max ?? Number.POSITIVE_INFINITY;
  }

  /** Executions that wait for others of their client. */
  get waiting(): number {
    return this.#priorities.size;
  }

  isWaiting(executionId: string): boolean {
    return this.#priorities.has(executionId);
  }

  /** @returns whether there was a place, which is then taken. */
  enter(name: string): boolean {
    const client = this.#clients.get(name) ?? { running: 0, waiting: new PriorityQueue() };
    if (client.running >= this.#max) return false;
    client.running += 1;
    this.#clients.set(name, client);
    return true;
  }

  /** Keeps an execution that found no place until another of its client leaves. */
  wait(name: string, executionId: string, priority: number): void {
    this.#clients.get(name)?.waiting.push(executionId, priority);
    this.#priorities.set(executionId, priority);
  }

  /** Gives a place back, which goes to the next that waits. @returns that one, to be offered again. */
  leave(name: string): { readonly executionId: string; readonly priority: number } | null {
    const client = this.#clients.get(name);
    if (client === undefined) return null;
    const executionId = client.waiting.pop();
    if (executionId === undefined) {
      client.running -= 1;
      if (client.running === 0) this.#clients.delete(name);
      return null;
    }
    const priority = this.#priorities.get(executionId) ?? 0;
    this.#priorities.delete(executionId);
    this.#handed.set(executionId, name);
    return { executionId, priority };
  }

  /** @returns whose place an execution was given while it waited; null when it has none yet. It has to leave that place. */
  given(executionId: string): string | null {
    const name = this.#handed.get(executionId) ?? null;
    this.#handed.delete(executionId);
    return name;
  }
}

/** The executions that wait here for a free place: higher priority first; among equals each client in its turn, so that one with thousands keeps nobody waiting. */
import type { Due } from '../ports/dispatch-table.ts';

/** Priorities are whole numbers: what belongs to no client goes before its equals, and behind all that is higher. */
const BEFORE_EQUALS = 0.5;

/** First in, first out; taking does not move what is left. */
interface Line {
  readonly ids: string[];
  head: number;
}

export class FairQueue {
  /** By priority, the lines of the clients: whose turn is next comes first. */
  readonly #levels = new Map<number, Map<string, Line>>();
  readonly #ids = new Set<string>();

  get size(): number {
    return this.#ids.size;
  }

  /** An id that stands in it already keeps its place. */
  push({ executionId: id, client, priority }: Due): void {
    if (this.#ids.has(id)) return;
    this.#ids.add(id);
    const rank = client === '' ? priority + BEFORE_EQUALS : priority;
    const level = this.#levels.get(rank) ?? new Map<string, Line>();
    this.#levels.set(rank, level);
    const line = level.get(client) ?? { ids: [], head: 0 };
    level.set(client, line);
    line.ids.push(id);
  }

  pop(): string | undefined {
    if (this.#ids.size === 0) return undefined;
    const priority = Math.max(...this.#levels.keys());
    const level = this.#levels.get(priority);
    const [next] = level ?? [];
    if (level === undefined || next === undefined) return undefined;
    const [client, line] = next;
    const id = line.ids[line.head];
    line.head += 1;
    level.delete(client);
    if (line.head < line.ids.length) level.set(client, line);
    if (level.size === 0) this.#levels.delete(priority);
    if (id !== undefined) this.#ids.delete(id);
    return id;
  }
}

/** The executions that wait here for a free place: higher priority first, then first come, first served. */

interface Entry {
  readonly id: string;
  readonly priority: number;
  readonly order: number;
}

/** A binary heap with a set beside it, so that an id stands in it once. */
export class PriorityQueue {
  readonly #heap: Entry[] = [];
  readonly #ids = new Set<string>();
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  push(id: string, priority: number): void {
    if (this.#ids.has(id)) return;
    this.#ids.add(id);
    this.#heap.push({ id, priority, order: this.#order });
    this.#order += 1;
    this.#up(this.#heap.length - 1);
  }

  pop(): string | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined) return undefined;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#down(0);
    }
    this.#ids.delete(first.id);
    return first.id;
  }

  #up(from: number): void {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#swapIfBefore(at, above)) return;
      at = above;
    }
  }

  #down(from: number): void {
    let at = from;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= this.#heap.length) return;
      const below = left + 1 < this.#heap.length && this.#isBefore(left + 1, left) ? left + 1 : left;
      if (!this.#swapIfBefore(below, at)) return;
      at = below;
    }
  }

  #swapIfBefore(a: number, b: number): boolean {
    const x = this.#heap[a];
    const y = this.#heap[b];
    if (x === undefined || y === undefined || !this.#isBefore(a, b)) return false;
    this.#heap[a] = y;
    this.#heap[b] = x;
    return true;
  }

  #isBefore(a: number, b: number): boolean {
    const x = this.#heap[a];
    const y = this.#heap[b];
    if (x === undefined || y === undefined) return false;
    return x.priority !== y.priority ? x.priority > y.priority : x.order < y.order;
  }
}

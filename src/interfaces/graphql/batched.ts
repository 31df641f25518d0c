/** Gathers what sibling fields ask for into one reading, so that a page of executions costs a handful of statements. */

/** Keys in one reading; databases bound the number of parameters of a statement. */
const MAX_KEYS = 500;

interface Batch<Value> {
  readonly keys: Set<string>;
  readonly found: Promise<ReadonlyMap<string, Value>>;
}

/** Nothing is remembered beyond one reading, so that a long subscription sees what is new. */
export class Batched<Args, Value> {
  readonly #read: (keys: readonly string[], args: Args) => Promise<ReadonlyMap<string, Value>>;
  /** Those that still take keys, by their arguments. */
  readonly #open = new Map<string, Batch<Value>>();

  /** @param read finds the values of many keys, all asked for with the same arguments */
  constructor(read: (keys: readonly string[], args: Args) => Promise<ReadonlyMap<string, Value>>) {
    this.#read = read;
  }

  /** @returns what is found for `key`, undefined for nothing. Fails as the reading does. */
  async load(key: string, args: Args): Promise<Value | undefined> {
    const kind = JSON.stringify(args);
    const open = this.#open.get(kind);
    const batch = open === undefined || open.keys.size >= MAX_KEYS ? this.#begin(kind, args) : open;
    batch.keys.add(key);
    return (await batch.found).get(key);
  }

  #begin(kind: string, args: Args): Batch<Value> {
    const keys = new Set<string>();
    const found = settled().then(() => {
      if (this.#open.get(kind)?.keys === keys) this.#open.delete(kind);
      return this.#read([...keys], args);
    });
    const batch = { keys, found };
    this.#open.set(kind, batch);
    return batch;
  }
}

/** Resolves after everything that is ready to go on has gone on, and so has asked for what it needs. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

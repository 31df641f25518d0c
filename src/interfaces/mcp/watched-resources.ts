/** The resources that one conversation watches: the same on every node that holds its session. */

export interface Remembering {
  /** Watched already, on another node or before a restart. */
  readonly uris: Iterable<string>;
  /** Makes a change known to the other nodes. */
  readonly remember: (uri: string, isWatched: boolean) => Promise<void>;
}

export class WatchedResources {
  readonly #uris: Set<string>;
  readonly #remember: Remembering['remember'] | null;
  #onUse: (() => void) | null = null;

  /** @param remembering none for a conversation that no other node can go on with */
  constructor(remembering: Remembering | null = null) {
    this.#uris = new Set(remembering?.uris);
    this.#remember = remembering?.remember ?? null;
  }

  get size(): number {
    return this.#uris.size;
  }

  has(uri: string): boolean {
    return this.#uris.has(uri);
  }

  /** Calls once, as soon as anything is watched. */
  whenUsed(onUse: () => void): void {
    if (this.size > 0) onUse();
    else this.#onUse = onUse;
  }

  /** Changes it here and on the other nodes. Fails with an error of the store, and changes nothing then. */
  async change(uri: string, isWatched: boolean): Promise<void> {
    if (this.has(uri) === isWatched) return;
    await this.#remember?.(uri, isWatched);
    this.heard(uri, isWatched);
  }

  /** Takes in what the client said to another node. */
  heard(uri: string, isWatched: boolean): void {
    if (!isWatched) return void this.#uris.delete(uri);
    this.#uris.add(uri);
    this.#onUse?.();
    this.#onUse = null;
  }
}

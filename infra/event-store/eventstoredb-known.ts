/** Remembers which event ids stand where, because the server finds an id again only at the very revision it is asked for. */
import type { StoredAt } from './rules.ts';

/** Ids kept; beyond, streams that were not used for longest are forgotten, and read again when needed. */
const MOST_IDS = 100_000;

interface KnownStream {
  readonly ids: string[];
  /** Revision of the first of them. */
  readonly first: number;
}

export class KnownEvents {
  readonly #streams = new Map<string, KnownStream>();
  readonly #places = new Map<string, StoredAt>();
  readonly #most: number;

  constructor(most = MOST_IDS) {
    this.#most = most;
  }

  /** @returns the revision of the last event known of a stream, -1 for none, or null when its beginning is not known. */
  lastOf(stream: string): number | null {
    const known = this.#streams.get(stream);
    return known === undefined ? null : known.first + known.ids.length - 1;
  }

  /** @returns where an event is, as far as it is known. */
  find(eventId: string): StoredAt | undefined {
    return this.#places.get(eventId);
  }

  /**
   * Notes events that follow what is known of a stream, or with which it begins; of others it is not known what stands
   * before them, and they are not noted.
   */
  add(stream: string, first: number, ids: readonly string[], isBeginning: boolean): void {
    const before = this.#streams.get(stream);
    if (before === undefined ? !isBeginning : first !== before.first + before.ids.length) return;
    const known = before ?? { ids: [], first };
    for (const [index, id] of ids.entries()) {
      known.ids.push(id);
      this.#places.set(id, { stream, version: first + index, at: 0 });
    }
    // Used last, forgotten last.
    this.#streams.delete(stream);
    this.#streams.set(stream, known);
    this.#forgetOldest(stream);
  }

  #forgetOldest(used: string): void {
    for (const [stream, { ids }] of this.#streams) {
      if (this.#places.size <= this.#most || stream === used) return;
      for (const id of ids) this.#places.delete(id);
      this.#streams.delete(stream);
    }
  }
}

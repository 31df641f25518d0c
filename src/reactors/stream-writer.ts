/** Appends to one stream at explicit revisions for the attempt that owns it: a newer attempt ends it at once (fencing). */
import type { CommandMeta } from '../../commands/command.ts';
import { type Deps, envelopes } from '../../commands/handle.ts';
import { isRatchetError, RatchetError } from '../domain/errors.ts';
import type { Fact, Position, StoredEvent } from '../domain/event.ts';

interface Waiting {
  readonly facts: readonly Fact[];
  readonly resolve: (position: Position) => void;
  readonly reject: (error: unknown) => void;
}

export interface StreamOwner {
  readonly stream: string;
  /** Version of the last event known; -1 for none. */
  readonly version: number;
  readonly meta: Omit<CommandMeta, 'now'>;
  /** Throws when one of the events that came in between ends this owner's right to write. */
  readonly fence: (events: readonly StoredEvent[]) => void;
}

/** Facts that are asked for while an append is under way travel together in the next one. */
export class StreamWriter {
  readonly #deps: Deps;
  readonly #owner: StreamOwner;
  #version: number;
  #count = 0;
  #queue: Waiting[] = [];
  #draining = false;
  #broken: { readonly error: unknown } | null = null;

  constructor(deps: Deps, owner: StreamOwner) {
    this.#deps = deps;
    this.#owner = owner;
    this.#version = owner.version;
  }

  /** Resolves when the facts are durable, in the order of the calls. Rejects when fenced, or with an error of the store. */
  append(facts: readonly Fact[]): Promise<Position> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== null) return reject(this.#broken.error);
      this.#queue.push({ facts, resolve, reject });
      if (!this.#draining) void this.#drain();
    });
  }

  /** True while facts wait or are being appended. */
  get isBusy(): boolean {
    return this.#draining;
  }

  async #drain(): Promise<void> {
    this.#draining = true;
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      try {
        const position = await this.#write(batch.flatMap((waiting) => waiting.facts));
        for (const waiting of batch) waiting.resolve(position);
      } catch (error) {
        for (const waiting of batch) waiting.reject(error);
        // What the store refuses for its content says nothing about what comes after it.
        if (isRatchetError(error, 'payload_too_large') || isRatchetError(error, 'invalid_request')) continue;
        this.#broken = { error };
        for (const waiting of this.#queue) waiting.reject(error);
        this.#queue = [];
      }
    }
    this.#draining = false;
  }

  async #write(facts: readonly Fact[]): Promise<Position> {
    const { stream, meta, fence } = this.#owner;
    const events = envelopes(this.#deps.runtime, facts, { ...meta, now: this.#deps.runtime.now() }, this.#count);
    for (;;) {
      try {
        const expected = this.#version < 0 ? 'no-stream' : this.#version;
        const appended = await this.#deps.store.append(stream, expected, events);
        this.#version = appended.version;
        this.#count += events.length;
        return appended.position;
      } catch (error) {
        if (!isRatchetError(error, 'version_conflict')) throw error;
        const between = await this.#deps.store.readStream(stream, { from: this.#version + 1 });
        if (between.length === 0) throw error;
        fence(between);
        this.#version += between.length;
      }
    }
  }
}

/** What a fenced attempt is told; it writes nothing more. */
export function fenced(stream: string): RatchetError {
  return new RatchetError('version_conflict', `another attempt has taken over ${stream}`, { details: { stream } });
}

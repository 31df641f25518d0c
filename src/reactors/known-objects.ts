/** The objects that a session was told of: ids can be guessed, and most of those in the process are not the task's. */
import { RatchetError } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/event.ts';

/** More than a person looks at; beyond it the oldest are forgotten, and have to be asked for again. */
const MAX_KNOWN = 100_000;

export class KnownObjects {
  readonly #ids = new Set<string>();

  /** Notes every object id in what is told. */
  note(told: JsonObject): void {
    const open: Json[] = [told];
    for (let value = open.pop(); value !== undefined; value = open.pop()) {
      if (value === null || typeof value !== 'object') continue;
      if (!Array.isArray(value) && 'objectId' in value && typeof value.objectId === 'string')
        this.#ids.add(value.objectId);
      open.push(...Object.values(value));
    }
    for (const oldest of this.#ids) {
      if (this.#ids.size <= MAX_KNOWN) break;
      this.#ids.delete(oldest);
    }
  }

  /** Fails with `debug_method_refused` for the id of an object that was never told. */
  check({ objectId }: JsonObject): void {
    if (objectId === undefined || (typeof objectId === 'string' && this.#ids.has(objectId))) return;
    throw new RatchetError('debug_method_refused', 'refused: the object is not one that this session was told of');
  }
}

/** What the core asks for values too large for an event: put them away by content, get them back whole. */
import type { Json } from '../domain/event.ts';
import type { Payload } from '../domain/payload.ts';

export interface Blobs {
  /** Makes a payload of a value, storing it first when it is above the inline limit. Durable when it answers. */
  put(value: Json): Promise<Payload>;
  /** The value of a payload. Fails with `blob_not_found` or `store_corrupt`. */
  get(payload: Payload): Promise<Json>;
}

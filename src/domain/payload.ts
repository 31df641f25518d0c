/** Values that may be too large for an event: inline while small, else a reference to a blob stored before. */
import type { Json } from './event.ts';

/** Above this many UTF-8 bytes of JSON text a value is stored as a blob. */
export const INLINE_LIMIT = 128 * 1024;

export type Payload =
  | { readonly value: Json }
  /** SHA-256 of the JSON text, and its size in UTF-8 bytes. */
  | { readonly blob: string; readonly bytes: number };

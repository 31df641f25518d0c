/** Decides which values stand in an event and which become blobs beside it. */
import { hash } from 'node:crypto';
import { RatchetError } from '../src/domain/errors.ts';
import type { Json } from '../src/domain/event.ts';
import { INLINE_LIMIT } from '../src/domain/payload.ts';
import { isoTime } from '../src/domain/time.ts';
import type { Blobs } from '../src/ports/blobs.ts';
import type { EventStore } from '../src/ports/event-store.ts';
import { getBlob, putBlob } from './event-store/blobs.ts';

/** @returns {@link Blobs} that keeps large values in the event store itself, whatever store that is. */
export function eventStoreBlobs(store: EventStore, now: () => number): Blobs {
  return {
    put: async (value) => {
      const text = JSON.stringify(value);
      // A string has at most three UTF-8 bytes for each unit: most values need no count.
      if (text.length * 3 <= INLINE_LIMIT || Buffer.byteLength(text) <= INLINE_LIMIT) return { value };
      const sha256 = hash('sha256', text, 'hex');
      await putBlob(store, text, sha256, {
        occurredAt: isoTime(now()),
        principal: 'system:blobs',
        commandId: `blob:${sha256}`,
        correlationId: sha256,
        causationId: null,
        traceparent: null,
      });
      return { blob: sha256, bytes: Buffer.byteLength(text) };
    },
    get: async (payload) =>
      'value' in payload ? payload.value : parse(await getBlob(store, payload.blob), payload.blob),
  };
}

function parse(text: string, sha256: string): Json {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RatchetError('store_corrupt', `blob ${sha256} is not JSON`, { cause, details: { sha256 } });
  }
}

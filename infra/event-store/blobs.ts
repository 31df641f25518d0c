/** Keeps text that is too large for one event: cut into chunks, stored under its own hash, checked when read. */
import { hash } from 'node:crypto';
import { RatchetError } from '../../src/domain/errors.ts';
import { type EventMetadata, type NewEvent, streamName } from '../../src/domain/event.ts';
import type { EventStore } from '../../src/ports/event-store.ts';
import { systemRuntime } from '../runtime.ts';

/** Largest chunk in UTF-8 bytes of its JSON text; with its envelope it stays well below what any store takes. */
const CHUNK_BYTES = 512 * 1024;
/** What stands around the text of a chunk. */
const FRAME_BYTES = 64;
const TYPE = 'BlobChunkStored';

/**
 * Stores `text` under `sha256`, the SHA-256 of its UTF-8 form in hex. Durable when it answers.
 * Storing the same text again, or one that was stored in part before, succeeds and stores only what is missing.
 * Fails with `invalid_request` when the hash is not that of the text, and as appends do.
 */
export async function putBlob(store: EventStore, text: string, sha256: string, metadata: EventMetadata): Promise<void> {
  if (hash('sha256', text, 'hex') !== sha256) {
    throw new RatchetError('invalid_request', 'the hash is not that of the text', { details: { sha256 } });
  }
  const { uuidOf } = systemRuntime();
  const chunks = chunksOf(text);
  for (const [index, chunk] of chunks.entries()) {
    const event: NewEvent = {
      ...metadata,
      eventId: uuidOf(`blob ${sha256} ${index}`),
      type: TYPE,
      schemaVersion: 1,
      payload: JSON.stringify({ index, chunks: chunks.length, text: chunk }),
    };
    // One append a chunk: some stores bound the size of an append, and a repeated one tells itself by its event id.
    await store.append(streamName('blob', sha256), index === 0 ? 'no-stream' : index - 1, [event]);
  }
}

/**
 * @returns the text stored under a hash.
 * Fails with `blob_not_found` when it is not there as a whole, and with `store_corrupt` when it is not what was stored.
 */
export async function getBlob(store: EventStore, sha256: string): Promise<string> {
  const chunks = (await store.readStream(streamName('blob', sha256))).map((event) => chunkOf(event.payload, sha256));
  if (chunks.length === 0 || chunks.length < (chunks[0]?.chunks ?? 0)) {
    throw new RatchetError('blob_not_found', `blob ${sha256} is not in the store as a whole`, { details: { sha256 } });
  }
  const text = chunks.map((chunk) => chunk.text).join('');
  if (hash('sha256', text, 'hex') !== sha256) throw corrupt(sha256);
  return text;
}

/** Cuts text so that each piece fits a chunk, however much JSON and UTF-8 make of it. */
function chunksOf(text: string): string[] {
  const chunks: string[] = [];
  for (let start = 0; start < text.length || chunks.length === 0; ) {
    const chunk = fitting(text, start);
    chunks.push(chunk);
    start += chunk.length;
  }
  return chunks;
}

function fitting(text: string, start: number): string {
  const limit = CHUNK_BYTES - FRAME_BYTES;
  for (let length = limit; ; ) {
    const piece = wholeCharacters(text, start, start + length);
    const bytes = Buffer.byteLength(JSON.stringify(piece));
    if (bytes <= limit) return piece;
    length = Math.floor(Math.min(length, piece.length) * Math.min(limit / bytes, 0.95));
  }
}

/** A cut between the two halves of a surrogate pair is moved before them. */
function wholeCharacters(text: string, start: number, end: number): string {
  const last = end < text.length ? text.charCodeAt(end - 1) : 0;
  const cutsPair = last >= 0xd800 && last <= 0xdbff;
  return text.slice(start, cutsPair ? end - 1 : end);
}

function chunkOf(payload: string, sha256: string): { readonly chunks: number; readonly text: string } {
  const chunk = parsed(payload, sha256);
  if (typeof chunk !== 'object' || chunk === null || !('chunks' in chunk) || !('text' in chunk)) throw corrupt(sha256);
  const { chunks, text } = chunk;
  if (typeof chunks !== 'number' || typeof text !== 'string') throw corrupt(sha256);
  return { chunks, text };
}

function parsed(payload: string, sha256: string): unknown {
  try {
    return JSON.parse(payload);
  } catch (error) {
    throw corrupt(sha256, error);
  }
}

function corrupt(sha256: string, cause?: unknown): RatchetError {
  return new RatchetError('store_corrupt', `blob ${sha256} is not what was stored`, { details: { sha256 }, cause });
}

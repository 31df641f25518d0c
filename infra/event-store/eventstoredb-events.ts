/** How our events lie in EventStoreDB: the payload as the bytes it is, everything else as JSON metadata that its tools read. */
import type { EventData, Position as LogPosition, ResolvedEvent } from '@eventstore/db-client';
import { z } from 'zod';
import { RatchetError } from '../../src/domain/errors.ts';
import { type NewEvent, type Position, START, type StoredEvent } from '../../src/domain/event.ts';

/** `ratchet` holds the stream prefix of the log, so that logs and other programs on one server do not mix. */
const METADATA = z.object({
  ratchet: z.string(),
  $correlationId: z.string(),
  $causationId: z.string().optional(),
  schemaVersion: z.number(),
  occurredAt: z.string(),
  principal: z.string(),
  commandId: z.string(),
  traceparent: z.string().optional(),
  /** Only of events that were recorded in another store before; else the server's own time counts. */
  recordedAt: z.string().optional(),
});

const BINARY = 'application/octet-stream';
const POSITION = /^[0-7][0-9a-f]{15}[0-7][0-9a-f]{15}$/u;

/** @returns the event as the client sends it. The payload is sent as binary: as JSON the client would write it anew. */
export function proposedEvent(event: NewEvent, streamPrefix: string): EventData {
  const metadata: z.infer<typeof METADATA> = {
    ratchet: streamPrefix,
    $correlationId: event.correlationId,
    ...(event.causationId === null ? {} : { $causationId: event.causationId }),
    schemaVersion: event.schemaVersion,
    occurredAt: event.occurredAt,
    principal: event.principal,
    commandId: event.commandId,
    ...(event.traceparent === null ? {} : { traceparent: event.traceparent }),
    ...(event.recordedAt === undefined ? {} : { recordedAt: event.recordedAt }),
  };
  const encoder = new TextEncoder();
  return {
    id: event.eventId,
    type: event.type,
    contentType: BINARY,
    data: encoder.encode(event.payload),
    metadata: encoder.encode(JSON.stringify(metadata)),
  };
}

/** @returns what counts towards the limit of the server on one append. */
export function sizeOf({ data, metadata, type }: EventData): number {
  return lengthOf(data) + lengthOf(metadata) + 2 * type.length;
}

function lengthOf(bytes: unknown): number {
  return bytes instanceof Uint8Array ? bytes.length : 0;
}

/** @returns one of our events, or null for what the server or other programs wrote. */
export function storedEvent({ event }: ResolvedEvent, streamPrefix: string): StoredEvent | null {
  if (event === undefined || event.position === undefined || event.type.startsWith('$')) return null;
  const { data } = event;
  const isOurs = event.streamId.startsWith(streamPrefix) && !event.streamId.startsWith('$');
  if (!isOurs || !(data instanceof Uint8Array)) return null;
  const parsed = METADATA.safeParse(event.metadata);
  if (!parsed.success || parsed.data.ratchet !== streamPrefix) return null;
  const { $correlationId, $causationId = null, traceparent = null } = parsed.data;
  const { schemaVersion, occurredAt, principal, commandId } = parsed.data;
  return {
    eventId: event.id,
    type: event.type,
    schemaVersion,
    payload: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString(),
    occurredAt,
    principal,
    commandId,
    correlationId: $correlationId,
    causationId: $causationId,
    traceparent,
    stream: event.streamId.slice(streamPrefix.length),
    version: Number(event.revision),
    position: positionText(event.position),
    recordedAt: parsed.data.recordedAt ?? event.created.toISOString(),
  };
}

/** @returns the position as text that compares as the server's order does: commit, then prepare. */
export function positionText({ commit, prepare }: LogPosition): Position {
  return hex(commit) + hex(prepare);
}

/** @returns the server's form of a position, null for {@link START}. Fails with `invalid_request` for text that is none. */
export function positionOfText(position: Position): LogPosition | null {
  if (position === START) return null;
  if (POSITION.test(position)) {
    return { commit: BigInt(`0x${position.slice(0, 16)}`), prepare: BigInt(`0x${position.slice(16)}`) };
  }
  throw new RatchetError('invalid_request', 'this is no position of the event store', { details: { position } });
}

function hex(number: bigint): string {
  return number.toString(16).padStart(16, '0');
}

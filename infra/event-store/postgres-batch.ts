/** Many appends as the parameters of one call, and its answer as their outcomes. */
import { RatchetError } from '../../src/domain/errors.ts';
import type { NewEvent } from '../../src/domain/event.ts';
import type { Expected } from '../../src/ports/event-store.ts';
import type { Query, Row } from '../postgres/pool.ts';
import type { AppendRequest, Outcome } from './append-request.ts';
import { whole } from './postgres-rows.ts';
import { EXPECTED } from './postgres-schema.ts';
import { earlierAppend, type StoredAt, versionConflict } from './rules.ts';

const APPEND =
  'SELECT versions, positions, earlier FROM append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, ' +
  '$15, $16, $17, $18, $19, $20)';

/** @returns the call that stores these appends; no event id may be in two of them. */
export function appendCall(requests: readonly AppendRequest[], lockTimeoutMs: number): Query {
  const streams = new Map<string, number>();
  const appendStreams: number[] = [];
  const events: NewEvent[] = [];
  const appends: number[] = [];
  const ordinals: number[] = [];
  for (const [index, { stream, events: some }] of requests.entries()) {
    const known = streams.get(stream) ?? streams.size + 1;
    streams.set(stream, known);
    appendStreams.push(known);
    for (const [ordinal, event] of some.entries()) {
      events.push(event);
      appends.push(index + 1);
      ordinals.push(ordinal + 1);
    }
  }
  const payloads = events.map((event) => Buffer.from(event.payload));
  return {
    name: 'append-events',
    text: APPEND,
    values: [
      lockTimeoutMs,
      [...streams.keys()],
      appendStreams,
      requests.map((request) => expectedNumber(request.expected)),
      requests.map((request) => request.events.length),
      appends,
      ordinals,
      events.map((event) => event.eventId),
      events.map((event) => event.type),
      events.map((event) => event.schemaVersion),
      events.map((event) => event.occurredAt),
      events.map((event) => event.principal),
      events.map((event) => event.commandId),
      events.map((event) => event.correlationId),
      events.map((event) => event.causationId),
      events.map((event) => event.traceparent),
      events.map((event) => event.recordedAt ?? null),
      startsOf(payloads),
      payloads.map((payload) => payload.length),
      Buffer.concat(payloads),
    ],
  };
}

/** @returns for each append where it stands or why it was refused, of what {@link appendCall} answered. */
export function outcomesOf(requests: readonly AppendRequest[], row: Row | undefined): Outcome[] {
  const [versions, positions, earlier] = row ?? [];
  if (!Array.isArray(versions) || !Array.isArray(positions)) throw misread();
  const found = foundBy(requests, earlier);
  return requests.map((request, index) => {
    const places = found.get(index);
    if (places !== undefined) return refusable(() => earlierPlace(request, places));
    const version = whole(versions[index]);
    if (positions[index] === null) return versionConflict(request.stream, request.expected, version);
    return { version, at: whole(positions[index]) };
  });
}

/** For the appends of which something was stored before: where, for each of their events. */
function foundBy(requests: readonly AppendRequest[], earlier: unknown): Map<number, (StoredAt | undefined)[]> {
  const found = new Map<number, (StoredAt | undefined)[]>();
  if (earlier === null) return found;
  if (!Array.isArray(earlier)) throw misread();
  for (const entry of earlier) {
    if (!Array.isArray(entry)) throw misread();
    const [append, ordinal, stream, version, at] = entry;
    const index = whole(append) - 1;
    const places = found.get(index) ?? (requests[index]?.events ?? []).map(() => undefined);
    places[whole(ordinal) - 1] = { stream: String(stream), version: whole(version), at: whole(at) };
    found.set(index, places);
  }
  return found;
}

function earlierPlace({ stream }: AppendRequest, found: readonly (StoredAt | undefined)[]): Outcome {
  return earlierAppend(stream, found) ?? misread();
}

function refusable(place: () => Outcome): Outcome {
  try {
    return place();
  } catch (error) {
    if (error instanceof RatchetError) return error;
    throw error;
  }
}

function expectedNumber(expected: Expected): number {
  return typeof expected === 'number' ? expected : EXPECTED[expected];
}

/** Where each begins in all of them together, counted from 1. */
function startsOf(payloads: readonly Buffer[]): number[] {
  let next = 1;
  return payloads.map((payload) => {
    const start = next;
    next += payload.length;
    return start;
  });
}

function misread(): RatchetError {
  return new RatchetError('internal', 'the answer of append_events can not be read');
}

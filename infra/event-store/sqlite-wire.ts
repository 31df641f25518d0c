/** What a store and its writer thread say to each other. Flat lists cross threads three times as fast as objects do. */
import { type ErrorCode, type ErrorDetails, RatchetError } from '../../src/domain/errors.ts';
import type { NewEvent } from '../../src/domain/event.ts';
import type { Expected } from '../../src/ports/event-store.ts';
import type { AppendRequest, Outcome } from './append-request.ts';

/** What a writer thread is started with. */
export interface WriterData {
  readonly path: string;
  readonly maxPages: number | undefined;
  readonly lockTimeoutMs: number | undefined;
}

export type ToWriter = { readonly kind: 'append'; readonly appends: PackedAppends } | { readonly kind: 'close' };

export type FromWriter =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly error: PlainError }
  /** Answers to the oldest appends that have none yet, in their order. */
  | { readonly kind: 'done'; readonly outcomes: readonly PackedOutcome[] };

export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** An append that succeeded takes two places, its version and its position; one that failed takes one. */
export type PackedOutcome = number | PlainError;

/** For each append: stream, expected, number of events, and the fields of each event one after the other. */
export type PackedAppends = readonly (string | number | null)[];

/** @returns an error as plain data. */
export function plainError({ code, message, details }: RatchetError): PlainError {
  return { code, message, details };
}

/** @returns the error that {@link plainError} was made of, without its cause. */
export function errorOf({ code, message, details }: PlainError): RatchetError {
  return new RatchetError(code, message, { details });
}

/** Adds an append to a list that is to be sent. */
export function pack(request: AppendRequest, into: (string | number | null)[]): void {
  into.push(request.stream, request.expected, request.events.length);
  for (const event of request.events) {
    into.push(event.eventId, event.type, event.schemaVersion, event.payload, event.occurredAt, event.principal);
    into.push(event.commandId, event.correlationId, event.causationId, event.traceparent);
    into.push(event.recordedAt ?? null);
  }
}

/** @returns the appends of a list. */
export function unpack(packed: PackedAppends): AppendRequest[] {
  const cursor = new Cursor(packed);
  const requests: AppendRequest[] = [];
  while (!cursor.atEnd) {
    const stream = cursor.text();
    const expected = expectedOf(cursor.next());
    const events = Array.from({ length: cursor.number() }, () => unpackEvent(cursor));
    requests.push({ stream, expected, events });
  }
  return requests;
}

function unpackEvent(cursor: Cursor): NewEvent {
  const event = {
    eventId: cursor.text(),
    type: cursor.text(),
    schemaVersion: cursor.number(),
    payload: cursor.text(),
    occurredAt: cursor.text(),
    principal: cursor.text(),
    commandId: cursor.text(),
    correlationId: cursor.text(),
    causationId: cursor.textOrNull(),
    traceparent: cursor.textOrNull(),
  };
  const recordedAt = cursor.textOrNull();
  return recordedAt === null ? event : { ...event, recordedAt };
}

function expectedOf(value: string | number | null): Expected {
  if (typeof value === 'number' || value === 'any' || value === 'no-stream' || value === 'stream-exists') return value;
  throw misread();
}

/** @returns outcomes as they are sent. */
export function packOutcomes(outcomes: readonly Outcome[]): PackedOutcome[] {
  const packed: PackedOutcome[] = [];
  for (const outcome of outcomes) {
    if (outcome instanceof RatchetError) packed.push(plainError(outcome));
    else packed.push(outcome.version, outcome.at);
  }
  return packed;
}

/** @returns the outcomes of a list. */
export function unpackOutcomes(packed: readonly PackedOutcome[]): Outcome[] {
  const outcomes: Outcome[] = [];
  for (let index = 0; index < packed.length; index += 1) {
    const value = packed[index];
    if (typeof value === 'object') {
      outcomes.push(errorOf(value));
      continue;
    }
    index += 1;
    const at = packed[index];
    if (typeof value !== 'number' || typeof at !== 'number') throw misread();
    outcomes.push({ version: value, at });
  }
  return outcomes;
}

class Cursor {
  readonly #packed: PackedAppends;
  #index = 0;

  constructor(packed: PackedAppends) {
    this.#packed = packed;
  }

  get atEnd(): boolean {
    return this.#index >= this.#packed.length;
  }

  next(): string | number | null {
    const value = this.#packed[this.#index];
    if (value === undefined) throw misread();
    this.#index += 1;
    return value;
  }

  text(): string {
    const value = this.next();
    if (typeof value !== 'string') throw misread();
    return value;
  }

  textOrNull(): string | null {
    const value = this.next();
    if (typeof value === 'number') throw misread();
    return value;
  }

  number(): number {
    const value = this.next();
    if (typeof value !== 'number') throw misread();
    return value;
  }
}

function misread(): RatchetError {
  return new RatchetError('internal', 'a message between the event store and its writer thread can not be read');
}

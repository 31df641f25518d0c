/** The lines of a file that holds a log: a header, an event a line with its payload as the stored text, a trailer. */
import { z } from 'zod';
import { RatchetError } from '../../src/domain/errors.ts';
import type { StoredEvent } from '../../src/domain/event.ts';
import { type LogDigest, unambiguous } from '../../src/domain/log-digest.ts';
import { sha256 } from './sha256.ts';

const FORMAT = 'ratchet-events';
const FORMAT_VERSION = 1;

const header = z.strictObject({
  format: z.literal(FORMAT),
  formatVersion: z.literal(FORMAT_VERSION),
  /** Where the events come from, without secrets. */
  source: z.string(),
  exportedAt: z.iso.datetime(),
  /** Position of the first event; null when there is none. */
  first: z.string().nullable(),
});

const event = z.strictObject({
  position: z.string(),
  recordedAt: z.string(),
  stream: z.string(),
  version: z.int().min(0),
  eventId: z.string(),
  type: z.string(),
  schemaVersion: z.int(),
  occurredAt: z.string(),
  principal: z.string(),
  commandId: z.string(),
  correlationId: z.string(),
  causationId: z.string().nullable(),
  traceparent: z.string().nullable(),
  payload: z.string(),
  /** Hash of the log up to this event, of its position and of its recordedAt: see {@link checkOf}. */
  check: z.string(),
});

const trailer = z.strictObject({
  count: z.int().min(0),
  hash: z.string(),
  /** Position of the last event; null when there is none. */
  last: z.string().nullable(),
});

export type Header = z.infer<typeof header>;
export type EventLine = z.infer<typeof event>;
export type Trailer = z.infer<typeof trailer>;

/** @returns the first line of a file. */
export function headerLine(told: Omit<Header, 'format' | 'formatVersion'>): string {
  return `${JSON.stringify({ format: FORMAT, formatVersion: FORMAT_VERSION, ...told })}\n`;
}

/** @param hash of the log up to and with this event */
export function eventLine(stored: StoredEvent, hash: string): string {
  const { position, recordedAt, stream, version, eventId, type, schemaVersion, occurredAt, principal } = stored;
  const { commandId, correlationId, causationId, traceparent, payload } = stored;
  const line: EventLine = {
    position,
    recordedAt,
    stream,
    version,
    eventId,
    type,
    schemaVersion,
    occurredAt,
    principal,
    commandId,
    correlationId,
    causationId,
    traceparent,
    payload,
    check: checkOf(stored, hash),
  };
  return `${JSON.stringify(line)}\n`;
}

/** @returns the last line of a file. */
export function trailerLine({ count, hash }: LogDigest, last: string | null): string {
  return `${JSON.stringify({ count, hash, last } satisfies Trailer)}\n`;
}

/** @returns what the line of an event says so that a change of it, or of any line before, is seen on it. */
export function checkOf({ position, recordedAt }: Pick<StoredEvent, 'position' | 'recordedAt'>, hash: string): string {
  return sha256(hash + unambiguous([position, recordedAt]));
}

/** @returns the header of a file. Fails with `export_damaged`, and with `unsupported` for the format of a later release. */
export function readHeader(text: string): Header {
  const json = jsonOf(text, 1);
  const told = z.looseObject({ format: z.literal(FORMAT), formatVersion: z.int() }).safeParse(json);
  if (!told.success) throw damaged(1, 'this is no export of events');
  if (told.data.formatVersion !== FORMAT_VERSION) {
    const message = `the export has format ${told.data.formatVersion}, this release reads format ${FORMAT_VERSION}`;
    throw new RatchetError('unsupported', message);
  }
  return checked(header, json, 1);
}

export type Line =
  | { readonly kind: 'event'; readonly event: EventLine }
  | { readonly kind: 'trailer'; readonly trailer: Trailer };

/** @returns a line after the header. Fails with `export_damaged`. */
export function readLine(text: string, number: number): Line {
  const json = jsonOf(text, number);
  if (typeof json === 'object' && json !== null && 'count' in json) {
    return { kind: 'trailer', trailer: checked(trailer, json, number) };
  }
  return { kind: 'event', event: checked(event, json, number) };
}

function jsonOf(text: string, number: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw damaged(number, 'it is no JSON');
  }
}

function checked<Schema extends z.ZodType>(schema: Schema, json: unknown, number: number): z.infer<Schema> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw damaged(number, `${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'is not as it must be'}`);
}

/** @returns the error of a line that is not what was written. */
export function damaged(line: number, why: string): RatchetError {
  return new RatchetError('export_damaged', `line ${line} of the export is damaged: ${why}`, { details: { line } });
}

/** Brings the events of a log into another store, going on where an earlier try ended: the target itself tells how far it is. */
import { isRatchetError, RatchetError } from '../../src/domain/errors.ts';
import type { NewEvent, StoredEvent } from '../../src/domain/event.ts';
import { differingFields, EMPTY_DIGEST, type LogDigest, withEvent } from '../../src/domain/log-digest.ts';
import type { EventStore } from '../../src/ports/event-store.ts';
import { digestOf } from './compare.ts';
import { EventCursor, type EventPages, storedPages } from './pages.ts';
import { sha256 } from './sha256.ts';

/** Bounds of one append: what the store with the narrowest limit takes. */
const BATCH_EVENTS = 500;
const BATCH_BYTES = 512 * 1024;

export interface Copied extends LogDigest {
  /** Events that the target held before. */
  readonly already: number;
  /** Events that were appended now. */
  readonly appended: number;
}

/** Told now and then, and at the end. */
export type OnCopied = (progress: { readonly already: number; readonly appended: number }) => void;

/**
 * Appends to `target` what it lacks of a log, each event to its stream at its version, in the order of the log, and
 * reads the target again at the end: count and hash are those of both.
 * May be called again whenever it failed, with the log from its first event.
 * Fails with `log_differs` when the target holds other events, naming stream and version, and as appends do.
 */
export async function copyInto(target: EventStore, pages: EventPages, onCopied: OnCopied = () => {}): Promise<Copied> {
  const held = new EventCursor(storedPages(target));
  let digest = EMPTY_DIGEST;
  let already = 0;
  for await (const page of pages) {
    const missing: StoredEvent[] = [];
    for (const event of page) {
      const there = await held.next();
      if (there === null) missing.push(event);
      else assertSame(event, there);
      digest = withEvent(digest, event, sha256);
    }
    already += page.length - missing.length;
    for (const batch of batchesOf(missing)) await append(target, batch);
    onCopied({ already, appended: digest.count - already });
  }
  const more = await held.next();
  if (more !== null) throw differs(more, 'the log that is copied ends before it');
  assertWhole(digest, await digestOf(storedPages(target)));
  return { ...digest, already, appended: digest.count - already };
}

function assertSame(event: StoredEvent, there: StoredEvent): void {
  const fields = differingFields(event, there);
  if (fields.length === 0) return;
  const place = `${event.stream} at version ${event.version}`;
  throw differs(there, `in its place the log that is copied has ${place}, which differs in ${fields.join(', ')}`);
}

function assertWhole(copied: LogDigest, found: LogDigest): void {
  if (copied.count === found.count && copied.hash === found.hash) return;
  throw new RatchetError(
    'log_differs',
    `${copied.count} events were copied, and the target now holds ${found.count} with another hash: somebody else writes to it`,
    { details: { copied, found } },
  );
}

/** Neighbours of one stream go together, so that the order of the log stays and appends are few. */
function* batchesOf(events: readonly StoredEvent[]): Generator<readonly [StoredEvent, ...StoredEvent[]]> {
  let batch: [StoredEvent, ...StoredEvent[]] | null = null;
  let bytes = 0;
  for (const event of events) {
    const size = Buffer.byteLength(event.payload);
    if (
      batch !== null &&
      batch[0].stream === event.stream &&
      batch.length < BATCH_EVENTS &&
      bytes + size <= BATCH_BYTES
    ) {
      batch.push(event);
      bytes += size;
      continue;
    }
    if (batch !== null) yield batch;
    batch = [event];
    bytes = size;
  }
  if (batch !== null) yield batch;
}

async function append(target: EventStore, batch: readonly [StoredEvent, ...StoredEvent[]]): Promise<void> {
  const [first] = batch;
  const expected = first.version === 0 ? 'no-stream' : first.version - 1;
  try {
    const { version } = await target.append(first.stream, expected, batch.map(newEventOf));
    if (version === first.version + batch.length - 1) return;
  } catch (error) {
    if (!isRatchetError(error, 'version_conflict') && !isRatchetError(error, 'idempotency_mismatch')) throw error;
    throw differs(first, 'somebody else writes to the target, or an earlier copy has not ended', error);
  }
  throw differs(first, 'it is stored there at another version');
}

function newEventOf({ stream: _stream, version: _version, position: _position, ...event }: StoredEvent): NewEvent {
  return event;
}

function differs({ stream, version }: StoredEvent, why: string, cause?: unknown): RatchetError {
  const message = `the target holds other events than the log that is copied, first ${stream} at version ${version}: ${why}`;
  return new RatchetError('log_differs', message, { details: { stream, version }, cause });
}

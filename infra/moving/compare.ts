/** Tells whether two logs hold the same events in the same order, and else where they part. */
import type { StoredEvent } from '../../src/domain/event.ts';
import {
  differingFields,
  EMPTY_DIGEST,
  type LastingField,
  type LogDigest,
  withEvent,
} from '../../src/domain/log-digest.ts';
import { EventCursor, type EventPages } from './pages.ts';
import { sha256 } from './sha256.ts';

/** The first place at which two logs are not the same. */
export interface Difference {
  /** Stream and version of the event of the first log; of the second where the first has ended. */
  readonly stream: string;
  readonly version: number;
  /** What differs of the event; `missing` where one log ends before the other. */
  readonly differs: readonly LastingField[] | 'missing in the first' | 'missing in the second';
}

export interface Comparison extends LogDigest {
  /** Null when the logs are the same; count and hash are of what is the same. */
  readonly difference: Difference | null;
}

export type OnCount = (events: number) => void;

/** @returns count and hash of a log. */
export async function digestOf(pages: EventPages, onCount: OnCount = () => {}): Promise<LogDigest> {
  let digest = EMPTY_DIGEST;
  for await (const events of pages) {
    for (const event of events) digest = withEvent(digest, event, sha256);
    onCount(digest.count);
  }
  return digest;
}

/** @returns how far two logs are the same, and where they first differ. */
export async function compareLogs(a: EventPages, b: EventPages, onCount: OnCount = () => {}): Promise<Comparison> {
  const second = new EventCursor(b);
  let digest = EMPTY_DIGEST;
  try {
    for await (const events of a) {
      for (const event of events) {
        const difference = differenceOf(event, await second.next());
        if (difference !== null) return { ...digest, difference };
        digest = withEvent(digest, event, sha256);
      }
      onCount(digest.count);
    }
    const more = await second.next();
    return { ...digest, difference: more === null ? null : placed(more, 'missing in the first') };
  } finally {
    await second.close();
  }
}

/** @returns how the events at one place of two logs differ; null when they do not. */
export function differenceOf(event: StoredEvent, other: StoredEvent | null): Difference | null {
  if (other === null) return placed(event, 'missing in the second');
  const fields = differingFields(event, other);
  return fields.length === 0 ? null : placed(event, fields);
}

function placed({ stream, version }: StoredEvent, differs: Difference['differs']): Difference {
  return { stream, version, differs };
}

/** Histories made by hand: events as a store would return them, one second apart. */
import type { StoredEvent } from '../../../src/domain/event.ts';
import type { Fact } from '../../../src/domain/event.ts';
import { newEvent } from '../store-events.ts';

const BEGIN = Date.parse('2026-11-21T10:00:00.000Z');
const STEP_MS = 1_000;

/** One entry of a log to be: the stream, and the fact in it. */
export type Entry = readonly [stream: string, fact: Fact];

/** @returns when the event at an index of the log is recorded, milliseconds since the epoch. */
export function timeAt(index: number): number {
  return BEGIN + index * STEP_MS;
}

/** @returns the log with these entries, each event with the next version of its stream and the next position. */
export function logOf(entries: readonly Entry[]): StoredEvent[] {
  const versions = new Map<string, number>();
  return entries.map(([stream, fact], index) => {
    const version = versions.get(stream) ?? 0;
    versions.set(stream, version + 1);
    return {
      ...newEvent({ type: fact.type, payload: JSON.stringify(fact.data) }),
      stream,
      version,
      position: String(index + 1).padStart(8, '0'),
      recordedAt: new Date(timeAt(index)).toISOString(),
    };
  });
}

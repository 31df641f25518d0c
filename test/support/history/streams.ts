/** What must hold of any log, whatever its events say: no gap, no double, and one order. */
import type { StoredEvent } from '../../../src/domain/event.ts';
import type { Known, Violation } from './known.ts';

/** Versions of each stream from 0 without a gap; positions and times along the log never go back; no event stands twice. */
export function streamViolations({ events }: Known): readonly Violation[] {
  const found: Violation[] = [];
  const next = new Map<string, number>();
  const ids = new Set<string>();
  let before: StoredEvent | null = null;
  for (const event of events) {
    const version = next.get(event.stream) ?? 0;
    const place = `${event.type} at ${event.position}`;
    if (event.version !== version)
      found.push({ rule: 'versions', text: `${event.stream}: ${place} has version ${event.version}, not ${version}` });
    next.set(event.stream, event.version + 1);
    if (ids.has(event.eventId)) found.push({ rule: 'event ids', text: `${event.eventId} (${place}) is stored twice` });
    ids.add(event.eventId);
    if (before !== null && event.position <= before.position)
      found.push({ rule: 'positions', text: `${place} comes after ${before.position}` });
    if (before !== null && event.recordedAt < before.recordedAt)
      found.push({ rule: 'times', text: `${place} was recorded at ${event.recordedAt}, after ${before.recordedAt}` });
    before = event;
  }
  return found;
}

/** Filters as a test on events, for stores and places that hold events in memory. */
import { categoryOf, type StoredEvent } from '../../src/domain/event.ts';
import type { EventFilter } from '../../src/ports/event-store.ts';

/** Whether an event is wanted. */
export type Matcher = (event: StoredEvent) => boolean;

/** @returns the test that a filter stands for. */
export function matcher(filter: EventFilter): Matcher {
  const categories = filter.categories === undefined ? null : new Set<string>(filter.categories);
  const types = filter.types === undefined ? null : new Set(filter.types);
  return (event) =>
    (types === null || types.has(event.type)) && (categories === null || categories.has(categoryOf(event.stream)));
}

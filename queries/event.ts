/** Tells stored events as they are, one stream or all, without what readers may not see. */
import { z } from 'zod';
import { isRatchetError, RatchetError } from '../src/domain/errors.ts';
import { type Category, categoryOf, type Json, START, type StoredEvent, streamName } from '../src/domain/event.ts';
import type { EventFilter } from '../src/ports/event-store.ts';
import { cursor, decodeCursor, defineQuery, limit, pageOf } from './query.ts';
import { eventSight } from './task-scope.ts';

const CATEGORIES = [
  'task',
  'execution',
  'telemetry',
  'worker',
  'blob',
  'batch',
  'schedule',
  'access',
  'delivery',
] as const satisfies readonly Category[];

/** A comma-separated list in a query string, or a JSON list. */
const listOf = <T extends z.ZodType>(item: T) =>
  z.preprocess(
    (value) => (typeof value === 'string' ? value.split(',').filter((part) => part !== '') : value),
    z.array(item).max(50),
  );

export const eventFilterInput = {
  category: listOf(z.enum(CATEGORIES)).optional().describe('Stream categories, separated by commas.'),
  type: listOf(z.string().max(64)).optional().describe('Event types, separated by commas.'),
};

/** @returns the filter of the store for what a caller asked. */
export function eventFilter(input: { category?: Category[] | undefined; type?: string[] | undefined }): EventFilter {
  return {
    ...(input.category === undefined ? {} : { categories: input.category }),
    ...(input.type === undefined ? {} : { types: input.type }),
  };
}

export const listEvents = defineQuery({
  name: 'list_events',
  permission: 'read_traces',
  description: 'All events after a position, in their order.',
  input: z.strictObject({
    ...eventFilterInput,
    after: z.string().max(64).default(START).describe('Position after which to read.'),
    limit: limit(100),
  }),
  read: async ({ store }, input, patterns) => {
    const page = await store.readAll(input.after, eventFilter(input), input.limit);
    const isSeen = eventSight(store, patterns);
    const seen = await Promise.all(page.events.map(isSeen));
    return {
      events: page.events.filter((_, index) => seen[index] === true).map(shownEvent),
      position: page.position,
      at_head: page.atHead,
    };
  },
});

export const getEvent = defineQuery({
  name: 'get_event',
  permission: 'read_traces',
  description: 'The event at a position.',
  input: z.strictObject({ position: z.string().min(1).max(64) }),
  read: async ({ store }, { position }, patterns) => {
    // What is no position at all is no event either.
    const event = await store.readAt(position).catch((error: unknown) => {
      if (isRatchetError(error, 'invalid_request')) return null;
      throw error;
    });
    if (event !== null && (await eventSight(store, patterns)(event))) return shownEvent(event);
    throw new RatchetError('not_found', `there is no event at position ${position}`, { details: { position } });
  },
});

/** How many events of the journal, and of the telemetry, the pages before held. */
const placeForm = z.tuple([z.int().min(0), z.int().min(0)]);

export const listExecutionEvents = defineQuery({
  name: 'list_execution_events',
  permission: 'read_traces',
  description: 'The events of one execution, its telemetry included, in their order.',
  input: z.strictObject({ execution_id: z.string().min(1).max(64), limit: limit(1_000), cursor }),
  read: async ({ store }, input) => {
    const [past, pastTelemetry] = input.cursor === undefined ? [0, 0] : decodeCursor(input.cursor, placeForm);
    const most = input.limit + 1;
    const telemetryStream = streamName('telemetry', input.execution_id);
    const [journal, telemetry] = await Promise.all([
      store.readStream(streamName('execution', input.execution_id), { from: past, limit: most }),
      store.readStream(telemetryStream, { from: pastTelemetry, limit: most }),
    ]);
    if (journal.length === 0 && past === 0) {
      throw new RatchetError('execution_not_found', `there is no execution ${input.execution_id}`, {
        details: { executionId: input.execution_id },
      });
    }
    const events = [...journal, ...telemetry].sort((a, b) => (a.position < b.position ? -1 : 1));
    const told = events.slice(0, input.limit).filter(({ stream }) => stream === telemetryStream).length;
    const page = pageOf(events, input.limit, () => [past + input.limit - told, pastTelemetry + told]);
    return {
      execution_id: input.execution_id,
      events: page.rows.map(shownEvent),
      next_cursor: page.next_cursor,
    };
  },
});

/** An event as readers see it: with its data parsed, and without the seed of randomness. */
export function shownEvent(event: StoredEvent) {
  const { payload, ...envelope } = event;
  const data: Json = JSON.parse(payload);
  return { ...envelope, data: categoryOf(event.stream) === 'access' ? withoutHash(data) : withoutSeed(data) };
}

function withoutSeed(data: Json): Json {
  if (data === null || typeof data !== 'object' || Array.isArray(data) || !('seed' in data)) return data;
  return { ...data, seed: '***' };
}

/** What a key or a session is compared by is of use to nobody who has it not. */
function withoutHash(data: Json): Json {
  if (data === null || typeof data !== 'object' || Array.isArray(data) || !('hash' in data)) return data;
  return { ...data, hash: '***', ...('bond' in data ? { bond: '***' } : {}) };
}

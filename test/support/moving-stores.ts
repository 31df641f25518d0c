/** The stores that logs are moved between in tests, and logs that are hard to move. */
import fc from 'fast-check';
import { memoryEventStore } from '../../infra/event-store/memory.ts';
import { sqliteEventStore } from '../../infra/event-store/sqlite.ts';
import type { NewEvent } from '../../src/domain/event.ts';
import type { EventStore } from '../../src/ports/event-store.ts';
import { newEvent } from './store-events.ts';
import type { TemporaryFolder } from './store-files.ts';

/** A store with an empty log for each call; what it keeps goes into the folder. */
type NewStore = (folder: TemporaryFolder) => Promise<EventStore>;

let files = 0;

/** Each of them is a source and a target of every test. */
export const MOVING_STORES: Readonly<Record<string, NewStore>> = {
  memory: async () => memoryEventStore(),
  sqlite: (folder) => sqliteEventStore(folder.file(`log-${(files += 1)}.db`)),
};

/** Texts of which a careless copy makes others. */
const oddPayload = fc.oneof(
  fc.json(),
  fc.constantFrom(
    '{"b":1,"a":2,"1":3}',
    '{"n":12345678901234567890.10,"e":1e400,"m":-0,"small":1E-7}',
    ' { "spaced" : [ 1 , 2 ] }\n',
    String.raw`"\u00e9 é \ud83d\ude00 😀 \/ \\ \" \n \u2028"`,
    '"\u2028\u2029\u0085\r\n\uFEFF"',
    '{"a":1,"a":2}',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }).map((text) => JSON.stringify(text)),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }).filter((some) => !some.includes('\0'));

const event: fc.Arbitrary<NewEvent> = fc
  .record({
    eventId: fc.uuid(),
    type: text,
    schemaVersion: fc.integer({ min: 1, max: 9 }),
    payload: oddPayload,
    principal: text,
    commandId: text,
    correlationId: text,
    causationId: fc.option(text),
    traceparent: fc.option(text),
    recordedAt: fc.nat({ max: 1e9 }).map((ms) => new Date(1.6e12 + ms).toISOString()),
  })
  .map(newEvent);

/** Appends to some streams, in their order; no event id is there twice. */
export const appends: fc.Arbitrary<readonly (readonly [string, readonly NewEvent[]])[]> = fc
  .array(
    fc.tuple(
      fc.constantFrom('task-1', 'execution-ä-2', 'telemetry-2', 'blob-😀'),
      fc.array(event, { minLength: 1, maxLength: 4 }),
    ),
    { maxLength: 12 },
  )
  .filter((all) => {
    const ids = all.flatMap(([, events]) => events.map(({ eventId }) => eventId));
    return new Set(ids).size === ids.length;
  });

/** Fills a store with appends. */
export async function fill(store: EventStore, all: readonly (readonly [string, readonly NewEvent[]])[]): Promise<void> {
  for (const [stream, events] of all) await store.append(stream, 'any', events);
}

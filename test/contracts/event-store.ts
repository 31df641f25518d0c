/** What every event store must do; each adapter's test runs all of it. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RatchetError } from '../../src/domain/errors.ts';
import { type NewEvent, START, type StoredEvent } from '../../src/domain/event.ts';
import type { EventStore, Expected } from '../../src/ports/event-store.ts';
import { Collector, newEvent, newEvents, readEverything } from '../support/store-events.ts';

/** A place for one log: opened several times it gives several stores on that log, as several processes have. */
export interface LogUnderTest {
  open(): Promise<EventStore>;
  /** Whether {@link open} may be called more than once. */
  readonly shared: boolean;
  remove(): Promise<void>;
}

export function eventStoreContract(name: string, createLog: () => Promise<LogUnderTest>): void {
  describe(`event store contract: ${name}`, () => {
    let log: LogUnderTest;
    let store: EventStore;
    const opened: EventStore[] = [];

    async function open(): Promise<EventStore> {
      const another = await log.open();
      opened.push(another);
      return another;
    }

    beforeEach(async () => {
      log = await createLog();
      store = await open();
    });

    afterEach(async () => {
      await Promise.all(opened.splice(0).map((one) => one.close()));
      await log.remove();
    });

    async function failure(promise: Promise<unknown>): Promise<RatchetError> {
      const error: unknown = await promise.then(
        () => null,
        (reason: unknown) => reason,
      );
      if (error instanceof RatchetError) return error;
      throw new Error(`expected a RatchetError, got ${String(error)}`);
    }

    describe('appending', () => {
      test('an event comes back exactly as it was given, with its place in stream and log', async () => {
        const event = newEvent({
          schemaVersion: 3,
          causationId: 'cause',
          traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
          principal: 'key:ci',
        });
        const before = new Date().toISOString();
        const appended = await store.append('task-1', 'no-stream', [event]);
        const [stored] = await store.readStream('task-1');
        expect(stored).toEqual({
          ...event,
          stream: 'task-1',
          version: 0,
          position: appended.position,
          recordedAt: stored?.recordedAt,
        });
        expect((stored?.recordedAt ?? '') >= before).toBe(true);
        expect(stored?.recordedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        expect(appended.version).toBe(0);
      });

      test('the answer names the version and position of the last event', async () => {
        const first = await store.append('task-1', 'any', newEvents(3));
        const second = await store.append('task-1', 2, newEvents(2));
        expect([first.version, second.version]).toEqual([2, 4]);
        expect(second.position > first.position).toBe(true);
        expect(await store.head()).toBe(second.position);
      });

      test('an event that was recorded elsewhere keeps that time, which yet never goes backwards along the log', async () => {
        const at = (time: string) => newEvent({ recordedAt: `2020-01-01T${time}.000Z` });
        await store.append('task-1', 'no-stream', [at('10:00:00'), at('11:00:00')]);
        await store.append('task-2', 'no-stream', [at('09:00:00'), newEvent(), at('12:00:00')]);
        const times = (await readEverything(store)).map((event) => event.recordedAt);
        const present = times[3] ?? '';
        expect(times.slice(0, 3)).toEqual([
          '2020-01-01T10:00:00.000Z',
          '2020-01-01T11:00:00.000Z',
          '2020-01-01T11:00:00.000Z',
        ]);
        expect(present > '2026').toBe(true);
        expect(times[4]).toBe(present);
        const wrong = store.append('task-3', 'no-stream', [newEvent({ recordedAt: 'yesterday' })]);
        expect((await failure(wrong)).code).toBe('invalid_request');
      });

      test('recordedAt never goes backwards along the log', async () => {
        await Promise.all(Array.from({ length: 20 }, (_, index) => store.append(`task-${index}`, 'any', newEvents(2))));
        const times = (await readEverything(store)).map((event) => event.recordedAt);
        expect(times).toEqual(times.toSorted());
      });

      const kinds: { expected: Expected; onEmpty: boolean; onTwo: boolean }[] = [
        { expected: 'any', onEmpty: true, onTwo: true },
        { expected: 'no-stream', onEmpty: true, onTwo: false },
        { expected: 'stream-exists', onEmpty: false, onTwo: true },
        { expected: 0, onEmpty: false, onTwo: false },
        { expected: 1, onEmpty: false, onTwo: true },
        { expected: 2, onEmpty: false, onTwo: false },
      ];
      for (const { expected, onEmpty, onTwo } of kinds) {
        for (const [count, ok] of [
          [0, onEmpty],
          [2, onTwo],
        ] as const) {
          test(`expected ${expected} on a stream of ${count} events is ${ok ? 'accepted' : 'a version conflict that stores nothing'}`, async () => {
            if (count > 0) await store.append('task-1', 'any', newEvents(count));
            const attempt = store.append('task-1', expected, newEvents(2));
            if (ok) {
              expect((await attempt).version).toBe(count + 1);
              return;
            }
            const error = await failure(attempt);
            expect(error.code).toBe('version_conflict');
            expect(error.details).toEqual({ stream: 'task-1', expected, actual: count === 0 ? 'no-stream' : 1 });
            expect(await store.readStream('task-1')).toHaveLength(count);
          });
        }
      }

      test('of many appends at one version exactly one succeeds, and the others do not harm their neighbours', async () => {
        const rivals = Array.from({ length: 20 }, () => store.append('task-1', 'no-stream', newEvents(2)));
        const others = Array.from({ length: 20 }, (_, index) =>
          store.append(`task-o${index}`, 'no-stream', [newEvent()]),
        );
        const results = await Promise.allSettled(rivals);
        await Promise.all(others);
        expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
        expect(await store.readStream('task-1')).toHaveLength(2);
        expect(await readEverything(store)).toHaveLength(22);
      });

      const refused: [string, string, Expected, NewEvent[]][] = [
        ['no events', 'task-1', 'any', []],
        ['a stream without a category', 'task', 'any', [newEvent()]],
        ['a stream with an empty category', '-1', 'any', [newEvent()]],
        ['a stream with an empty id', 'task-', 'any', [newEvent()]],
        ['a stream name with a line break', 'task-1\n2', 'any', [newEvent()]],
        ['a stream name of 300 characters', `task-${'x'.repeat(295)}`, 'any', [newEvent()]],
        ['a negative version', 'task-1', -1, [newEvent()]],
        ['a broken version', 'task-1', 0.5, [newEvent()]],
        ['an eventId that is no UUID', 'task-1', 'any', [newEvent({ eventId: 'one' })]],
        ['an empty type', 'task-1', 'any', [newEvent({ type: '' })]],
        ['a NUL character in a type', 'task-1', 'any', [newEvent({ type: 'A\0' })]],
        ['a NUL character in an id', 'task-1', 'any', [newEvent({ commandId: 'a\0b' })]],
        ['half a surrogate pair', 'task-1', 'any', [newEvent({ payload: '"\ud83d"' })]],
      ];
      for (const [what, stream, expected, events] of refused) {
        test(`${what} is refused as an invalid request`, async () => {
          expect((await failure(store.append(stream, expected, events))).code).toBe('invalid_request');
          expect(await store.head()).toBe(START);
        });
      }

      test('an eventId twice in one append is refused', async () => {
        const event = newEvent();
        expect((await failure(store.append('task-1', 'any', [event, event]))).code).toBe('invalid_request');
        expect(await store.head()).toBe(START);
      });

      test('a payload of 900 KB is stored, one of 2 MB is refused and stores nothing', async () => {
        const payload = JSON.stringify('x'.repeat(900_000));
        await store.append('task-1', 'any', [newEvent({ payload })]);
        const error = await failure(
          store.append('task-1', 'any', [newEvent(), newEvent({ payload: JSON.stringify('x'.repeat(2_000_000)) })]),
        );
        expect(error.code).toBe('payload_too_large');
        const events = await store.readStream('task-1');
        expect(events.map((event) => event.payload === payload)).toEqual([true]);
      });

      test('the limit of a payload counts bytes, not characters', async () => {
        const payload = JSON.stringify('€'.repeat(400_000));
        expect((await failure(store.append('task-1', 'any', [newEvent({ payload })]))).code).toBe('payload_too_large');
      });

      const odd: [string, string][] = [
        ['spaces and key order', '{ "b" : 1,\n\t"a":1.0e0, "a": 2 }'],
        ['emoji and scripts', '"😀 ﷽ ไทย \u202e"'],
        ['composed and decomposed letters', '"\u00e9 e\u0301"'],
        ['escapes', String.raw`"\ud83d \u0000 \/ \""`],
        ['a byte order mark', '\ufeff1'],
        ['a NUL character', '"a\u0000b"'],
        ['large numbers', '9007199254740993.000'],
        ['nothing', ''],
        ['a quote', "'; DROP TABLE events; --"],
      ];
      for (const [what, payload] of odd) {
        test(`a payload with ${what} comes back character by character`, async () => {
          await store.append('task-1', 'any', [newEvent({ payload })]);
          expect((await store.readStream('task-1'))[0]?.payload).toBe(payload);
          expect((await readEverything(store))[0]?.payload).toBe(payload);
        });
      }
    });

    describe('appending again', () => {
      test('the same events answer as the first time and store nothing, whatever is expected', async () => {
        const events = newEvents(3);
        const first = await store.append('task-1', 'no-stream', events);
        await store.append('task-1', 2, newEvents(1));
        for (const expected of ['any', 'no-stream', 'stream-exists', 0, 2, 3, 99] as const) {
          expect(await store.append('task-1', expected, events)).toEqual(first);
        }
        expect(await store.readStream('task-1')).toHaveLength(4);
      });

      test('the same events at the same moment are stored once', async () => {
        const events = newEvents(2);
        const answers = await Promise.all(
          Array.from({ length: 10 }, () => store.append('task-1', 'no-stream', events)),
        );
        expect(new Set(answers.map((answer) => answer.position)).size).toBe(1);
        expect(await store.readStream('task-1')).toHaveLength(2);
      });

      const overlaps: [string, (old: NewEvent[]) => NewEvent[]][] = [
        ['old ones first', (old) => [...old, newEvent()]],
        ['old ones last', (old) => [newEvent(), ...old]],
        ['an old one in the middle', (old) => [newEvent(), ...old.slice(0, 1), newEvent()]],
        ['all in another order', (old) => old.toReversed()],
      ];
      for (const [what, mix] of overlaps) {
        test(`a mix of old and new events, ${what}, is a mismatch that stores nothing and harms no neighbour`, async () => {
          const old = newEvents(2);
          await store.append('task-1', 'no-stream', old);
          const [before, mixed, after] = await Promise.allSettled([
            store.append('task-2', 'no-stream', newEvents(2)),
            store.append('task-1', 1, mix(old)),
            store.append('task-3', 'no-stream', newEvents(2)),
          ]);
          expect(mixed).toMatchObject({ status: 'rejected', reason: { code: 'idempotency_mismatch' } });
          expect([before.status, after.status]).toEqual(['fulfilled', 'fulfilled']);
          expect(await readEverything(store)).toHaveLength(6);
        });
      }

      test('the same events in another stream are a mismatch', async () => {
        const events = newEvents(2);
        await store.append('task-1', 'any', events);
        expect((await failure(store.append('task-2', 'any', events))).code).toBe('idempotency_mismatch');
        expect(await store.readStream('task-2')).toEqual([]);
      });
    });

    describe('reading', () => {
      test('an empty log has its head at the start and an unknown stream no events', async () => {
        expect(await store.head()).toBe(START);
        expect(await store.readStream('task-unknown')).toEqual([]);
        const page = await store.readAll(START, {}, 10);
        // Where others write too, the page tells how far their events were passed over.
        expect(page).toEqual({ events: [], position: page.position, atHead: true });
        expect(await store.readAll(page.position, {}, 10)).toEqual(page);
      });

      test('a stream is read from a version and up to a limit', async () => {
        await store.append('task-1', 'any', newEvents(5));
        await store.append('task-10', 'any', newEvents(5));
        const versions = async (options?: { from?: number; limit?: number }): Promise<number[]> =>
          (await store.readStream('task-1', options)).map((event) => event.version);
        expect(await versions()).toEqual([0, 1, 2, 3, 4]);
        expect(await versions({ from: 3 })).toEqual([3, 4]);
        expect(await versions({ from: 1, limit: 2 })).toEqual([1, 2]);
        expect(await versions({ from: 9 })).toEqual([]);
      });

      test('pages of any size join to the whole log, in order and without seams', async () => {
        for (let index = 0; index < 30; index += 1) await store.append(`task-${index % 4}`, 'any', newEvents(3));
        const whole = await readEverything(store, {}, 1000);
        expect(whole).toHaveLength(90);
        expect(whole.every((event, index) => index === 0 || event.position > (whole[index - 1]?.position ?? ''))).toBe(
          true,
        );
        for (const limit of [1, 7, 30, 89, 90, 91]) expect(await readEverything(store, {}, limit)).toEqual(whole);
      });

      test('an event is read at its position, and nothing at one where none is', async () => {
        await store.append('task-1', 'any', newEvents(3));
        const [, second] = await store.readStream('task-1');
        expect(await store.readAt(second?.position ?? '')).toEqual(second);
        expect(await store.readAt(START)).toBeNull();
        expect((await failure(store.readAt('nonsense'))).code).toBe('invalid_request');
      });

      test('a page that ends with the last event knows that it is at the head', async () => {
        await store.append('task-1', 'any', newEvents(4));
        const page = await store.readAll(START, {}, 4);
        expect([page.events.length, page.atHead]).toEqual([4, true]);
        expect(page.position >= (await store.head())).toBe(true);
        expect((await store.readAll(START, {}, 3)).atHead).toBe(false);
      });

      test('filters take the named categories and types only, and both at once', async () => {
        await store.append('task-1', 'any', [newEvent({ type: 'A' }), newEvent({ type: 'B' })]);
        await store.append('execution-1-2', 'any', [newEvent({ type: 'A' }), newEvent({ type: 'C' })]);
        await store.append('telemetry-1', 'any', [newEvent({ type: 'B' })]);
        const found = async (filter: Parameters<EventStore['readAll']>[1]): Promise<string[]> =>
          (await readEverything(store, filter, 2)).map((event) => `${event.stream}/${event.type}`);
        expect(await found({ categories: ['task'] })).toEqual(['task-1/A', 'task-1/B']);
        expect(await found({ categories: ['execution', 'telemetry'] })).toEqual([
          'execution-1-2/A',
          'execution-1-2/C',
          'telemetry-1/B',
        ]);
        expect(await found({ types: ['A'] })).toEqual(['task-1/A', 'execution-1-2/A']);
        expect(await found({ categories: ['execution'], types: ['A', 'B'] })).toEqual(['execution-1-2/A']);
        expect(await found({ types: ['D'] })).toEqual([]);
        expect(await found({ types: [] })).toEqual([]);
        expect(await found({ categories: [] })).toEqual([]);
      });

      test('a filter that matches nothing still tells how far the log was searched', async () => {
        await store.append('task-1', 'any', newEvents(5));
        const page = await store.readAll(START, { types: ['Other'] }, 10);
        expect(page).toEqual({ events: [], position: page.position, atHead: true });
        expect(page.position >= (await store.head())).toBe(true);
      });

      test('a rare event behind many others is found', async () => {
        for (let index = 0; index < 25; index += 1) await store.append('telemetry-1', 'any', newEvents(400));
        await store.append('task-1', 'any', [newEvent({ type: 'Rare' })]);
        expect(await readEverything(store, { types: ['Rare'] }, 10)).toHaveLength(1);
      });

      test('many large events are all read', async () => {
        const payload = JSON.stringify('x'.repeat(900_000));
        for (let index = 0; index < 20; index += 1) await store.append('task-1', 'any', [newEvent({ payload })]);
        expect(await readEverything(store, {}, 1000)).toHaveLength(20);
      });

      test('a position that no store gave is refused, as is a limit below one', async () => {
        expect((await failure(store.readAll('nonsense', {}, 1))).code).toBe('invalid_request');
        expect((await failure(store.readAll(START, {}, 0))).code).toBe('invalid_request');
        expect((await failure(store.readStream('task-1', { limit: 0 }))).code).toBe('invalid_request');
      });
    });

    describe('subscribing', () => {
      test('an empty log answers at once with an empty page at the head', async () => {
        const abort = new AbortController();
        const pages = store.subscribe(START, {}, abort.signal)[Symbol.asyncIterator]();
        expect((await pages.next()).value).toMatchObject({ events: [], atHead: true });
        abort.abort();
        expect((await pages.next()).done).toBe(true);
      });

      test('stored events come first, then new ones, each once and in order', async () => {
        for (let index = 0; index < 20; index += 1) await store.append('task-1', 'any', newEvents(100));
        const collector = new Collector(store);
        const appends = Array.from({ length: 200 }, (_, index) =>
          store.append(`execution-${index}`, 'any', newEvents(2)),
        );
        await Promise.all(appends);
        await collector.until((events) => events.length >= 2400);
        expect(collector.events).toEqual(await readEverything(store, {}, 1000));
        await collector.stop();
      });

      test('a subscription begins after the given position', async () => {
        const { position } = await store.append('task-1', 'any', newEvents(3));
        const collector = new Collector(store, {}, position);
        await store.append('task-1', 2, newEvents(2));
        await collector.until((events) => events.length >= 2);
        expect(collector.events.map((event) => event.version)).toEqual([3, 4]);
        await collector.stop();
      });

      test('a subscriber is told how far the log was searched though no event was for it', async () => {
        const collector = new Collector(store, { types: ['Wanted'] });
        await collector.until(() => true);
        const { position } = await store.append('task-1', 'any', newEvents(3));
        await collector.reaches(position);
        expect(collector.events).toEqual([]);
        await store.append('task-1', 'any', [newEvent({ type: 'Wanted' })]);
        await collector.until((events) => events.length === 1);
        await collector.stop();
      });

      test('many subscribers with different filters each get theirs', async () => {
        const collectors = Array.from(
          { length: 300 },
          (_, index) => new Collector(store, { types: [`Type${index % 30}`] }),
        );
        await Promise.all(collectors.map((collector) => collector.reaches(START)));
        for (let index = 0; index < 30; index += 1)
          await store.append('task-1', 'any', [newEvent({ type: `Type${index}` })]);
        await Promise.all(collectors.map((collector) => collector.until((events) => events.length === 1)));
        for (const [index, collector] of collectors.entries()) {
          expect(collector.events.map((event) => event.type)).toEqual([`Type${index % 30}`]);
        }
        await Promise.all(collectors.map((collector) => collector.stop()));
      });

      test('a slow consumer gets bounded pages and misses nothing', async () => {
        const abort = new AbortController();
        const pages = store.subscribe(START, {}, abort.signal)[Symbol.asyncIterator]();
        await pages.next();
        for (let index = 0; index < 60; index += 1) await store.append('task-1', 'any', newEvents(100));
        const events: StoredEvent[] = [];
        while (events.length < 6000) {
          const { value } = await pages.next();
          if (value === undefined) throw new Error('the subscription ended');
          expect(value.events.length).toBeLessThanOrEqual(1000);
          events.push(...value.events);
        }
        expect(events.map((event) => event.version)).toEqual(Array.from({ length: 6000 }, (_, index) => index));
        abort.abort();
      });

      test('an abort ends a waiting subscription, and one aborted before begins never', async () => {
        const collector = new Collector(store);
        await collector.until(() => true);
        await collector.stop();
        expect(collector.ended).toBe(true);
        const pages = store.subscribe(START, {}, AbortSignal.abort())[Symbol.asyncIterator]();
        expect((await pages.next()).done).toBe(true);
      });

      test('no subscriber loses, doubles or reorders an event while several writers append', async () => {
        const second = log.shared ? await open() : store;
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.record({ writer: fc.nat(1), stream: fc.nat(3), count: fc.integer({ min: 1, max: 4 }) }), {
              minLength: 1,
              maxLength: 40,
            }),
            async (plan) => {
              const after = await store.head();
              const early = new Collector(store, {}, after);
              const other = new Collector(second, { categories: ['task'] }, after);
              const run = async (writer: number): Promise<void> => {
                const mine = plan.filter((step) => step.writer === writer);
                await Promise.all(
                  mine.map((step) =>
                    (writer === 0 ? store : second).append(`task-${step.stream}`, 'any', newEvents(step.count)),
                  ),
                );
              };
              await Promise.all([run(0), run(1)]);
              const total = plan.reduce((sum, step) => sum + step.count, 0);
              const late = new Collector(second, {}, after);
              const collectors = [early, other, late];
              await Promise.all(collectors.map((collector) => collector.until((events) => events.length >= total)));
              const stored = await readEverything(store, {}, 1000, after);
              expect(stored).toHaveLength(total);
              for (const collector of collectors) {
                await collector.stop();
                expect(collector.events).toEqual(stored);
              }
            },
          ),
          { numRuns: 25 },
        );
        const whole = await readEverything(store, {}, 1000);
        for (const stream of new Set(whole.map((event) => event.stream))) {
          const versions = whole.filter((event) => event.stream === stream).map((event) => event.version);
          expect(versions).toEqual(versions.map((_, index) => index));
        }
      });
    });

    describe('closing', () => {
      test('appends under way end as they would have, and nothing of them is lost', async () => {
        const appends = Array.from({ length: 200 }, (_, index) =>
          store.append(`task-${index}`, 'no-stream', newEvents(2)),
        );
        const closed = store.close();
        const answers = await Promise.all(appends);
        await closed;
        expect(answers).toHaveLength(200);
        if (log.shared) expect(await readEverything(await open())).toHaveLength(400);
      });

      test('later calls fail, and closing twice is no error', async () => {
        await store.append('task-1', 'any', newEvents(1));
        await store.close();
        await store.close();
        const signal = new AbortController().signal;
        const calls = [
          store.append('task-1', 'any', newEvents(1)),
          store.readStream('task-1'),
          store.readAll(START, {}, 1),
          store.head(),
          (async () => store.subscribe(START, {}, signal)[Symbol.asyncIterator]().next())(),
        ];
        for (const call of calls) expect((await failure(call)).code).toBe('store_unavailable');
      });

      test('subscriptions end', async () => {
        const collector = new Collector(store);
        await collector.until(() => true);
        await store.close();
        await collector.done;
        expect(collector.ended).toBe(true);
      });
    });
  });
}

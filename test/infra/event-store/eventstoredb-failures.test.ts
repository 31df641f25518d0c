/** What only a log on a server has: connections that break, answers that are lost, leaders that change. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventStoreDbEventStore } from '../../../infra/event-store/eventstoredb.ts';
import { START } from '../../../src/domain/event.ts';
import type { EventPage, EventStore } from '../../../src/ports/event-store.ts';
import { EventStoreDbDouble } from '../../support/eventstoredb-double.ts';
import { Collector, eventNumbered, newEvent, newEvents, readEverything } from '../../support/store-events.ts';

let double: EventStoreDbDouble;
let store: EventStore;

beforeEach(async () => {
  double = await new EventStoreDbDouble().start();
  store = await eventStoreDbEventStore(double.url);
});

afterEach(async () => {
  await store.close();
  double.stop();
});

/** Appends 30 streams of 5 events each, one after the other in a stream, while `disturb` runs after every tenth. */
async function appendWhile(disturb: () => void): Promise<void> {
  let appended = 0;
  const one = async (stream: string): Promise<void> => {
    for (let version = 0; version < 5; version += 1) {
      await store.append(stream, version === 0 ? 'no-stream' : version - 1, [eventNumbered(stream, version)]);
      appended += 1;
      if (appended % 10 === 0) disturb();
    }
  };
  await Promise.all(Array.from({ length: 30 }, (_, index) => one(`task-${index}`)));
}

async function expectEachOnce(collector: Collector): Promise<void> {
  await collector.until((events) => events.length >= 150);
  const whole = await readEverything(store, {}, 1000);
  expect(new Set(whole.map((event) => event.eventId)).size).toBe(150);
  expect(collector.events).toEqual(whole);
  await collector.stop();
}

test('connections that are cut in the middle of appends and a subscription lose and double nothing', async () => {
  const collector = new Collector(store);
  await appendWhile(() => double.cut());
  await expectEachOnce(collector);
  expect(double.calls.includes('batchAppend')).toBe(false);
});

test('a server that restarts in the middle of appends and a subscription loses and doubles nothing', async () => {
  const collector = new Collector(store);
  let restarting = Promise.resolve();
  await appendWhile(() => {
    restarting = restarting.then(async () => {
      double.stop();
      await double.start();
    });
  });
  await restarting;
  await expectEachOnce(collector);
});

test('an append whose answer was lost with the connection is stored once and answered once', async () => {
  const events = newEvents(3);
  double.faults.cutAnswers = 2;
  const appended = await store.append('task-1', 'no-stream', events);
  expect(appended.version).toBe(2);
  expect(appended.position).toBe((await store.readStream('task-1'))[2]?.position);
  double.faults.cutAnswers = 1;
  expect((await store.append('task-1', 'any', [newEvent()])).version).toBe(3);
  expect(await readEverything(store)).toHaveLength(4);
  expect(double.faults.cutAnswers).toBe(0);
});

test('an append that is stored and never answered is asked for again after its deadline', async () => {
  const impatient = await eventStoreDbEventStore(`${double.url}&defaultDeadline=200`);
  double.faults.silentAnswers = 1;
  expect((await impatient.append('task-1', 'no-stream', newEvents(2))).version).toBe(1);
  expect(await readEverything(impatient)).toHaveLength(2);
  await impatient.close();
});

test('an append that another process made before is told from a new one, whatever is expected', async () => {
  const events = newEvents(3);
  const first = await store.append('task-1', 'no-stream', events);
  await store.append('task-1', 2, newEvents(2));
  for (const expected of ['any', 'no-stream', 'stream-exists', 1, 4, 9] as const) {
    const other = await eventStoreDbEventStore(double.url);
    expect(await other.append('task-1', expected, events)).toEqual(first);
    const mixed = other.append('task-1', expected, [newEvent(), ...events]);
    await expect(mixed).rejects.toMatchObject({ code: 'idempotency_mismatch' });
    await other.close();
  }
  expect(await store.readStream('task-1')).toHaveLength(5);
});

test('a server that is not ready, or has no leader for a while, is asked again', async () => {
  double.faults.refuse = 3;
  await store.append('task-1', 'no-stream', newEvents(1));
  double.faults.withoutLeader = 3;
  await store.append('task-1', 0, newEvents(1));
  double.faults.refuse = 2;
  expect(await store.readStream('task-1')).toHaveLength(2);
});

test('another node that has become the leader is followed, by its own word and by asking the cluster', async () => {
  const second = await new EventStoreDbDouble({ log: double.log }).start();
  const cluster = await eventStoreDbEventStore(
    `kurrentdb://127.0.0.1:${double.port},127.0.0.1:${second.port}?tls=false&discoveryInterval=10`,
  );
  const discovering = await eventStoreDbEventStore(`esdb+discover://127.0.0.1:${double.port}?tls=false`);
  const collectors = [store, cluster, discovering].map((one) => new Collector(one));
  await store.append('task-1', 'no-stream', newEvents(1));
  double.faults.leader = { host: '127.0.0.1', port: second.port };
  double.cut();
  await store.append('task-1', 0, newEvents(1));
  await cluster.append('task-1', 1, newEvents(1));
  await discovering.append('task-1', 2, newEvents(1));
  expect(second.calls.filter((call) => call === 'append')).toHaveLength(3);
  for (const collector of collectors) {
    await collector.until((events) => events.length === 4);
    await collector.stop();
  }
  await Promise.all([cluster.close(), discovering.close()]);
  second.stop();
});

test('while the server is away calls fail in clear words, a subscription waits, and both an abort and a close end it', async () => {
  const brief = await eventStoreDbEventStore(double.url, { appendPatienceMs: 100, readPatienceMs: 100 });
  const waiting = new Collector(brief);
  const aborted = new Collector(brief);
  await Promise.all([waiting, aborted].map((collector) => collector.until(() => true)));
  await waiting.reaches(START);
  double.stop();
  const failed = {
    code: 'store_unavailable',
    message: expect.stringMatching(/^Database connection failed: .*ECONNREFUSED/),
  };
  await expect(brief.append('task-1', 'any', newEvents(1))).rejects.toMatchObject(failed);
  await expect(brief.readStream('task-1')).rejects.toMatchObject(failed);
  await expect(brief.head()).rejects.toMatchObject(failed);
  await aborted.stop();
  expect(waiting.ended).toBe(false);
  await double.start();
  await brief.append('task-1', 'no-stream', newEvents(2));
  await waiting.until((events) => events.length === 2);
  double.stop();
  await brief.close();
  await waiting.done;
  expect(waiting.ended).toBe(true);
});

function versionsOf({ value }: IteratorResult<EventPage, undefined>): number[] {
  return value?.events.map((event) => event.version) ?? [];
}

test('a consumer that does not ask makes the server wait, and misses nothing afterwards', async () => {
  const payload = JSON.stringify('x'.repeat(20_000));
  const abort = new AbortController();
  const pages = store.subscribe(START, {}, abort.signal)[Symbol.asyncIterator]();
  await pages.next();
  const waiting = pages.next();
  const other = await eventStoreDbEventStore(double.url);
  for (let index = 0; index < 40; index += 1) await other.append('task-1', 'any', newEvents(40, { payload }));
  const versions: number[] = versionsOf(await waiting);
  // Nothing is asked for now: what is on its way fills the buffers, and no more comes.
  expect(double.sentToSubscriptions).toBeLessThan(1000);
  while (versions.length < 1600) versions.push(...versionsOf(await pages.next()));
  expect(versions).toEqual(Array.from({ length: 1600 }, (_, index) => index));
  abort.abort();
  await other.close();
});

test('10,000 events with gaps and events of others between them are caught up with, from any position', async () => {
  for (let index = 0; index < 100; index += 1) {
    await store.append(`task-${index}`, 'no-stream', newEvents(100));
    double.log.writeNoise();
  }
  const collector = new Collector(store);
  await collector.until((events) => events.length === 10_000);
  await collector.stop();
  const middle = collector.events[6_999]?.position ?? START;
  const later = new Collector(store, { categories: ['task'] }, middle);
  await later.until((events) => events.length === 3_000);
  await later.stop();
  expect(later.events).toEqual(collector.events.slice(7_000));
  expect((await readEverything(store, {}, 1000, middle)).map((event) => event.eventId)).toEqual(
    later.events.map((event) => event.eventId),
  );
});

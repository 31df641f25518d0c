import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { postgresEventStore } from '../../../infra/event-store/postgres.ts';
import type { EventStore } from '../../../src/ports/event-store.ts';
import { type OwnServer, type PostgresServer, startPostgres } from '../../support/postgres.ts';
import { Collector, eventNumbered, newEvent, newEvents, readEverything } from '../../support/store-events.ts';
import { type Child, type ChildOptions, startChild } from '../../support/store-process.ts';
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.ts';

let server: PostgresServer;
let url: string;
let proxy: TcpProxy;
let throughProxy: string;
const children: Child[] = [];
const stores: EventStore[] = [];

beforeAll(async () => {
  server = await startPostgres({ isOwn: true });
});

afterAll(async () => {
  await server.close();
});

beforeEach(async () => {
  url = await server.newDatabase();
  const address = new URL(url);
  proxy = await startProxy(Number(address.port || 5432));
  address.hostname = '127.0.0.1';
  address.port = String(proxy.port);
  throughProxy = address.href;
});

afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.kill()));
  proxy.goUp();
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await proxy.close();
});

async function open(at = url, options = {}): Promise<EventStore> {
  const store = await postgresEventStore(at, { poolSize: 5, ...options });
  stores.push(store);
  return store;
}

function start(options: ChildOptions, at = url): Child {
  const child = startChild(at, options);
  children.push(child);
  return child;
}

/** Each acknowledged event is there once, and so are all others; positions have no gap and streams are in order. */
async function expectWhole(store: EventStore, writers: readonly { stream: string; acknowledged: readonly number[] }[]) {
  const events = await readEverything(store, {}, 1000);
  expect(events.map((event) => Number.parseInt(event.position, 16))).toEqual(events.map((_, index) => index + 1));
  expect(new Set(events.map((event) => event.eventId)).size).toBe(events.length);
  for (const { stream, acknowledged } of writers) {
    const mine = events.filter((event) => event.stream === stream);
    expect(mine.map((event) => event.version)).toEqual(mine.map((_, index) => index));
    const ids = new Set(mine.map((event) => event.eventId));
    expect(acknowledged.filter((number) => !ids.has(eventNumbered(stream, number).eventId))).toEqual([]);
  }
  return events;
}

test('two processes that write at once leave no gap, and a live subscriber sees each event once and in order', async () => {
  const store = await open();
  const live = new Collector(store);
  await live.reaches('');
  const writers = ['task-1', 'task-2'].map((stream) => ({
    stream,
    child: start({ stream, inFlight: 16, limit: 600 }),
  }));
  await Promise.all(writers.map(({ child }) => child.until(() => child.acknowledged.length === 600)));
  await live.until((events) => events.length === 1200);
  const events = await expectWhole(
    store,
    writers.map(({ stream, child }) => ({ stream, acknowledged: child.acknowledged })),
  );
  expect(live.events).toEqual(events);
  expect(events).toHaveLength(1200);
  await live.stop();
});

test('a process that is killed with -9 loses nothing that it was told is stored', async () => {
  const child = start({ stream: 'task-1', inFlight: 32 });
  await child.until(() => child.acknowledged.length >= 300);
  await child.kill();
  await expectWhole(await open(), [{ stream: 'task-1', acknowledged: child.acknowledged }]);
});

test('killed with -9 between commit and answer, the append is found stored when it is made again', async () => {
  const direct = await open();
  const child = start({ stream: 'task-1', limit: 50, inFlight: 1 }, throughProxy);
  await child.until(() => child.acknowledged.length >= 3);
  proxy.swallow('append-events');
  await proxy.swallowed();
  await child.kill();
  const told = child.acknowledged.length;
  const stored = await direct.readStream('task-1');
  expect(stored).toHaveLength(told + 1);
  const again = await direct.append('task-1', 'no-stream', [eventNumbered('task-1', told)]);
  expect(again).toEqual({ version: told, position: stored.at(-1)?.position });
  expect(await direct.readStream('task-1')).toHaveLength(told + 1);
});

test('an append whose answer the network lost is answered as the first time, and stored once', async () => {
  const store = await open(throughProxy);
  await store.append('task-1', 'no-stream', newEvents(1));
  proxy.swallow('append-events');
  const append = store.append('task-1', 0, newEvents(2));
  await proxy.swallowed();
  proxy.deliver();
  expect((await append).version).toBe(2);
  expect(await store.readStream('task-1')).toHaveLength(3);
});

test('connections that an administrator cuts are made again, under load and with subscribers', async () => {
  const store = await open();
  const live = new Collector(store);
  let acknowledged = 0;
  let isDone = false;
  const loads = Array.from({ length: 8 }, async (_, index) => {
    for (let number = 0; !isDone; number += 1) {
      await store.append(`task-${index}`, number === 0 ? 'no-stream' : number - 1, [newEvent()]);
      acknowledged += 1;
    }
  });
  const cut = `SELECT count(pg_terminate_backend(pid)) AS count FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`;
  for (let round = 1; round <= 5; round += 1) {
    const before = acknowledged;
    await expect.poll(() => acknowledged, { timeout: 10_000 }).toBeGreaterThan(before + 50);
    const [row] = await server.run(url, cut);
    expect(Number(row?.['count'])).toBeGreaterThan(0);
  }
  isDone = true;
  await Promise.all(loads);
  await live.until((events) => events.length >= acknowledged);
  const events = await expectWhole(store, []);
  expect(events).toHaveLength(acknowledged);
  expect(live.events).toEqual(events);
  await live.stop();
});

test('without a server appends and reads fail in clear words, subscriptions wait, and all goes on by itself', async () => {
  const store = await open(throughProxy, { connectionTimeoutMs: 300 });
  const live = new Collector(store);
  await store.append('task-1', 'no-stream', newEvents(2));
  await live.until((events) => events.length === 2);
  proxy.goDown();
  const refusal = {
    code: 'store_unavailable',
    message: expect.stringMatching(/^Database connection failed: 127\.0\.0\.1:\d+\/test_/),
  };
  await expect(store.append('task-1', 1, newEvents(1))).rejects.toMatchObject(refusal);
  await expect(store.head()).rejects.toMatchObject(refusal);
  await (await open()).append('task-2', 'no-stream', newEvents(3));
  proxy.goUp();
  await live.until((events) => events.length === 5);
  expect((await store.append('task-1', 1, newEvents(1))).version).toBe(2);
  expect(live.ended).toBe(false);
  await live.stop();
});

test('a subscription ends at once when it is told to, also while there is no server', async () => {
  const store = await open(throughProxy, { connectionTimeoutMs: 300 });
  const stop = new AbortController();
  const pages = store.subscribe('', {}, stop.signal)[Symbol.asyncIterator]();
  proxy.goDown();
  const waiting = pages.next();
  stop.abort();
  expect((await waiting).done).toBe(true);
});

test('a store is closed while there is no server, and its subscriptions end', async () => {
  const store = await open(throughProxy, { connectionTimeoutMs: 300 });
  const live = new Collector(store);
  await live.reaches('');
  proxy.goDown();
  const append = store.append('task-1', 'any', newEvents(1));
  await Promise.all([store.close(), expect(append).rejects.toMatchObject({ code: 'store_unavailable' })]);
  await live.done;
  expect(live.ended).toBe(true);
});

const ways: [string, (own: OwnServer) => Promise<void>][] = [
  ['restarted', (own) => own.stop()],
  ['crashed and recovered', (own) => own.crash()],
];
for (const [what, end] of ways) {
  test(`a server that is ${what} in the middle loses and doubles nothing, and everybody goes on by themselves`, async ({
    skip,
  }) => {
    const { own } = server;
    if (own === null) return skip('the server is not ours to end');
    const store = await open();
    const live = new Collector(store);
    const writers = ['task-1', 'task-2'].map((stream) => ({ stream, child: start({ stream, inFlight: 8 }) }));
    const beyond = (more: number) =>
      Promise.all(
        writers.map(({ child }) => {
          const goal = child.acknowledged.length + more;
          return child.until(() => child.acknowledged.length >= goal);
        }),
      );
    await beyond(100);
    const mine = Array.from({ length: 50 }, (_, index) => store.append(`batch-${index}`, 'no-stream', newEvents(2)));
    await end(own);
    await own.start();
    await Promise.all(mine);
    await beyond(100);
    await Promise.all(writers.map(({ child }) => child.kill()));
    const { position } = await store.append('task-last', 'no-stream', newEvents(1));
    await live.reaches(position);
    const events = await expectWhole(
      store,
      writers.map(({ stream, child }) => ({ stream, acknowledged: child.acknowledged })),
    );
    expect(live.events).toEqual(events);
    expect(events.filter((event) => event.stream.startsWith('batch-'))).toHaveLength(100);
    await live.stop();
  });
}

import { afterEach, beforeEach, expect, test } from 'vitest';
import { sqliteEventStore } from '../../../infra/event-store/sqlite.ts';
import { Collector, eventNumbered, newEvents, readEverything } from '../../support/store-events.ts';
import { type TemporaryFolder, temporaryFolder } from '../../support/store-files.ts';
import { type Child, type ChildOptions, startChild } from '../../support/store-process.ts';

let folder: TemporaryFolder;
let path: string;
const children: Child[] = [];

function start(options: ChildOptions): Child {
  const child = startChild(`sqlite:${path}`, options);
  children.push(child);
  return child;
}

beforeEach(async () => {
  folder = await temporaryFolder();
  path = folder.file('log.db');
});

afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.kill()));
  await folder.remove();
});

test('after kill -9 every acknowledged event is there, and appending all again stores only what was missing', async () => {
  for (const [round, inFlight] of [1, 16, 64].entries()) {
    const stream = `task-${round}`;
    const child = start({ stream, inFlight });
    await child.until(() => child.acknowledged.length >= 150);
    await child.kill();

    const store = await sqliteEventStore(path);
    const before = await store.readStream(stream);
    const stored = new Set(before.map((event) => event.eventId));
    const lost = child.acknowledged.filter((number) => !stored.has(eventNumbered(stream, number).eventId));
    expect(lost).toEqual([]);
    expect(before.map((event) => event.version)).toEqual(before.map((_, index) => index));

    const everSent = Math.max(...child.acknowledged) + 1 + inFlight;
    for (let number = 0; number < everSent; number += 1) {
      await store.append(stream, 'any', [eventNumbered(stream, number)]);
    }
    const after = await store.readStream(stream);
    expect(after.slice(0, before.length)).toEqual(before);
    expect(new Set(after.map((event) => event.eventId)).size).toBe(after.length);
    expect(after).toHaveLength(everSent);
    await store.close();
  }
});

test('a second process sees what the first appends and is seen by it', async () => {
  const store = await sqliteEventStore(path);
  const live = new Collector(store);
  await live.until(() => true);
  const child = start({ stream: 'task-child', inFlight: 4, limit: 200 });
  for (let index = 0; index < 50; index += 1) await store.append('task-parent', 'any', newEvents(2));
  await live.until((events) => events.length === 300);
  expect(await child.ended).toBe(0);
  expect(live.events).toEqual(await readEverything(store));
  await live.stop();
  await store.close();
});

test('processes that start at once on one new file all get it', async () => {
  const started = Array.from({ length: 4 }, (_, index) => start({ stream: `task-${index}`, limit: 20 }));
  expect(await Promise.all(started.map((child) => child.ended))).toEqual([0, 0, 0, 0]);
  const store = await sqliteEventStore(path);
  const events = await readEverything(store);
  expect(events).toHaveLength(80);
  expect(events.map((event) => Number.parseInt(event.position, 16))).toEqual(events.map((_, index) => index + 1));
  await store.close();
});

test('of two processes that write without pause neither starves the other', async () => {
  const one = start({ stream: 'task-1', inFlight: 32 });
  const two = start({ stream: 'task-2', inFlight: 32 });
  await Promise.all([one, two].map((child) => child.until(() => child.acknowledged.length > 0)));
  const [before1, before2] = [one.acknowledged.length, two.acknowledged.length];
  const did = (): [number, number] => [one.acknowledged.length - before1, two.acknowledged.length - before2];
  await Promise.race([one, two].map((child) => child.until(() => did()[0] + did()[1] > 6000)));
  const [first, second] = did();
  expect(Math.min(first, second) / (first + second)).toBeGreaterThan(0.15);
});

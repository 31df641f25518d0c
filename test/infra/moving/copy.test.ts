import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compareLogs, digestOf } from '../../../infra/moving/compare.ts';
import { copyInto } from '../../../infra/moving/copy.ts';
import { followedPages, storedPages } from '../../../infra/moving/pages.ts';
import { bytesOfExport, ExportReader } from '../../../infra/moving/read-export.ts';
import { exportToFile } from '../../../infra/moving/write-export.ts';
import { RatchetError } from '../../../src/domain/errors.ts';
import type { StoredEvent } from '../../../src/domain/event.ts';
import type { EventStore } from '../../../src/ports/event-store.ts';
import { appends, fill, MOVING_STORES } from '../../support/moving-stores.ts';
import { newEvent, newEvents, readEverything } from '../../support/store-events.ts';
import { type TemporaryFolder, temporaryFolder } from '../../support/store-files.ts';

let folder: TemporaryFolder;
const opened: EventStore[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
  await folder.remove();
});

async function open(name: string): Promise<EventStore> {
  const store = await MOVING_STORES[name]?.(folder);
  if (store === undefined) throw new Error(`no store ${name}`);
  opened.push(store);
  return store;
}

/** Everything that is moved: all but the position. */
async function moved(store: EventStore): Promise<Omit<StoredEvent, 'position'>[]> {
  return (await readEverything(store)).map(({ position: _position, ...event }) => event);
}

const exportOptions = { source: 'test', exportedAt: '2026-11-21T10:00:00.000Z', resume: false };

/** Some streams that take turns, and runs of neighbours. */
async function filled(name: string): Promise<EventStore> {
  const store = await open(name);
  for (let index = 0; index < 12; index += 1)
    await store.append(`task-${index % 3}`, 'any', newEvents((index % 4) + 1));
  return store;
}

describe('a log', () => {
  it('goes from store to file to store and comes out the same to the last byte, whatever it holds', async () => {
    const names = Object.keys(MOVING_STORES);
    await fc.assert(
      fc.asyncProperty(appends, fc.constantFrom('log.jsonl', 'log.jsonl.gz'), async (all, file) => {
        const place = await temporaryFolder();
        const first = await open('memory');
        await fill(first, all);
        const expected = await moved(first);
        let source = first;
        const hashes: string[] = [(await digestOf(storedPages(first))).hash];
        for (const name of names) {
          const target = await open(name);
          hashes.push((await copyInto(target, storedPages(source))).hash);
          expect(await moved(target)).toEqual(expected);
          source = target;
        }
        const out = place.file(file);
        hashes.push((await exportToFile(source, out, exportOptions)).hash);
        const last = await open('memory');
        const copied = await copyInto(last, new ExportReader(bytesOfExport(out)).pages());
        expect(copied).toMatchObject({ count: expected.length, appended: expected.length });
        expect(await moved(last)).toEqual(expected);
        expect(new Set([...hashes, copied.hash]).size).toBe(1);
        await place.remove();
      }),
      { numRuns: 40 },
    );
  });
});

describe.each(Object.keys(MOVING_STORES))('a copy into %s', (name) => {
  it('has each event at its version, in the order of the source, with the times at which it was recorded', async () => {
    const source = await filled('memory');
    const target = await open(name);
    const { count, already, appended } = await copyInto(target, storedPages(source));
    expect({ count, already, appended }).toEqual({ count: 30, already: 0, appended: 30 });
    expect(await moved(target)).toEqual(await moved(source));
    expect((await target.readStream('task-1')).map(({ version }) => version)).toEqual([...Array(10).keys()]);
  });

  it('goes on where it was cut, also when the answer to the last append was lost', async () => {
    const source = await filled('memory');
    const target = await open(name);
    for (const survives of [1, 4, 6]) {
      let left = survives;
      const failing: EventStore = {
        ...target,
        append: async (...args) => {
          const appended = await target.append(...args);
          left -= 1;
          if (left === 0) throw new RatchetError('store_unavailable', 'cut');
          return appended;
        },
      };
      await expect(copyInto(failing, storedPages(source))).rejects.toMatchObject({ code: 'store_unavailable' });
    }
    const before = (await moved(target)).length;
    const copied = await copyInto(target, storedPages(source));
    expect(before).toBeGreaterThan(0);
    expect(copied).toMatchObject({ count: 30, already: before, appended: 30 - before });
    expect((await compareLogs(storedPages(source), storedPages(target))).difference).toBeNull();
    expect(await copyInto(target, storedPages(source))).toMatchObject({ already: 30, appended: 0 });
  });

  it('is refused where the target holds other events, naming stream and version, and stores nothing', async () => {
    const source = await filled('memory');
    const [first] = await readEverything(source);
    const others = [
      { stream: 'task-9', event: newEvent() },
      { stream: 'task-0', event: newEvent() },
      { stream: 'task-0', event: newEvent({ ...first, payload: '{"a": 1}' }) },
    ];
    for (const { stream, event } of others) {
      const { position: _position, recordedAt: _recordedAt, ...fields } = { position: '', recordedAt: '', ...event };
      const target = await open(name);
      await target.append(stream, 'no-stream', [fields]);
      await expect(copyInto(target, storedPages(source))).rejects.toMatchObject({
        code: 'log_differs',
        message: expect.stringContaining(`${stream} at version 0`),
        details: { stream, version: 0 },
      });
      expect(await readEverything(target)).toHaveLength(1);
    }
  });

  it('is refused where the target is longer than the source', async () => {
    const source = await filled('memory');
    const target = await open(name);
    await copyInto(target, storedPages(source));
    await target.append('task-0', 'any', newEvents(1));
    const version = (await target.readStream('task-0')).length - 1;
    await expect(copyInto(target, storedPages(source))).rejects.toMatchObject({
      code: 'log_differs',
      details: { stream: 'task-0', version },
    });
  });

  it('is refused where somebody else writes to the target meanwhile', async () => {
    const source = await filled('memory');
    const target = await open(name);
    let isFirst = true;
    const shared: EventStore = {
      ...target,
      append: async (...args) => {
        if (isFirst) await target.append('task-2', 'any', newEvents(1));
        isFirst = false;
        return target.append(...args);
      },
    };
    await expect(copyInto(shared, storedPages(source))).rejects.toMatchObject({
      code: 'log_differs',
      details: { stream: 'task-2', version: 0 },
    });
  });
});

describe.each(Object.keys(MOVING_STORES))('a copy from %s', (name) => {
  it('ends at what was the last event when it began', async () => {
    const source = await filled(name);
    const target = await open('memory');
    const growing: EventStore = {
      ...target,
      append: async (...args) => {
        await source.append('task-0', 'any', newEvents(1));
        return target.append(...args);
      },
    };
    expect(await copyInto(growing, storedPages(source))).toMatchObject({ count: 30 });
    expect(await copyInto(target, storedPages(source))).toMatchObject({ already: 30 });
  });

  it('that follows brings what is stored meanwhile, until it is stopped', async () => {
    const source = await filled(name);
    const target = await open('memory');
    const stop = new AbortController();
    const copying = copyInto(target, followedPages(source, stop.signal), ({ already, appended }) => {
      if (already + appended === 30) void source.append('task-7', 'no-stream', newEvents(5));
      if (already + appended === 35) stop.abort();
    });
    expect(await copying).toMatchObject({ count: 35, appended: 35 });
    expect(await target.readStream('task-7')).toHaveLength(5);
  });
});

describe('two logs', () => {
  it('are compared up to the first event that differs, telling what differs', async () => {
    const source = await filled('memory');
    const all = await readEverything(source);
    async function* pages(change: (event: StoredEvent, index: number) => StoredEvent | null) {
      yield all.flatMap((event, index) => change(event, index) ?? []);
    }
    const against = (change: (event: StoredEvent, index: number) => StoredEvent | null) =>
      compareLogs(storedPages(source), pages(change));
    const { stream, version } = all[20] ?? { stream: '', version: -1 };
    expect(await against((event) => event)).toEqual({ ...(await digestOf(storedPages(source))), difference: null });
    const changed = await against((event, index) =>
      index === 20 ? { ...event, payload: '{}', principal: 'x' } : event,
    );
    expect(changed).toMatchObject({ count: 20, difference: { stream, version, differs: ['principal', 'payload'] } });
    const shorter = await against((event, index) => (index < 20 ? event : null));
    expect(shorter).toMatchObject({ count: 20, difference: { stream, version, differs: 'missing in the second' } });
    const longer = await compareLogs(
      pages((event, index) => (index < 20 ? event : null)),
      storedPages(source),
    );
    expect(longer).toMatchObject({ count: 20, difference: { stream, version, differs: 'missing in the first' } });
  });

  it('that differ only in positions are equal', async () => {
    const source = await filled('memory');
    const out = folder.file('log.jsonl');
    await exportToFile(source, out, exportOptions);
    expect(await readFile(out, 'utf8')).toContain('"position":"0000000000000001"');
    const elsewhere = (await readEverything(source)).map((event) => ({ ...event, position: `x${event.position}` }));
    async function* pages() {
      yield elsewhere;
    }
    expect((await compareLogs(pages(), new ExportReader(bytesOfExport(out)).pages())).difference).toBeNull();
  });
});

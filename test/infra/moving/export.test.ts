import { existsSync } from 'node:fs';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memoryEventStore } from '../../../infra/event-store/memory.ts';
import { digestOf } from '../../../infra/moving/compare.ts';
import { storedPages } from '../../../infra/moving/pages.ts';
import { bytesOfExport, ExportReader, type ReadOptions } from '../../../infra/moving/read-export.ts';
import { exportToFile } from '../../../infra/moving/write-export.ts';
import { RatchetError } from '../../../src/domain/errors.ts';
import type { StoredEvent } from '../../../src/domain/event.ts';
import type { EventStore } from '../../../src/ports/event-store.ts';
import { newEvent, newEvents } from '../../support/store-events.ts';
import { type TemporaryFolder, temporaryFolder } from '../../support/store-files.ts';

const OPTIONS = { source: 'sqlite:a.db', exportedAt: '2026-11-21T10:00:00.000Z', resume: false };
const RESUME = { ...OPTIONS, resume: true };
const NAMES = ['log.jsonl', 'log.jsonl.gz'] as const;

let folder: TemporaryFolder;
let store: EventStore;
/** The whole export of {@link store}. */
let whole: string;
let files = 0;

beforeAll(async () => {
  folder = await temporaryFolder();
  store = memoryEventStore();
  for (let index = 0; index < 10; index += 1) {
    const payload = JSON.stringify({ index, text: `"é" \u2028 ${'x'.repeat(index * 9)}` });
    await store.append(
      `task-${index % 3}`,
      'any',
      newEvents(2, { payload, causationId: index % 2 === 0 ? null : 'c' }),
    );
  }
  await exportToFile(store, folder.file('whole.jsonl'), OPTIONS);
  whole = await readFile(folder.file('whole.jsonl'), 'utf8');
});

afterAll(() => folder.remove());

const fresh = (name: string): string => folder.file(`${(files += 1)}-${name}`);

async function textOf(file: string): Promise<string> {
  const bytes = await readFile(file);
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
}

async function read(file: string, options?: ReadOptions): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const page of new ExportReader(bytesOfExport(file), options).pages()) events.push(...page);
  return events;
}

async function readText(text: string, options?: ReadOptions): Promise<StoredEvent[]> {
  const file = fresh('changed.jsonl');
  await writeFile(file, text);
  return read(file, options);
}

const linesOf = (text: string): string[] => text.trimEnd().split('\n');
const joined = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
const changedAt = (index: number, change: (line: string) => readonly string[]): string =>
  joined(linesOf(whole).flatMap((line, at) => (at === index ? change(line) : [line])));

describe('an export', () => {
  it('says what it is, holds each payload as the stored text, and ends with number, hash and last position', async () => {
    const [header, first, ...rest] = linesOf(whole).map((line) => JSON.parse(line));
    expect(header).toEqual({
      format: 'ratchet-events',
      formatVersion: 1,
      source: 'sqlite:a.db',
      exportedAt: '2026-11-21T10:00:00.000Z',
      first: '0000000000000001',
    });
    const stored = await store.readAt('0000000000000001');
    expect(first).toEqual({ ...stored, check: expect.stringMatching(/^[0-9a-f]{64}$/) });
    const digest = await digestOf(storedPages(store));
    expect(rest.at(-1)).toEqual({ ...digest, last: await store.head() });
  });

  it.each(NAMES)('%s of an empty log is whole, and gets its events when it is gone on with', async (name) => {
    const file = fresh(name);
    const empty = memoryEventStore();
    expect(await exportToFile(empty, file, OPTIONS)).toMatchObject({ count: 0 });
    expect(await read(file)).toEqual([]);
    await empty.append('task-1', 'no-stream', newEvents(2));
    expect(await exportToFile(empty, file, RESUME)).toMatchObject({ count: 2, already: 0 });
    expect(await read(file)).toHaveLength(2);
  });

  it('appears under its name only when it is whole, and what was begun is gone on with', async () => {
    const file = fresh('log.jsonl');
    const dying: EventStore = {
      ...store,
      readAll: async (after, filter) => {
        if (after >= '0000000000000005') throw new RatchetError('store_unavailable', 'gone');
        return store.readAll(after, filter, 5);
      },
    };
    await expect(exportToFile(dying, file, OPTIONS)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect([existsSync(file), existsSync(`${file}.part`)]).toEqual([false, true]);
    expect(await exportToFile(store, file, RESUME)).toMatchObject({ count: 20 });
    expect(await textOf(file)).toBe(whole);
    expect(existsSync(`${file}.part`)).toBe(false);
  });

  it('never takes the place of a file that is there', async () => {
    const file = fresh('log.jsonl');
    for (const mine of ['mine', 'mine\n', '']) {
      await writeFile(file, mine);
      await expect(exportToFile(store, file, OPTIONS)).rejects.toMatchObject({ code: 'already_exists' });
      for (let again = 0; again < 2; again += 1)
        await expect(exportToFile(store, file, RESUME)).rejects.toMatchObject({ code: 'export_damaged' });
      expect(await readFile(file, 'utf8')).toBe(mine);
    }
  });

  it.each(NAMES)('%s that was cut anywhere is gone on with to the same as one that was not', async (name) => {
    const bytes = name.endsWith('.gz') ? gzipSync(whole) : Buffer.from(whole);
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: bytes.length - 1 }), async (length) => {
        const file = fresh(name);
        await writeFile(`${file}.part`, bytes);
        await truncate(`${file}.part`, length);
        const { count, already } = await exportToFile(store, file, RESUME);
        expect(count).toBe(20);
        expect(already).toBeLessThanOrEqual(20);
        expect(await textOf(file)).toBe(whole);
      }),
      { numRuns: 40, examples: [[0], [1], [bytes.length - 1], [Math.floor(bytes.length / 2)]] },
    );
  });

  it.each(NAMES)('%s that is whole gets what was stored since', async (name) => {
    const file = fresh(name);
    const growing = memoryEventStore();
    await growing.append('task-1', 'no-stream', newEvents(3));
    await exportToFile(growing, file, OPTIONS);
    await growing.append('task-1', 2, newEvents(4));
    expect(await exportToFile(growing, file, RESUME)).toMatchObject({ count: 7, already: 3 });
    expect(await read(file)).toEqual(await growing.readStream('task-1'));
  });

  it('is not gone on with from another log', async () => {
    const file = fresh('log.jsonl');
    await exportToFile(store, file, OPTIONS);
    const other = memoryEventStore();
    await other.append('task-1', 'no-stream', newEvents(30));
    for (const source of [other, memoryEventStore()]) {
      await expect(exportToFile(source, file, RESUME)).rejects.toMatchObject({
        code: 'log_differs',
        message: expect.stringContaining('at version'),
      });
    }
    expect(await textOf(file)).toBe(whole);
  });
});

describe('a file', () => {
  const FIELDS = [
    ['stream', 'task-9'],
    ['version', 70],
    ['eventId', '00000000-0000-4000-8000-000000000000'],
    ['type', 'OtherHappened'],
    ['schemaVersion', 2],
    ['occurredAt', '2026-11-21T10:00:00.001Z'],
    ['recordedAt', '2020-11-21T10:00:00.001Z'],
    ['position', '0000000000000fff'],
    ['principal', 'local:other'],
    ['commandId', 'other'],
    ['correlationId', 'other'],
    ['causationId', 'other'],
    ['traceparent', 'other'],
    ['payload', '{"index": 0}'],
    ['check', '0'.repeat(64)],
    ['more', 1],
  ] as const;

  it.each(FIELDS)('is refused when the %s of an event was changed, by the number of its line', async (field, value) => {
    for (const index of [1, 8, 20]) {
      const text = changedAt(index, (line) => [JSON.stringify({ ...JSON.parse(line), [field]: value })]);
      await expect(readText(text)).rejects.toMatchObject({
        code: 'export_damaged',
        message: expect.stringContaining(`line ${index + 1} `),
        details: { line: index + 1 },
      });
      await expect(readText(text, { mayBeCut: true })).rejects.toMatchObject({ details: { line: index + 1 } });
    }
  });

  it.each([
    ['a line is missing', (line: string) => [] as string[] & { line?: typeof line }, 6],
    ['a line is there twice', (line: string) => [line, line], 7],
    ['a line is no JSON', (line: string) => [line.slice(1)], 6],
    ['a line is something else', () => ['{"a":1}'], 6],
    ['the last line comes too soon', (line: string) => [linesOf(whole).at(-1) ?? '', line], 6],
  ])('is refused when %s', async (_what, change, line) => {
    await expect(readText(changedAt(5, change))).rejects.toMatchObject({ code: 'export_damaged', details: { line } });
  });

  it('is refused when its header or its last line were changed, or something follows', async () => {
    const edited = (index: number, fields: object) =>
      readText(changedAt(index, (line) => [JSON.stringify({ ...JSON.parse(line), ...fields })]));
    await expect(edited(0, { format: 'other' })).rejects.toMatchObject({
      code: 'export_damaged',
      details: { line: 1 },
    });
    await expect(edited(0, { formatVersion: 2 })).rejects.toMatchObject({ code: 'unsupported' });
    await expect(edited(0, { first: '0000000000000002' })).rejects.toMatchObject({ details: { line: 2 } });
    await expect(edited(21, { count: 19 })).rejects.toMatchObject({ details: { line: 22 } });
    await expect(edited(21, { hash: '0'.repeat(64) })).rejects.toMatchObject({ details: { line: 22 } });
    await expect(edited(21, { last: null })).rejects.toMatchObject({ details: { line: 22 } });
    await expect(readText(`${whole}{}\n`)).rejects.toMatchObject({ details: { line: 23 } });
    await expect(readText('')).rejects.toMatchObject({ code: 'export_damaged' });
  });

  it('that was cut off is refused, unless that is allowed: then it gives the events before', async () => {
    for (const lines of [21, 9]) {
      const cut = joined(linesOf(whole).slice(0, lines));
      for (const text of [cut, `${cut}{"position":"00`]) {
        await expect(readText(text)).rejects.toMatchObject({
          code: 'export_damaged',
          message: expect.stringContaining(`cut off after line ${lines}`),
        });
        expect(await readText(text, { mayBeCut: true })).toHaveLength(lines - 1);
      }
    }
  });

  it('that is compressed is refused when it is cut off, damaged or not compressed at all', async () => {
    const bytes = gzipSync(whole);
    const file = fresh('log.jsonl.gz');
    await writeFile(file, bytes.subarray(0, bytes.length - 60));
    await expect(read(file)).rejects.toMatchObject({ code: 'export_damaged' });
    expect((await read(file, { mayBeCut: true })).length).toBeLessThanOrEqual(20);
    const flipped = Buffer.from(bytes);
    flipped[200] = (flipped[200] ?? 0) ^ 0xff;
    for (const wrong of [flipped, Buffer.from(whole)]) {
      await writeFile(file, wrong);
      await expect(read(file)).rejects.toMatchObject({ code: 'export_damaged' });
    }
  });

  it('that has a line without end is refused before it fills the memory', async () => {
    let given = 0;
    async function* endless() {
      for (;;) {
        given += 65_536;
        yield Buffer.alloc(65_536, 'x');
      }
    }
    const reading = new ExportReader(endless()).pages()[Symbol.asyncIterator]().next();
    await expect(reading).rejects.toMatchObject({ code: 'export_damaged' });
    expect(given).toBeLessThan(16 * 1024 * 1024);
  });

  it('that is not there is told by its name', () => {
    expect(() => bytesOfExport('nowhere.jsonl')).toThrow('there is no file nowhere.jsonl');
  });

  it('may hold the largest event in its longest form', async () => {
    const file = fresh('log.jsonl');
    const large = memoryEventStore();
    await large.append('task-1', 'no-stream', [newEvent({ payload: '\u0001'.repeat(1024 * 1024 - 16 * 1024) })]);
    await exportToFile(large, file, OPTIONS);
    expect(await read(file)).toEqual(await large.readStream('task-1'));
  });
});

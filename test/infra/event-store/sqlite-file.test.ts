import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sqliteEventStore } from '../../../infra/event-store/sqlite.ts';
import { isNetworkFileSystem, isRecentSqlite, openWriter } from '../../../infra/event-store/sqlite-file.ts';
import { START } from '../../../src/domain/event.ts';
import type { EventStore } from '../../../src/ports/event-store.ts';
import { newEvent, newEvents, readEverything } from '../../support/store-events.ts';
import { type TemporaryFolder, temporaryFolder } from '../../support/store-files.ts';

const LARGE = JSON.stringify('x'.repeat(300_000));

let folder: TemporaryFolder;

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  await folder.remove();
});

test('what was appended is there when the file is opened again', async () => {
  const first = await sqliteEventStore(folder.file('log.db'));
  await first.append('task-1', 'no-stream', newEvents(3));
  const before = await first.readStream('task-1');
  await first.close();
  const second = await sqliteEventStore(folder.file('log.db'));
  expect(await second.readStream('task-1')).toEqual(before);
  expect((await second.append('task-1', 2, newEvents(1))).version).toBe(3);
  await second.close();
});

test('a log opened for reading only follows who writes it, and takes no appends', async () => {
  const written = await sqliteEventStore(folder.file('log.db'));
  await written.append('task-1', 'no-stream', newEvents(1));
  const read = await sqliteEventStore(folder.file('log.db'), { readOnly: true });
  const stop = new AbortController();
  const seen: number[] = [];
  for await (const page of read.subscribe(START, {}, stop.signal)) {
    seen.push(...page.events.map((event) => event.version));
    if (seen.length === 1) await written.append('task-1', 0, newEvents(1));
    else stop.abort();
  }
  expect(seen).toEqual([0, 1]);
  await expect(read.append('task-1', 'any', newEvents(1))).rejects.toMatchObject({ code: 'store_unavailable' });
  await read.close();
  expect((await written.append('task-1', 1, newEvents(1))).version).toBe(2);
  await written.close();
});

test('a log opened for reading only must exist', async () => {
  const opening = sqliteEventStore(folder.file('none.db'), { readOnly: true });
  await expect(opening).rejects.toMatchObject({ code: 'store_unavailable' });
});

test('events can be neither changed nor deleted, by whatever connection', async () => {
  const store = await sqliteEventStore(folder.file('log.db'));
  await store.append('task-1', 'any', newEvents(2));
  await store.close();
  const db = new DatabaseSync(folder.file('log.db'));
  expect(() => db.exec("UPDATE events SET payload = '{}'")).toThrow('events are never changed');
  expect(() => db.exec('DELETE FROM events')).toThrow('events are never deleted');
  const columns = 'position, stream, version, event_id, type, schema_version, occurred_at, recorded_at, principal';
  const rest = 'command_id, correlation_id';
  const replace = `INSERT OR REPLACE INTO events (${columns}, ${rest}, payload) SELECT ${columns}, ${rest}, '{}' FROM events`;
  expect(() => db.exec(replace)).toThrow('events are never replaced');
  expect(db.prepare('SELECT count(*) AS count FROM events').get()).toEqual({ count: 2 });
  db.close();
});

test('the connection that writes keeps a write-ahead log and syncs it at each commit', () => {
  const db = openWriter(folder.file('log.db'));
  expect(db.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
  expect(db.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 });
  db.close();
});

test('a page of large events ends early, so that reading does not fill the memory', async () => {
  const store = await sqliteEventStore(folder.file('log.db'));
  for (let index = 0; index < 100; index += 1) await store.append('task-1', 'any', [newEvent({ payload: LARGE })]);
  const page = await store.readAll(START, {}, 1000);
  expect(page.events.length).toBeLessThan(40);
  expect(page.atHead).toBe(false);
  expect(await readEverything(store, {}, 1000)).toHaveLength(100);
  await store.close();
});

async function fill(store: EventStore): Promise<number> {
  for (let count = 0; count < 1000; count += 1) {
    try {
      await store.append('task-fill', 'any', [newEvent({ payload: LARGE })]);
    } catch (error) {
      expect(error).toMatchObject({ code: 'store_full' });
      return count;
    }
  }
  throw new Error('the store never became full');
}

test('a full file refuses an append as a whole, keeps what it has and still takes what fits', async () => {
  const path = folder.file('log.db');
  const store = await sqliteEventStore(path, { maxPages: 500 });
  const count = await fill(store);
  const [large, small] = await Promise.allSettled([
    store.append('task-large', 'no-stream', [newEvent(), newEvent({ payload: LARGE })]),
    store.append('task-small', 'no-stream', [newEvent()]),
  ]);
  expect(large).toMatchObject({ status: 'rejected', reason: { code: 'store_full' } });
  expect(small.status).toBe('fulfilled');
  expect(await store.readStream('task-large')).toEqual([]);
  expect(await readEverything(store)).toHaveLength(count + 1);
  await store.close();

  const roomier = await sqliteEventStore(path, { maxPages: 2000 });
  await roomier.append('task-large', 'no-stream', [newEvent(), newEvent({ payload: LARGE })]);
  expect(await readEverything(roomier)).toHaveLength(count + 3);
  await roomier.close();
});

test.skipIf(!canMount())('a full disk refuses appends until there is space again, and loses nothing', async () => {
  const mount = folder.file('disk');
  mkdirSync(mount);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mount]);
  try {
    const ballast = `${mount}/ballast`;
    writeFileSync(ballast, Buffer.alloc(700_000));
    const store = await sqliteEventStore(`${mount}/log.db`);
    const count = await fill(store);
    expect(await readEverything(store)).toHaveLength(count);
    rmSync(ballast);
    const retried = newEvent({ payload: LARGE });
    await store.append('task-fill', 'any', [retried]);
    await store.close();
    const again = await sqliteEventStore(`${mount}/log.db`);
    expect(await readEverything(again)).toHaveLength(count + 1);
    await again.close();
  } finally {
    execFileSync('umount', [mount]);
  }
});

function canMount(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0 && hasMountRight();
}

function hasMountRight(): boolean {
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const unusable: [string, (path: string) => void][] = [
  ['a folder in its place', (path) => mkdirSync(path)],
  [
    'no database in the file',
    (path) => writeFileSync(path, 'no database, but long enough to look like one '.repeat(100)),
  ],
  [
    'another application in the file',
    (path) => {
      const db = new DatabaseSync(path);
      db.exec('CREATE TABLE theirs (a)');
      db.close();
    },
  ],
  [
    'a log of a later release',
    (path) => {
      const db = new DatabaseSync(path);
      db.exec('PRAGMA application_id = 0x52746368; PRAGMA user_version = 99');
      db.close();
    },
  ],
];
for (const [what, prepare] of unusable) {
  test(`opening with ${what} fails with a clear message`, async () => {
    const path = folder.file('log.db');
    prepare(path);
    await expect(sqliteEventStore(path)).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringMatching(/^Database connection failed: .*log\.db/),
    });
  });
}

test('opening in a folder that does not exist fails with a clear message', async () => {
  await expect(sqliteEventStore(folder.file('none/log.db'))).rejects.toMatchObject({
    code: 'store_unavailable',
    message: expect.stringMatching(/^Database connection failed: .*ENOENT/),
  });
});

test('an append that can not get the write lock in time fails and stores nothing', async () => {
  const path = folder.file('log.db');
  const store = await sqliteEventStore(path, { lockTimeoutMs: 50 });
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  await expect(store.append('task-1', 'any', newEvents(1))).rejects.toMatchObject({ code: 'store_unavailable' });
  other.exec('ROLLBACK');
  other.close();
  expect((await store.append('task-1', 'no-stream', newEvents(1))).version).toBe(0);
  await store.close();
});

test('a row that somebody damaged is told as damage', async () => {
  const path = folder.file('log.db');
  const store = await sqliteEventStore(path);
  await store.append('task-1', 'any', newEvents(1));
  const db = new DatabaseSync(path);
  db.exec("DROP TRIGGER events_are_never_changed; UPDATE events SET event_id = x'00'");
  db.close();
  await expect(store.readStream('task-1')).rejects.toMatchObject({ code: 'store_corrupt' });
  await store.close();
});

test('releases of SQLite before 3.51.3 are refused', () => {
  expect(['3.40.1', '3.51.2', '3.9.9', '2.99.99'].filter(isRecentSqlite)).toEqual([]);
  expect(['3.51.3', '3.51.10', '3.53.4', '4.0.0'].filter(isRecentSqlite)).toHaveLength(4);
});

test('file systems that other machines share are known', () => {
  const [nfs, smb2, ext4, tmpfs] = [0x6969, 0xfe534d42, 0xef53, 0x01021994];
  expect([nfs, smb2, smb2 | 0].every(isNetworkFileSystem)).toBe(true);
  expect([ext4, tmpfs].some(isNetworkFileSystem)).toBe(false);
});

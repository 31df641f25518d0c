import { afterEach, beforeEach, expect, test } from 'vitest';
import { openEventStore } from '../../../infra/event-store/open.ts';
import { newEvents } from '../../support/store-events.ts';
import { type TemporaryFolder, temporaryFolder } from '../../support/store-files.ts';

let folder: TemporaryFolder;

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  await folder.remove();
});

test('each known URL opens a store that works', async () => {
  const file = folder.file('log.db');
  for (const url of ['memory:', 'sqlite::memory:', `sqlite:${file}`, `sqlite://${folder.file('other.db')}`]) {
    const store = await openEventStore(url);
    expect((await store.append('task-1', 'no-stream', newEvents(2))).version).toBe(1);
    await store.close();
  }
  const again = await openEventStore(`sqlite:${file}`);
  expect(await again.readStream('task-1')).toHaveLength(2);
  await again.close();
});

test('an unknown scheme is refused, naming those that are known and not the secret in the URL', async () => {
  const opening = openEventStore('oracle://me:secret@host/db');
  await expect(opening).rejects.toMatchObject({ code: 'unsupported', message: expect.stringContaining('sqlite:') });
  await expect(opening).rejects.not.toMatchObject({ message: expect.stringContaining('secret') });
  await expect(openEventStore('constructor:x')).rejects.toMatchObject({ code: 'unsupported' });
  await expect(openEventStore('')).rejects.toMatchObject({ code: 'unsupported' });
});

test('a SQLite URL without a file is refused', async () => {
  await expect(openEventStore('sqlite:')).rejects.toMatchObject({ code: 'configuration_invalid' });
});

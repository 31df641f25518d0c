import { hash } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { getBlob, putBlob } from '../../../infra/event-store/blobs.ts';
import { memoryEventStore } from '../../../infra/event-store/memory.ts';
import type { EventStore } from '../../../src/ports/event-store.ts';
import { newEvent } from '../../support/store-events.ts';

const METADATA = {
  occurredAt: '2026-11-21T10:00:00.000Z',
  principal: 'local:admin',
  commandId: 'command-1',
  correlationId: 'command-1',
  causationId: null,
  traceparent: null,
};

const sha256 = (text: string): string => hash('sha256', text, 'hex');

let store: EventStore;

beforeEach(() => {
  store = memoryEventStore();
});

const texts: [string, string][] = [
  ['empty text', ''],
  ['a short text', '{"a":1}'],
  ['3 MB of plain text', 'abcdefghij'.repeat(300_000)],
  ['text whose JSON form is twice as large', '"'.repeat(1_000_000)],
  ['text whose JSON form is six times as large', '\u0001'.repeat(400_000)],
  ['text of three bytes a character', '€'.repeat(700_000)],
  ['surrogate pairs at every even place', '😀'.repeat(500_000)],
  ['surrogate pairs at every odd place', `x${'😀'.repeat(500_000)}`],
];
for (const [what, text] of texts) {
  test(`${what} comes back whole, out of chunks of at most 512 KiB`, async () => {
    await putBlob(store, text, sha256(text), METADATA);
    expect((await getBlob(store, sha256(text))) === text).toBe(true);
    const chunks = await store.readStream(`blob-${sha256(text)}`);
    for (const chunk of chunks) expect(Buffer.byteLength(chunk.payload)).toBeLessThanOrEqual(512 * 1024);
    expect(chunks.every((chunk) => chunk.type === 'BlobChunkStored')).toBe(true);
  });
}

test('storing a blob again, also at the same moment, stores nothing more', async () => {
  const text = 'abcdefghij'.repeat(200_000);
  await Promise.all([putBlob(store, text, sha256(text), METADATA), putBlob(store, text, sha256(text), METADATA)]);
  const head = await store.head();
  await putBlob(store, text, sha256(text), { ...METADATA, commandId: 'command-2' });
  expect(await store.head()).toBe(head);
});

test('a blob stored in part is not found, and storing it again completes it', async () => {
  const text = 'abcdefghij'.repeat(200_000);
  let appends = 0;
  const failing: EventStore = {
    ...store,
    append: (...request) => {
      appends += 1;
      return appends > 2 ? Promise.reject(new Error('power cut')) : store.append(...request);
    },
  };
  await expect(putBlob(failing, text, sha256(text), METADATA)).rejects.toThrow('power cut');
  await expect(getBlob(store, sha256(text))).rejects.toMatchObject({ code: 'blob_not_found' });
  await putBlob(store, text, sha256(text), METADATA);
  expect((await getBlob(store, sha256(text))) === text).toBe(true);
});

test('an unknown blob is not found', async () => {
  await expect(getBlob(store, sha256('nothing'))).rejects.toMatchObject({ code: 'blob_not_found' });
});

test('a hash that is not that of the text is refused', async () => {
  await expect(putBlob(store, 'text', sha256('other'), METADATA)).rejects.toMatchObject({ code: 'invalid_request' });
});

test('content that is not what was stored is told as damage', async () => {
  const stream = `blob-${sha256('right')}`;
  for (const payload of ['{"index":0,"chunks":1,"text":"wrong"}', '{"index":0}', 'null', 'no json']) {
    const damaged = memoryEventStore();
    await damaged.append(stream, 'any', [newEvent({ type: 'BlobChunkStored', payload })]);
    await expect(getBlob(damaged, sha256('right'))).rejects.toMatchObject({ code: 'store_corrupt' });
  }
});

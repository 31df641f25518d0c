/** Records that can not be replayed as they are: each says why, and what still can be done. */
import { afterEach, expect, test, vi } from 'vitest';
import { RatchetError } from '../../src/domain/errors.ts';
import type { StoredEvent } from '../../src/domain/event.ts';
import { openTestApp, type TestApp } from '../support/app.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** Code so long that it is kept beside the events. */
const LONG = `function main() { throw new Error('as recorded'); }\n// ${'x'.repeat(200_000)}`;
const CALLS = ['replay_execution', 'debug_execution', 'profile_execution', 'open_debug_session'] as const;

async function failedRun(app: TestApp): Promise<string> {
  await app.task('long', LONG);
  return String((await app.run('long'))['execution_id']);
}

/** Changes what is read of an execution's stream. */
function tamper(app: TestApp, change: (event: StoredEvent) => StoredEvent): void {
  const { store } = app.app;
  const read = store.readStream.bind(store);
  vi.spyOn(store, 'readStream').mockImplementation(async (stream, options) => {
    const events = await read(stream, options);
    return stream.startsWith('execution-') ? events.map(change) : events;
  });
}

test('code that is gone refuses every replay by name, except one that brings its own', async () => {
  await using app = await openTestApp();
  const execution_id = await failedRun(app);
  const { blobs } = app.app.core.execute;
  const get = blobs.get.bind(blobs);
  vi.spyOn(blobs, 'get').mockImplementation((payload) => {
    if ('blob' in payload && payload.bytes > 150_000) throw new RatchetError('blob_not_found', 'it is gone');
    return get(payload);
  });
  for (const call of CALLS)
    await expect(app.call(call, { execution_id }), call).rejects.toMatchObject({ code: 'code_gone' });
  const mended = await app.call('replay_execution', { execution_id, code: 'function main() { return 1; }' });
  expect(mended).toMatchObject({ verdict: 'succeeds', output: 1 });
});

test('a journal of newer rules, and events of a newer program, are told as such', async () => {
  await using app = await openTestApp();
  const execution_id = await failedRun(app);
  tamper(app, (event) => ({ ...event, payload: event.payload.replace('"journalVersion":1', '"journalVersion":99') }));
  for (const call of CALLS) {
    await expect(app.call(call, { execution_id }), call).rejects.toMatchObject({ code: 'journal_too_new' });
  }
  vi.restoreAllMocks();
  tamper(app, (event) => ({ ...event, schemaVersion: 99 }));
  await expect(app.call('replay_execution', { execution_id })).rejects.toMatchObject({ code: 'journal_too_new' });
});

import { describe, expect, it } from 'vitest';
import { memoryEventStore } from '../../infra/event-store/memory.ts';
import { eventStoreBlobs } from '../../infra/payload-blobs.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import type { ExecutionEvent } from '../../src/domain/execution.ts';
import { markTelemetry } from '../../src/reactors/mark-telemetry.ts';
import { Recording } from '../../src/reactors/recording.ts';
import { completed, request, start } from '../support/facts.ts';

const runtime = systemRuntime();

function opened() {
  const store = memoryEventStore();
  const deps = { store, runtime, blobs: eventStoreBlobs(store, () => runtime.now()) };
  const recording = (attempt: number, version: number, telemetry: { version: number; stored: number }) =>
    new Recording(deps, { request: request(), start: start({ attempt }), version, chainAttempt: 1, telemetry });
  const types = async (stream: string) => (await store.readStream(stream)).map(({ type }) => type);
  return { store, recording, types };
}

const line = (message: string) => ({ kind: 'log', level: 'info', message, fields: null, clock: 0, span: '' }) as const;
const NONE = { version: -1, stored: 0 };

describe('an attempt that another has taken over from', () => {
  it('can not record its end any more', async () => {
    const { recording, types } = opened();
    const first = recording(1, -1, NONE);
    const second = recording(2, -1, NONE);
    await second.end({ type: 'ExecutionStarted', data: start({ attempt: 2 }) });
    await expect(first.end(completed)).rejects.toMatchObject({ code: 'version_conflict' });
    expect(await types('execution-e1')).toEqual(['ExecutionStarted']);
  });

  it('can not add log lines any more', async () => {
    const { recording, types } = opened();
    const second = recording(2, -1, NONE);
    second.telemetry([line('of the second')]);
    await second.end({ type: 'ExecutionStarted', data: start({ attempt: 2 }) });
    const first = recording(1, 0, NONE);
    first.telemetry([line('of the first')]);
    await expect(first.end(completed)).rejects.toMatchObject({ code: 'version_conflict' });
    expect(await types('telemetry-e1')).toEqual(['LogLineWritten']);
  });
});

describe('an attempt that begins its telemetry late', () => {
  const mark = (deps: Pick<ReturnType<typeof opened>, 'store'>, attempt: number) =>
    markTelemetry({ ...deps, runtime }, { executionId: 'e1', start: start({ attempt }), chain: new Set([attempt]) });

  it('counts what the attempts before it have stored', async () => {
    const { store, recording } = opened();
    const first = recording(1, -1, NONE);
    first.telemetry([line('one')]);
    await first.end(completed);
    const chain = new Set([1, 2]);
    const given = { executionId: 'e1', start: start({ attempt: 2 }), chain };
    expect(await markTelemetry({ store, runtime }, given)).toEqual({ version: 1, stored: 1 });
  });

  it('is refused behind a later one, which records on', async () => {
    const { store, recording, types } = opened();
    const { version } = await mark({ store }, 3);
    await expect(mark({ store }, 2)).rejects.toMatchObject({ code: 'version_conflict' });
    const third = recording(3, -1, { version, stored: 0 });
    third.telemetry([line('of the third')]);
    await third.end(completed);
    expect(await types('telemetry-e1')).toEqual(['TelemetryAttemptMarked', 'LogLineWritten']);
  });
});

describe('an attempt that is asked to end meanwhile', () => {
  it('still records what has happened', async () => {
    const { store, recording, types } = opened();
    const asked: ExecutionEvent = { type: 'ExecutionCancelRequested', data: { reason: null } };
    const command = recording(9, -1, NONE);
    await command.end(asked);
    const running = recording(1, -1, NONE);
    const position = await running.end(completed);
    expect(position).toBe(await store.head());
    expect(await types('execution-e1')).toEqual(['ExecutionCancelRequested', 'ExecutionCompleted']);
  });
});

describe('a resumed attempt', () => {
  it('does not store again what an earlier attempt of its chain has stored', async () => {
    const { store, recording } = opened();
    const first = recording(1, -1, NONE);
    first.telemetry([line('one'), line('two')]);
    await first.end({ type: 'ExecutionStarted', data: start() });
    const resumed = recording(2, 0, { version: 1, stored: 2 });
    resumed.telemetry([line('one'), line('two'), line('three')]);
    await resumed.end(completed);
    const messages = (await store.readStream('telemetry-e1')).map(({ payload }) => JSON.parse(payload).message);
    expect(messages).toEqual(['one', 'two', 'three']);
  });
});

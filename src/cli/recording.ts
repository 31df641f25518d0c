/** Writes an execution with everything a replay needs into a folder, and reads it back on any machine. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { makeFolder } from '../../infra/folder.ts';
import { RatchetError } from '../domain/errors.ts';
import { categoryOf, START, type StoredEvent, streamName } from '../domain/event.ts';
import type { ExecutionEvent } from '../domain/execution.ts';
import { decode } from '../domain/history.ts';
import type { EventStore } from '../ports/event-store.ts';

const FILE = 'recording.json';
const PAGE = 1_000;

const event = z.object({
  eventId: z.string(),
  type: z.string(),
  schemaVersion: z.int(),
  occurredAt: z.string(),
  principal: z.string(),
  commandId: z.string(),
  correlationId: z.string(),
  causationId: z.string().nullable(),
  traceparent: z.string().nullable(),
  payload: z.string(),
  stream: z.string(),
  version: z.int(),
});

const recording = z.object({
  format: z.literal(1),
  executionId: z.string(),
  /** Version of Node that it was made on. */
  node: z.string(),
  events: z.array(event),
});
export type Recording = z.infer<typeof recording>;

/**
 * Everything in `store` that belongs to the execution: its task, its own streams, and all blobs. It holds the seed of the
 * task's randomness, which readers of events do not see, because without it nothing repeats.
 */
export async function recordingOf(store: EventStore, executionId: string): Promise<Recording> {
  const events: StoredEvent[] = [];
  for (let after = START; ; ) {
    const page = await store.readAll(after, { categories: ['task', 'execution', 'telemetry', 'blob'] }, PAGE);
    events.push(...page.events);
    after = page.position;
    if (page.atHead) break;
  }
  const own = await store.readStream(streamName('execution', executionId), { limit: 1 });
  const request = own[0] === undefined ? undefined : decode<ExecutionEvent>(own[0]);
  if (request?.type !== 'ExecutionRequested') {
    throw new RatchetError('execution_not_found', `there is no execution ${executionId}`, { details: { executionId } });
  }
  const streams = [
    streamName('task', request.data.task.id),
    streamName('execution', executionId),
    streamName('telemetry', executionId),
  ];
  const kept = events.filter(({ stream }) => streams.includes(stream) || categoryOf(stream) === 'blob');
  return recording.parse({ format: 1, executionId, node: process.version, events: kept });
}

/** @returns the file that was written. */
export async function writeRecording(store: EventStore, executionId: string, folder: string): Promise<string> {
  makeFolder(folder);
  const file = join(folder, FILE);
  writeFileSync(file, `${JSON.stringify(await recordingOf(store, executionId), null, 1)}\n`);
  return file;
}

/** Fails with `not_found`, or `invalid_request` for a file that is no recording. */
export function readRecording(folder: string): Recording {
  const file = join(folder, FILE);
  try {
    return recording.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    throw new RatchetError(
      isMissing ? 'not_found' : 'invalid_request',
      `${file} is ${isMissing ? 'not there' : 'no recording'}`,
      { cause },
    );
  }
}

/** Puts the events of a recording into an empty store. */
export async function restoreRecording({ events }: Recording, store: EventStore): Promise<void> {
  for (const { stream, version, ...stored } of events) {
    await store.append(stream, version === 0 ? 'no-stream' : version - 1, [stored]);
  }
}

/** Writes an execution with everything a replay needs into a folder, and reads it back on any machine. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { makeFolder } from '../../infra/folder.ts';
import { RatchetError } from '../domain/errors.ts';
import { type StoredEvent, streamName } from '../domain/event.ts';
import type { ExecutionEvent, ExecutionRequest } from '../domain/execution.ts';
import { decode } from '../domain/history.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { EventStore } from '../ports/event-store.ts';
import { UsageError } from './exit.ts';
import { type BundleFile, READABLE_NAMES, readableFiles } from './recording-files.ts';

const FILE = 'recording.json';
const README = 'README.txt';

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

/** @returns the request of an execution. Fails with `execution_not_found`. */
export async function requestOf(store: EventStore, executionId: string): Promise<ExecutionRequest> {
  const [first] = await store.readStream(streamName('execution', executionId), { limit: 1 });
  const request = first === undefined ? undefined : decode<ExecutionEvent>(first);
  if (request?.type === 'ExecutionRequested') return request.data;
  throw new RatchetError('execution_not_found', `there is no execution ${executionId}`, { details: { executionId } });
}

/**
 * Everything in `store` that belongs to the execution: its task, its own streams, and the blobs that they refer to. It holds
 * the seed of the task's randomness, which readers of events do not see, because without it nothing repeats.
 */
export async function recordingOf(store: EventStore, executionId: string): Promise<Recording> {
  const { task } = await requestOf(store, executionId);
  const streams = [
    streamName('task', task.id),
    streamName('execution', executionId),
    streamName('telemetry', executionId),
  ];
  const own: StoredEvent[] = [];
  for (const stream of streams) own.push(...(await store.readStream(stream)));
  const blobs: StoredEvent[] = [];
  for (const sha256 of new Set(own.flatMap(({ payload }) => blobsIn(JSON.parse(payload))))) {
    blobs.push(...(await store.readStream(streamName('blob', sha256))));
  }
  return recording.parse({ format: 1, executionId, node: process.version, events: [...blobs, ...own] });
}

/** Hashes of the blobs that stand for a value somewhere in an event. */
function blobsIn(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('blob' in value && 'bytes' in value && typeof value.blob === 'string') return [value.blob];
  return Object.values(value).flatMap(blobsIn);
}

/** @returns the file that was written. */
export async function writeRecording(store: EventStore, executionId: string, folder: string): Promise<string> {
  return write(await recordingOf(store, executionId), folder);
}

function write(recorded: Recording, folder: string): string {
  makeFolder(folder);
  const file = join(folder, FILE);
  writeFileSync(file, `${JSON.stringify(recorded, null, 1)}\n`);
  return file;
}

/**
 * Writes the recording, and beside it the same in files that people and other programs read, in the place of an earlier one.
 * @returns the recording's file.
 */
export async function writeBundle(
  store: EventStore,
  blobs: Blobs,
  executionId: string,
  folder: string,
): Promise<string> {
  const recorded = await recordingOf(store, executionId);
  const files = await readableFiles(store, blobs, executionId);
  removeEarlier(folder);
  const file = write(recorded, folder);
  for (const { name, text } of files) writeFileSync(join(folder, name), text);
  writeFileSync(join(folder, README), readmeOf(executionId, files));
  return file;
}

/** Files of an earlier recording would stand beside those of this one as if they belonged together. */
function removeEarlier(folder: string): void {
  if (!existsSync(join(folder, FILE))) return;
  for (const name of [...READABLE_NAMES, README, FILE]) rmSync(join(folder, name), { force: true });
}

function readmeOf(executionId: string, files: readonly BundleFile[]): string {
  const all = [{ name: FILE, about: 'every event: all that a replay needs, the seed of its randomness too' }, ...files];
  const width = Math.max(...all.map(({ name }) => name.length));
  return [
    `The recording of execution ${executionId}.`,
    '',
    ...all.map(({ name, about }) => `${name.padEnd(width)}  ${about}`),
    '',
    'Secrets stand in it as placeholders. Everything else that the task saw stands in it as it was.',
    'ratchet replay --recording THIS-FOLDER',
    'ratchet replay --recording THIS-FOLDER --from-fs TASK-FOLDER --patch',
    '',
  ].join('\n');
}

/** Fails with a {@link UsageError} where there is none, or none that a replay can start from. */
export function readRecording(folder: string): Recording {
  const file = join(folder, FILE);
  const read = recording.safeParse(jsonOf(file, textOf(file, folder)));
  if (!read.success) throw unreadable(file, problemWords(read.error.issues[0]));
  const damage = damageOf(read.data);
  if (damage !== null) throw unreadable(file, damage);
  return read.data;
}

function textOf(file: string, folder: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'EISDIR') throw cause;
    throw new UsageError(
      `there is no recording in ${folder}: name a folder that ratchet run-once --record has written`,
    );
  }
}

function jsonOf(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw unreadable(file, 'it is not JSON');
  }
}

function unreadable(file: string, why: string): UsageError {
  return new UsageError(
    `${file} is no recording that can be read (${why}): make it again with ratchet run-once --record`,
  );
}

function problemWords(issue: z.core.$ZodIssue | undefined): string {
  if (issue === undefined) return 'its form is another';
  return issue.path.length === 0 ? issue.message : `${issue.path.map(String).join('.')}: ${issue.message}`;
}

/** What is missing is told here: a store that is filled with half a recording would be waited for in vain. Null when nothing is. */
function damageOf({ executionId, events }: Recording): string | null {
  const lengths = new Map<string, number>();
  const blobs = new Set<string>();
  for (const [index, { stream, version, payload }] of events.entries()) {
    const length = lengths.get(stream) ?? 0;
    if (version !== length) return `${stream} has no version ${length}`;
    lengths.set(stream, length + 1);
    try {
      for (const sha256 of blobsIn(JSON.parse(payload))) blobs.add(sha256);
    } catch {
      return `events.${index}.payload: it is not JSON`;
    }
  }
  const first = events.find(({ stream }) => stream === streamName('execution', executionId));
  if (first?.type !== 'ExecutionRequested') return 'it holds no execution';
  if (!events.some(({ type }) => type === 'TaskVersionPublished')) return 'it holds no task';
  const gone = [...blobs].find((sha256) => !lengths.has(streamName('blob', sha256)));
  return gone === undefined ? null : `${streamName('blob', gone)} is missing`;
}

/** Puts the events of a recording into an empty store. */
export async function restoreRecording({ events }: Recording, store: EventStore): Promise<void> {
  for (const { stream, version, ...stored } of events) {
    await store.append(stream, version === 0 ? 'no-stream' : version - 1, [stored]);
  }
}

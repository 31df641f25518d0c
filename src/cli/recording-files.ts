/** The files of a recording that people and other programs read: code, input, journal, network, logs and result. */
import { type Json, streamName } from '../domain/event.ts';
import { type ExecutionEvent, type ExistingExecution, execution, journalOf } from '../domain/execution.ts';
import { type HarStep, harOf } from '../domain/har.ts';
import { decode } from '../domain/history.ts';
import type { TaskEvent } from '../domain/task.ts';
import type { TelemetryEvent } from '../domain/telemetry.ts';
import { isoTime } from '../domain/time.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { EventStore } from '../ports/event-store.ts';
import { resolveJournal } from '../reactors/live-attempt.ts';

/** Every name that {@link readableFiles} can give. */
export const READABLE_NAMES = [
  'main.js',
  'input.json',
  'journal.json',
  'http.har',
  'logs.jsonl',
  'output.json',
  'error.json',
] as const;

export interface BundleFile {
  readonly name: (typeof READABLE_NAMES)[number];
  /** What it holds, for people. */
  readonly about: string;
  readonly text: string;
}

/** @returns the files of the execution's last attempt; none when there is no such execution. */
export async function readableFiles(
  store: EventStore,
  blobs: Blobs,
  executionId: string,
): Promise<readonly BundleFile[]> {
  const events = await store.readStream(streamName('execution', executionId));
  const state = events.map((event) => decode<ExecutionEvent>(event)).reduce(execution.evolve, execution.initial);
  if (state.status === 'none') return [];
  const steps = await stepsOf(blobs, state);
  return [
    { name: 'main.js', about: 'the code that ran', text: await codeOf(store, blobs, state) },
    { name: 'input.json', about: 'its input', text: pretty(await blobs.get(state.request.input)) },
    { name: 'journal.json', about: 'its steps in the order of their outcomes', text: pretty(steps.map(shownStep)) },
    {
      name: 'http.har',
      about: 'its HTTP calls, as browsers open them',
      text: pretty(harOf(steps)),
    },
    { name: 'logs.jsonl', about: 'its log lines, one JSON document a line', text: await logsOf(store, executionId) },
    await resultOf(blobs, state),
  ];
}

function pretty(value: Json): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

async function stepsOf(blobs: Blobs, state: ExistingExecution): Promise<readonly HarStep[]> {
  const ends = journalOf(state, state.attempts.at(-1)?.attempt ?? 0);
  const journal = await resolveJournal(blobs, ends);
  return journal.map((entry, index) => ({ entry, startedAt: ends[index]?.startedAt ?? entry.clock }));
}

function shownStep({ entry, startedAt }: HarStep): Json {
  const { path, kind, name, request, outcome, turn, clock } = entry;
  const told = outcome.ok ? outcome : { ok: false, error: { ...outcome.error, cause: causeOf(outcome.error.cause) } };
  return { path, kind, name, request, outcome: told, turn, started_at: isoTime(startedAt), ended_at: isoTime(clock) };
}

function causeOf(cause: { readonly name: string; readonly message: string } | null): Json {
  return cause === null ? null : { name: cause.name, message: cause.message };
}

async function codeOf(store: EventStore, blobs: Blobs, { request }: ExistingExecution): Promise<string> {
  const events = await store.readStream(streamName('task', request.task.id));
  for (const stored of events) {
    const event = decode<TaskEvent>(stored);
    if (event.type === 'TaskVersionPublished' && event.data.version === request.task.version) {
      return String(await blobs.get(event.data.code));
    }
  }
  return '';
}

async function logsOf(store: EventStore, executionId: string): Promise<string> {
  const events = await store.readStream(streamName('telemetry', executionId));
  const lines = events.flatMap((stored) => {
    const event = decode<TelemetryEvent>(stored);
    if (event.type !== 'LogLineWritten') return [];
    const { attempt, level, message, fields, clock } = event.data;
    return [`${JSON.stringify({ at: isoTime(clock), attempt, level, message, fields })}\n`];
  });
  return lines.join('');
}

async function resultOf(blobs: Blobs, { end }: ExistingExecution): Promise<BundleFile> {
  if (end?.type === 'ExecutionCompleted') {
    return { name: 'output.json', about: 'what it returned', text: pretty(await blobs.get(end.data.output)) };
  }
  if (end?.type === 'ExecutionFailed') {
    const { name, message, stack, data, cause } = end.data.error;
    const error = { code: end.data.code, name, message, stack, data, cause: causeOf(cause) };
    return { name: 'error.json', about: 'the error it failed with', text: pretty(error) };
  }
  return { name: 'error.json', about: 'that it was cancelled', text: pretty({ code: 'cancelled' }) };
}

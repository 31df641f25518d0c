/** Reads one execution for a diagnosis: its events with their places, its journal with payloads, its code. */

import type { OpenStep, RecordedCode, RecordedStep, Run } from '../domain/diagnosis/failure-case.ts';

import { RatchetError } from '../domain/errors.ts';
import { isObject, type Json, type Position, streamName } from '../domain/event.ts';
import {
  type ExecutionEvent,
  type ExistingExecution,
  execution,
  journalOf,
  type StepEnd,
  telemetryChain,
} from '../domain/execution.ts';
import { decode } from '../domain/history.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { CodeSyntax } from '../ports/code-syntax.ts';
import type { EventStore } from '../ports/event-store.ts';
import type { SourceMaps } from '../ports/source-map.ts';
import type { TaskDirectory } from '../ports/task-directory.ts';
import { resolveJournal } from './live-attempt.ts';

export interface RecordedCaseDeps {
  readonly store: EventStore;
  readonly blobs: Blobs;
  readonly directory: TaskDirectory;
  readonly syntax: CodeSyntax;
  readonly sourceMaps: SourceMaps;
}

/** A fact with where and by whom it was stored. */
export interface Placed {
  readonly event: ExecutionEvent;
  readonly position: Position;
  readonly at: string;
  readonly by: string;
}

export interface RecordedExecution {
  readonly state: ExistingExecution;
  readonly events: readonly Placed[];
}

/** Longer code is not taken apart: no person wrote it, and it would hold up others. */
const MAX_CODE = 1024 * 1024;

/** Fails with `execution_not_found`. */
export async function readExecution({ store }: RecordedCaseDeps, executionId: string): Promise<RecordedExecution> {
  const stored = await store.readStream(streamName('execution', executionId));
  const events = stored.map((event) => ({
    event: decode<ExecutionEvent>(event),
    position: event.position,
    at: event.occurredAt,
    by: event.principal,
  }));
  const state = events.reduce((before, { event }) => execution.evolve(before, event), execution.initial);
  if (state.status !== 'none') return { state, events };
  throw new RatchetError('execution_not_found', `there is no execution ${executionId}`, { details: { executionId } });
}

/** @param attempt whose journal; null for an execution that never began */
export async function readRun(
  deps: RecordedCaseDeps,
  { state, events }: RecordedExecution,
  attempt: number | null,
): Promise<Run> {
  const [input, steps] = await Promise.all([
    deps.blobs.get(state.request.input),
    readSteps(deps, events, attempt === null ? state.inherited : journalOf(state, attempt)),
  ]);
  const { executionId, task } = state.request;
  return { executionId, task, input, steps, requestedPosition: events[0]?.position ?? '' };
}

/** @returns steps with their payloads read and the positions of their events. */
export async function readSteps(
  { blobs }: RecordedCaseDeps,
  events: readonly Placed[],
  ends: readonly StepEnd[],
): Promise<readonly RecordedStep[]> {
  const positions = new Map<string, Position>();
  for (const { event, position } of events) {
    if (event.type === 'StepCompleted' || event.type === 'StepInherited') positions.set(keyOf(event.data), position);
  }
  const entries = await resolveJournal(blobs, ends);
  return entries.map((entry, index) => {
    const end = ends[index];
    const position = end === undefined ? undefined : positions.get(keyOf(end));
    return { ...entry, position: position ?? '', startedAt: end?.startedAt ?? entry.clock };
  });
}

function keyOf({ attempt, path }: { readonly attempt: number; readonly path: string }): string {
  return `${attempt} ${path}`;
}

/** @returns calls of an attempt and of those it goes on from that were recorded, and whose outcome was not. */
export async function readOpen(
  { blobs }: RecordedCaseDeps,
  { state, events }: RecordedExecution,
  attempt: number,
): Promise<readonly OpenStep[]> {
  const chain = telemetryChain(state, attempt);
  const known = new Set(journalOf(state, attempt).map(({ path }) => path));
  const open: OpenStep[] = [];
  for (const { event, position } of events) {
    if (event.type !== 'StepStarted' || !chain.has(event.data.attempt) || known.has(event.data.path)) continue;
    const { path, kind, name } = event.data;
    const request: Json = await blobs.get(event.data.request);
    open.push({ path, kind, name, request: isObject(request) ? request : {}, position });
  }
  return open;
}

/** The recorded version of the code; with the reason where it can not be had. */
export async function readCode(
  { directory, blobs, syntax, sourceMaps }: RecordedCaseDeps,
  { request }: ExistingExecution,
): Promise<{ readonly code: RecordedCode | null; readonly why: string | null }> {
  const { id, name, version } = request.task;
  const recorded = directory.find(id)?.versions.find((candidate) => candidate.version === version);
  if (recorded === undefined) return { code: null, why: `version ${version} of ${name} is not in the store` };
  const text = await blobs.get(recorded.code);
  if (typeof text !== 'string') return { code: null, why: `the code of ${name} is not text` };
  const tree = text.length > MAX_CODE ? null : syntax.parse(text);
  return { code: { text, tree, file: recorded.file, authored: sourceMaps.inside(text) }, why: null };
}

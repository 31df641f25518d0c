/**
 * Moves a batch on. The start of an item is decided first, at the version that was read, and names its execution; then that
 * execution is made. So whoever comes after a crash finds items that have started without an execution, and makes it: the
 * same one, because its id is known and a request that is there already is not stored again.
 */
import { systemPrincipal } from '../src/domain/access.ts';
import {
  type BatchItem,
  type BatchRequest,
  type BatchState,
  batch,
  batchPrincipal,
  type ExistingBatch,
  type ItemEnd,
  isStopping,
} from '../src/domain/batch.ts';
import { referencesIn, resolved } from '../src/domain/batch-references.ts';
import { asRatchetError, type ErrorCode, isRatchetError, RatchetError } from '../src/domain/errors.ts';
import { type Json, streamName } from '../src/domain/event.ts';
import { type ExecutionState, execution, type TerminalEvent } from '../src/domain/execution.ts';
import { fold } from '../src/domain/history.ts';
import type { Payload } from '../src/domain/payload.ts';
import { moveBatch, stopReason } from './batch.ts';
import type { CommandMeta } from './command.ts';
import { type ExecuteDeps, executeTask, executeTaskInput } from './execute-task.ts';
import { cancelExecution } from './execution.ts';
import { handle } from './handle.ts';
import { decideOn, type Known, readOn } from './known-stream.ts';

/** What may pass, so that trying again helps; with any other error the item has failed. */
const PASSING: readonly ErrorCode[] = [
  'queue_full',
  'rate_limited',
  'store_unavailable',
  'store_full',
  'version_conflict',
  'projection_behind',
  'shutting_down',
  'timeout',
];

/** Outputs read for one item together, in bytes of JSON text: of each only a part may be wanted. */
const MAX_READ_BYTES = 64 * 1024 * 1024;

/** Executions made at once, and so items that may have started without one. */
const MAX_STARTING = 16;

/** How long whoever started an item has to make its execution, before others look (milliseconds). */
const SETTLE_MS = 5_000;

/** What one process knows about a batch besides its facts. */
export interface BatchWork {
  readonly batchId: string;
  known: Known<BatchState>;
  /** The highest version of its stream that was heard of. */
  heard: number;
  /** Items that ended, not recorded yet. */
  readonly ends: Map<string, ItemEnd>;
  /** Items whose execution is known to be stored. */
  readonly settled: Set<string>;
  /** When the execution of a started item is looked for, milliseconds since the epoch. */
  readonly lookAt: Map<string, number>;
  /** Items whose execution was asked to end. */
  readonly cancelled: Set<string>;
  /** Inputs as they were written, read once. */
  inputs: Promise<readonly Json[]> | null;
}

/** @returns what is known of a batch of which only the first event was heard. */
export function batchWork(batchId: string): BatchWork {
  const known = { state: batch.initial, version: -1 };
  const empty = { ends: new Map(), settled: new Set<string>(), lookAt: new Map(), cancelled: new Set<string>() };
  return { batchId, known, heard: 0, ...empty, inputs: null };
}

/** @returns when there is something to do again without news, milliseconds since the epoch; infinite for never. */
export function nextLook({ known: { state }, settled, lookAt }: BatchWork): number {
  const times = runningItems(state).map(({ id }) => (settled.has(id) ? undefined : lookAt.get(id)));
  return Math.min(...times.map((time) => time ?? Number.POSITIVE_INFINITY));
}

/**
 * Records what has ended, starts what is due, makes its executions and cancels what is to end, until nothing is left to do now.
 * Fails with what may pass, such as `queue_full` or an error of the store; the next call then goes on from there.
 */
export async function runBatch(deps: ExecuteDeps, work: BatchWork): Promise<void> {
  for (;;) {
    const state = await readBatch(deps, work);
    if (state.status !== 'running') return;
    const ends = [...work.ends.values()];
    const given = { batchId: work.batchId, ends, most: Math.max(0, MAX_STARTING - unsettled(work).length) };
    const decided = await decideOn(deps, moveBatch, work.known, given, metaOf(deps, work.batchId));
    if (decided === 'conflict') {
      work.heard = Math.max(work.heard, work.known.version + 1);
      continue;
    }
    for (const { item } of ends) work.ends.delete(item);
    if (decided !== null) {
      work.known = decided.known;
      for (const { type, data } of decided.facts) if (type === 'BatchItemStarted') work.lookAt.set(data.item, 0);
    }
    if (!(await actOn(deps, work)) && decided === null) return;
  }
}

/** @returns the batch with all that was heard of. Fails with an error of the store. */
export async function readBatch(deps: ExecuteDeps, work: BatchWork): Promise<BatchState> {
  const isFirst = work.known.version < 0;
  if (work.heard <= work.known.version) return work.known.state;
  work.known = await readOn(deps, batch, streamName('batch', work.batchId), work.known);
  // Whoever started them may be gone: they are looked after now.
  if (isFirst) for (const { id } of runningItems(work.known.state)) work.lookAt.set(id, 0);
  return work.known.state;
}

function runningItems(state: BatchState): readonly BatchItem[] {
  if (state.status !== 'running') return [];
  return state.request.items.filter(({ id }) => state.statuses.get(id) === 'running');
}

function unsettled({ known: { state }, settled }: BatchWork): readonly BatchItem[] {
  return runningItems(state).filter(({ id }) => !settled.has(id));
}

/** @returns whether something may be decided because of it. */
async function actOn(deps: ExecuteDeps, work: BatchWork): Promise<boolean> {
  const { state } = work.known;
  if (state.status !== 'running') return false;
  const now = deps.runtime.now();
  const open = unsettled(work);
  for (const { id } of open) work.lookAt.set(id, work.lookAt.get(id) ?? now + SETTLE_MS);
  const due = open.filter(({ id }) => (work.lookAt.get(id) ?? now) <= now);
  try {
    await all(due, (item) => settle(deps, work, state, item));
  } finally {
    // What can not be made keeps nothing else from being cancelled.
    const left = isStopping(state) ? runningItems(state) : [];
    const open = left.filter(({ id }) => work.settled.has(id) && !work.cancelled.has(id) && !work.ends.has(id));
    await all(open, (item) => cancelItem(deps, work, state.request, item));
  }
  return work.ends.size > 0 || due.length > 0;
}

/** Does it for each, some at once; fails with the first error after all were tried. */
async function all<Item>(items: readonly Item[], one: (item: Item) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += MAX_STARTING) {
    const tried = await Promise.allSettled(items.slice(from, from + MAX_STARTING).map(one));
    for (const result of tried) if (result.status === 'rejected') throw result.reason;
  }
}

/**
 * Makes the execution of an item that has started, unless it is there, or is no longer wanted; one that has ended already is
 * noted. Fails with what may pass; also with a defect, which is noted as the end of the item, too.
 */
async function settle(deps: ExecuteDeps, work: BatchWork, state: ExistingBatch, item: BatchItem): Promise<void> {
  const there = await executionOf(deps, item.executionId);
  if (there.status !== 'none') {
    if (there.end !== null) work.ends.set(item.id, endOf(item.id, there.end));
  } else if (isStopping(state)) {
    work.ends.set(item.id, { item: item.id, outcome: 'skipped', error: stopReason(state) });
  } else {
    await makeExecution(deps, work, state.request, item).catch((error: unknown) => refuse(deps, work, item, error));
  }
  work.settled.add(item.id);
}

/** Fails with `error` where trying again may help, or somebody has to hear of it. */
async function refuse(deps: ExecuteDeps, work: BatchWork, item: BatchItem, error: unknown): Promise<void> {
  const { code, message } = asRatchetError(error);
  if (PASSING.includes(code)) throw error;
  // What was stored before it failed will run.
  const stored = await deps.store.readStream(streamName('execution', item.executionId), { limit: 1 });
  if (stored.length > 0) return;
  const told = { code, message: message.slice(0, 1_024) };
  work.ends.set(item.id, { item: item.id, outcome: 'failed', error: told });
  work.settled.add(item.id);
  if (code === 'internal') throw error;
}

async function makeExecution(
  deps: ExecuteDeps,
  work: BatchWork,
  request: BatchRequest,
  item: BatchItem,
): Promise<void> {
  const { batchId, metadata, source } = request;
  const rest = executeTaskInput.omit({ input: true }).parse({
    task_id: item.task.id,
    version: item.task.version,
    priority: item.priority,
    ...(item.timeout === null ? {} : { timeout: item.timeout }),
    metadata: { ...metadata, batch_id: batchId, batch_item: item.id },
  });
  // Outputs are JSON already: to look at each value of a large one again would hold up everything else.
  const input = { ...rest, input: await inputOf(deps, work, request, item) };
  const origin = { source, parent: null, executionId: item.executionId };
  await executeTask(deps, input, origin, { ...metaOf(deps, batchId), ...inNameOf(request) });
}

async function inputOf(deps: ExecuteDeps, work: BatchWork, request: BatchRequest, item: BatchItem): Promise<Json> {
  const inputs = (work.inputs ??= inputsOf(deps, request).catch((error: unknown) => {
    work.inputs = null;
    throw error;
  }));
  const written = (await inputs)[request.items.indexOf(item)] ?? null;
  const outputs = new Map<string, Json>();
  let bytes = 0;
  for (const id of new Set(referencesIn(written).map(({ from }) => from))) {
    const payload = await outputOf(deps, request.items.find((one) => one.id === id)?.executionId ?? '');
    bytes += 'blob' in payload ? payload.bytes : 0;
    if (bytes > MAX_READ_BYTES) {
      throw new RatchetError('payload_too_large', `the outputs it refers to are larger than ${MAX_READ_BYTES} bytes`, {
        details: { item: id, most: MAX_READ_BYTES },
      });
    }
    outputs.set(id, await deps.blobs.get(payload));
  }
  return resolved(written, outputs);
}

async function inputsOf({ blobs }: ExecuteDeps, { inputs }: BatchRequest): Promise<readonly Json[]> {
  const list = await blobs.get(inputs);
  return Array.isArray(list) ? list : [];
}

async function outputOf(deps: ExecuteDeps, executionId: string): Promise<Payload> {
  const state = await executionOf(deps, executionId);
  const end = state.status === 'none' ? null : state.end;
  if (end?.type === 'ExecutionCompleted') return end.data.output;
  throw new RatchetError('internal', `execution ${executionId} has no output`, { details: { executionId } });
}

async function executionOf({ store }: ExecuteDeps, executionId: string): Promise<ExecutionState> {
  return fold(execution, await store.readStream(streamName('execution', executionId)));
}

/** @returns the end of an item, from that of its execution. */
export function endOf(item: string, end: TerminalEvent): ItemEnd {
  switch (end.type) {
    case 'ExecutionCompleted':
      return { item, outcome: 'completed', error: null };
    case 'ExecutionFailed':
      return { item, outcome: 'failed', error: null };
    case 'ExecutionCancelled':
      return { item, outcome: 'cancelled', error: null };
    default:
      return end satisfies never;
  }
}

async function cancelItem(
  deps: ExecuteDeps,
  work: BatchWork,
  request: BatchRequest,
  { id, executionId }: BatchItem,
): Promise<void> {
  const meta = { ...metaOf(deps, request.batchId), ...inNameOf(request) };
  try {
    await handle(deps, cancelExecution, { executionId, reason: `batch ${request.batchId} is being ended` }, meta);
  } catch (error) {
    // It has ended by itself.
    if (!isRatchetError(error, 'execution_finished')) throw error;
  }
  work.cancelled.add(id);
}

/** What follows from a batch belongs to it; what is asked of executions is asked in the name of its caller. */
function inNameOf(request: BatchRequest): Pick<CommandMeta, 'principal' | 'traceparent'> {
  return { principal: batchPrincipal(request), traceparent: request.traceparent };
}

function metaOf({ runtime }: ExecuteDeps, batchId: string): CommandMeta {
  return {
    principal: systemPrincipal('batches'),
    commandId: runtime.newId(),
    correlationId: batchId,
    causationId: batchId,
    traceparent: null,
    now: runtime.now(),
  };
}

/** Turns a wish for a batch into a checked request: a graph without cycles, tasks found, inputs valid, ids given, then decided. */
import { z } from 'zod';
import { authorize, authorizeTask } from '../src/domain/access.ts';
import { type BatchItem, type BatchRequest, batch, MAX_DEPENDENCIES, MAX_ITEMS } from '../src/domain/batch.ts';
import { checkGraph } from '../src/domain/batch-graph.ts';
import { isWritten, referencesIn, resolved } from '../src/domain/batch-references.ts';
import { isRatchetError, RatchetError } from '../src/domain/errors.ts';
import { type Json, type Position, streamName } from '../src/domain/event.ts';
import type { ExecutionSource } from '../src/domain/execution.ts';
import { fold } from '../src/domain/history.ts';
import { knownBatch, requestBatch } from './batch.ts';
import type { CommandMeta } from './command.ts';
import { checkInput, type ExecuteDeps, runnable } from './execute-task.ts';
import { handle } from './handle.ts';

/** Of metadata, as UTF-8: each of a thousand executions gets a copy. */
const MAX_METADATA_BYTES = 16 * 1024;

const json: z.ZodType<Json> = z.json();
const itemId = z
  .string()
  .max(64)
  .regex(/^[^\p{Cc}]+$/u, 'must be visible text');

const item = z.strictObject({
  id: itemId.optional().describe('Names it within the batch; item-1, item-2, … when left out.'),
  task_id: z.string().min(1).max(256).describe('Name or id of the task.'),
  input: json.describe('Input of the task; {"$from": item id, "path": JSON Pointer} becomes the output of that item.'),
  depends_on: z.array(itemId).max(MAX_ITEMS).optional().describe('Ids of items that must be completed before.'),
  dependencies: z.array(itemId).max(MAX_ITEMS).optional().describe('Another word for depends_on.'),
  priority: z.int().min(-100).max(100).optional().describe('Higher starts first; 0 when left out.'),
  timeout: z.number().positive().max(86_400).optional().describe('Seconds that one attempt may run.'),
});
const items = z.array(item).min(1).max(MAX_ITEMS);

export const batchInput = z.strictObject({
  tasks: items.optional().describe('The items: at least one, at most 1,000.'),
  requests: items.optional().describe('Another word for tasks.'),
  max_parallel: z.int().min(1).max(MAX_ITEMS).optional().describe('Items at once; all that can when left out.'),
  fail_fast: z.boolean().optional().describe('The first item that does not complete ends all others.'),
  stop_on_error: z.boolean().optional().describe('Another word for fail_fast.'),
  metadata: z
    .record(z.string(), json)
    .refine(
      (metadata) => Buffer.byteLength(JSON.stringify(metadata)) <= MAX_METADATA_BYTES,
      `at most ${MAX_METADATA_BYTES.toLocaleString('en')} bytes of JSON: it is kept with each execution`,
    )
    .default({})
    .describe('Kept with the batch and with each of its executions.'),
  idempotency_key: z.string().min(1).max(256).optional().describe('The same key again is the same batch.'),
});
type Written = z.infer<typeof batchInput>;

export interface WantedItem {
  readonly id: string;
  readonly taskId: string;
  readonly input: Json;
  readonly dependsOn: readonly string[];
  readonly priority: number;
  readonly timeout: number | null;
}

/** A batch as it was asked for, in our own words. */
export interface BatchWish {
  readonly items: readonly WantedItem[];
  readonly maxParallel: number | null;
  readonly failFast: boolean;
  readonly metadata: BatchRequest['metadata'];
}

/** @returns what was asked for, whichever words were used. Fails with `invalid_request` where two words say it, or none. */
export function batchWish(written: Written): BatchWish {
  const { tasks, requests, max_parallel: maxParallel = null, metadata } = written;
  const asked = oneOf('tasks', tasks, 'requests', requests);
  if (asked === undefined) throw new RatchetError('invalid_request', 'tasks: the items are missing');
  return {
    items: asked.map(({ id, task_id, input, depends_on, dependencies, priority = 0, timeout = null }, index) => ({
      id: id ?? `item-${index + 1}`,
      taskId: task_id,
      input,
      dependsOn: oneOf('depends_on', depends_on, 'dependencies', dependencies) ?? [],
      priority,
      timeout,
    })),
    maxParallel,
    failFast: oneOf('fail_fast', written.fail_fast, 'stop_on_error', written.stop_on_error) ?? false,
    metadata,
  };
}

function oneOf<Value>(name: string, value: Value | undefined, other: string, same: Value | undefined) {
  if (value === undefined || same === undefined) return value ?? same;
  throw new RatchetError('invalid_request', `${other}: is another word for ${name}; give one of them`);
}

export interface RequestedBatch {
  readonly batchId: string;
  readonly request: BatchRequest;
  readonly position: Position;
  /** False when this request had been stored before. */
  readonly created: boolean;
}

/** @returns a batch that this very command has stored before; null for none. Fails with `idempotency_mismatch`. */
export async function batchStoredBefore(
  { store }: Pick<ExecuteDeps, 'store'>,
  { commandId, correlationId: batchId }: CommandMeta,
): Promise<RequestedBatch | null> {
  const history = await store.readStream(streamName('batch', batchId), { limit: 1 });
  const [first] = history;
  if (first === undefined) return null;
  if (first.commandId === commandId) {
    const { request } = knownBatch(fold(batch, history), batchId);
    return { batchId, request, position: first.position, created: false };
  }
  throw new RatchetError('idempotency_mismatch', 'this idempotency key was used for a different request');
}

/**
 * Checks and stores a batch; its items start soon after. A key makes the id too: the same request again is the same batch.
 * Fails with `permission_denied`, `invalid_batch`, `task_not_found`, `task_disabled`, `dangerous_task`,
 * `input_schema_violation`, `idempotency_mismatch`, or an error of the store; nothing is stored then.
 */
export async function defineBatch(
  deps: ExecuteDeps,
  wish: BatchWish,
  source: ExecutionSource,
  meta: CommandMeta,
): Promise<RequestedBatch> {
  authorize(meta.principal, requestBatch.permission, requestBatch.name);
  const { correlationId: batchId, principal, traceparent } = meta;
  const wanted = withReferences(wish.items);
  const found = await eachNamed(wanted, (one) => checkedItem(deps, one, batchId, meta));
  const { id, kind, name, tasks } = principal;
  const request: BatchRequest = {
    batchId,
    items: found,
    inputs: await deps.blobs.put(wanted.map(({ input }) => input)),
    maxParallel: wish.maxParallel,
    failFast: wish.failFast,
    metadata: wish.metadata,
    caller: { id, kind, name, tasks },
    source: { ...source, kind: 'batch' },
    traceparent,
  };
  const { position, changed } = await handle(deps, requestBatch, request, meta);
  return { batchId, request, position, created: changed };
}

/** Items that depend on those they refer to, too. Fails with `invalid_batch`. */
function withReferences(wanted: readonly WantedItem[]): readonly WantedItem[] {
  const items = wanted.map((one) => {
    const referred = named(one, () => referencesIn(one.input)).map(({ from }) => from);
    return { ...one, dependsOn: [...new Set([...one.dependsOn, ...referred])] };
  });
  checkGraph(items);
  const dependencies = items.reduce((sum, { dependsOn }) => sum + dependsOn.length, 0);
  if (dependencies <= MAX_DEPENDENCIES) return items;
  throw new RatchetError('invalid_batch', `${dependencies} dependencies are too many: at most ${MAX_DEPENDENCIES}`, {
    details: { dependencies, most: MAX_DEPENDENCIES },
  });
}

async function eachNamed<Result>(items: readonly WantedItem[], check: (one: WantedItem) => Promise<Result>) {
  const results: Result[] = [];
  for (const one of items) {
    results.push(
      await check(one).catch((error: unknown) => {
        throw inItem(one, error);
      }),
    );
  }
  return results;
}

function named<Result>(one: WantedItem, check: () => Result): Result {
  try {
    return check();
  } catch (error) {
    throw inItem(one, error);
  }
}

/** What is wrong, and with which item. */
function inItem({ id }: WantedItem, error: unknown): unknown {
  if (!isRatchetError(error)) return error;
  const details = { ...error.details, item: id };
  return new RatchetError(error.code, `item ${id}: ${error.message}`, { details, cause: error });
}

async function checkedItem(
  deps: ExecuteDeps,
  { id, taskId, input, dependsOn, priority, timeout }: WantedItem,
  batchId: string,
  { principal }: CommandMeta,
): Promise<BatchItem> {
  const { task, version } = runnable(deps, { task_id: taskId });
  authorizeTask(principal, task.name, requestBatch.name);
  // What refers to outputs is checked when they are known.
  if (referencesIn(input).length === 0) {
    await checkInput(deps, version, isWritten(input) ? resolved(input, new Map()) : input);
  }
  const executionId = deps.runtime.uuidOf(`batch\n${batchId}\n${id}`);
  const known = { id: task.taskId, name: task.name, version: version.version };
  return { id, executionId, task: known, dependsOn, priority, timeout };
}

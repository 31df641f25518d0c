/** Turns a wish to run a task into a checked request: task found, input valid, limits known, then decided and stored. */
import { z } from 'zod';
import { authorize } from '../src/domain/access.ts';
import { RatchetError } from '../src/domain/errors.ts';
import { type Json, type JsonObject, type Position, streamName } from '../src/domain/event.ts';
import {
  type ExecutionEvent,
  type ExecutionOptions,
  type ExecutionRequest,
  type ExecutionSource,
  type Fork,
  NO_RETRY,
  type RetryPolicy,
  type StepEnd,
} from '../src/domain/execution.ts';
import { decode } from '../src/domain/history.ts';
import { canonicalJson } from '../src/domain/journal.ts';
import { assertTargets, type ResultTargets } from '../src/domain/result-target.ts';
import { currentVersion, type ExistingTask, type TaskVersion } from '../src/domain/task.ts';
import { isoTime, timeOf } from '../src/domain/time.ts';
import { traceParent } from '../src/domain/trace.ts';
import type { Blobs } from '../src/ports/blobs.ts';
import type { Dispatcher, Reservation } from '../src/ports/dispatcher.ts';
import type { SchemaCheck } from '../src/ports/schema-check.ts';
import type { TaskDirectory } from '../src/ports/task-directory.ts';
import type { CommandMeta } from './command.ts';
import { type RequestInput, requestExecution } from './execution.ts';
import { type Deps, type Handled, handle, handleNew } from './handle.ts';

const json: z.ZodType<Json> = z.json();

export const retryInput = z.strictObject({
  max_attempts: z.int().min(1).max(100).describe('Attempts in all, the first included.'),
  initial_ms: z.int().min(0).max(86_400_000).optional(),
  factor: z.number().min(1).max(10).optional(),
  max_ms: z.int().min(0).max(86_400_000).optional(),
  jitter: z.number().min(0).max(1).optional(),
  from: z.enum(['start', 'failed-step']).optional(),
  on: z.array(z.string()).max(50).optional().describe('Names of errors that are retried.'),
});

/** What every interface accepts for running a task. */
export const executeTaskInput = z.strictObject({
  task_id: z.string().min(1).max(256).describe('Name or id of the task.'),
  input: json.describe("Input that matches the task's input schema."),
  trace: z.boolean().default(true).describe('Record debug logs too.'),
  timeout: z.number().positive().max(86_400).optional().describe('Seconds that one attempt may run.'),
  priority: z.int().min(-100).max(100).default(0).describe('Higher runs first.'),
  delay_ms: z
    .int()
    .min(0)
    .max(31_536_000_000)
    .optional()
    .describe('Start no sooner than this many milliseconds from now.'),
  run_at: z.iso.datetime({ offset: true }).optional().describe('Start no sooner than this time.'),
  retry: retryInput.optional(),
  unknown_steps: z
    .enum(['fail', 'resend'])
    .optional()
    .describe('What to do with a call whose outcome a crash hid; as the task says, else fail.'),
  version: z.int().positive().optional().describe('Task version; the current one when left out.'),
  idempotency_key: z.string().min(1).max(256).optional().describe('The same key again is the same execution.'),
  result_to: z
    .array(z.string().min(1).max(64))
    .max(20)
    .optional()
    .describe('Names of configured targets that the result goes to, besides those that get all.'),
  metadata: z
    .record(z.string(), json)
    .default({})
    .describe('Kept with the execution; retry_reason and original_execution become its lineage.'),
});
export type ExecuteTaskInput = z.infer<typeof executeTaskInput>;

/** Bounds that the configuration sets. */
export interface ExecutionBounds {
  readonly maxTimeoutMs: number;
  readonly defaultMemoryMb: number;
  readonly maxMemoryMb: number;
  readonly queueSize: number;
  readonly allowDangerous: boolean;
}

export interface ExecuteDeps extends Deps {
  readonly directory: TaskDirectory;
  readonly dispatcher: Dispatcher;
  readonly schemas: SchemaCheck;
  readonly blobs: Blobs;
  readonly bounds: ExecutionBounds;
  /** Where results can go. */
  readonly resultTargets: ResultTargets;
}

/** Where the request came from, and what it belongs to. */
export interface Origin {
  readonly source: ExecutionSource;
  readonly parent: ExecutionRequest['parent'];
  /** Given by callers that must reach the same execution again, such as a `task` step. */
  readonly executionId: string | null;
  /** The execution that it branches off, and the outcomes it keeps. */
  readonly fork?: { readonly from: Fork; readonly inherited: readonly StepEnd[] } | undefined;
}

export interface Requested {
  readonly executionId: string;
  readonly position: Position;
  /** False when this request had been stored before. */
  readonly created: boolean;
}

/**
 * Checks and stores a request. Starts it at once when a local worker is idle.
 * Fails with `permission_denied`, `task_not_found`, `task_disabled`, `dangerous_task`, `input_schema_violation`,
 * `result_target_not_found`, `idempotency_mismatch`, `queue_full`, or an error of the store; nothing is stored then.
 */
export async function executeTask(
  deps: ExecuteDeps,
  input: ExecuteTaskInput,
  origin: Origin,
  meta: CommandMeta,
): Promise<Requested> {
  authorize(meta.principal, requestExecution.permission, requestExecution.name);
  // Another node may have just made it.
  if (deps.directory.find(input.task_id) === undefined) await deps.directory.reach(await deps.store.head());
  const known = await storedBefore(deps, input, origin, meta);
  if (known !== null) return known;
  const { task, version } = runnable(deps, input);
  assertTargets(deps.resultTargets, input.result_to ?? [], task.name);
  await checkInput(deps, version, input.input);
  const request = await requestOf(deps, { task, version }, input, origin, meta);
  // The first attempt of a fork is made from its journal, by whoever claims it.
  const isLater = request.options.runAt !== null || origin.fork !== undefined;
  const reservation = isLater ? null : deps.dispatcher.reserve(meta.principal.id);
  if (reservation === null && deps.dispatcher.queued() >= deps.bounds.queueSize) {
    throw new RatchetError('queue_full', `${deps.bounds.queueSize} executions wait already; nothing was stored`, {
      details: { queued: deps.dispatcher.queued(), retryAfterSeconds: 1 },
    });
  }
  const inherited = origin.fork?.inherited ?? [];
  const handled = await store(deps, { request, started: reservation?.start ?? null, inherited }, meta, reservation);
  if (reservation !== null && handled.changed) reservation.run(request, version);
  else reservation?.cancel();
  if (reservation === null && handled.changed) {
    const runAt = request.options.runAt === null ? meta.now : timeOf(request.options.runAt);
    const client = request.parent === null ? meta.principal.id : '';
    deps.dispatcher.offer({ executionId: request.executionId, client, priority: request.options.priority }, runAt);
  }
  return { executionId: request.executionId, position: handled.position, created: handled.changed };
}

/**
 * A request that was stored before is answered before anything is checked: a task that has been disabled since, or a full
 * queue, changes nothing about it.
 */
async function storedBefore(
  deps: ExecuteDeps,
  input: ExecuteTaskInput,
  origin: Origin,
  meta: CommandMeta,
): Promise<Requested | null> {
  if (origin.executionId === null && input.idempotency_key === undefined) return null;
  const executionId = executionIdOf(deps, input, origin, meta);
  const [first] = await deps.store.readStream(streamName('execution', executionId), { limit: 1 });
  const event = first === undefined ? undefined : decode<ExecutionEvent>(first);
  if (first === undefined || event?.type !== 'ExecutionRequested') return null;
  const { taskId = input.task_id } = deps.directory.find(input.task_id) ?? {};
  if (event.data.requestHash !== requestHashOf(deps, input, taskId)) {
    throw new RatchetError('idempotency_mismatch', 'this idempotency key was used for a different request', {
      details: { executionId },
    });
  }
  return { executionId, position: first.position, created: false };
}

function requestHashOf(deps: ExecuteDeps, input: ExecuteTaskInput, taskId: string): string {
  return deps.runtime.sha256(canonicalJson(JSON.parse(JSON.stringify({ ...input, task_id: taskId }))));
}

type Stored = Handled<unknown>;

async function store(
  deps: ExecuteDeps,
  input: RequestInput,
  meta: CommandMeta,
  reservation: Reservation | null,
): Promise<Stored> {
  try {
    const rooted = { ...meta, correlationId: meta.correlationId || input.request.executionId };
    const fresh = await handleNew(deps, requestExecution, input, rooted);
    return fresh ?? (await handle(deps, requestExecution, { ...input, started: null }, rooted));
  } catch (error) {
    reservation?.cancel();
    throw error;
  }
}

/** Fails with `task_not_found`, `task_disabled` or `dangerous_task`. */
export function runnable(
  deps: ExecuteDeps,
  input: Pick<ExecuteTaskInput, 'task_id' | 'version'>,
): { task: ExistingTask; version: TaskVersion } {
  const task = deps.directory.find(input.task_id);
  const details = { task: input.task_id };
  if (task === undefined || task.status === 'deleted') {
    throw new RatchetError('task_not_found', `there is no task ${input.task_id}`, { details });
  }
  if (task.status === 'disabled')
    throw new RatchetError('task_disabled', `the task ${task.name} is disabled`, { details });
  const version =
    input.version === undefined
      ? currentVersion(task)
      : task.versions.find((candidate) => candidate.version === input.version);
  if (version === undefined) {
    throw new RatchetError('task_not_found', `the task ${task.name} has no version ${input.version ?? 1}`, { details });
  }
  if (version.dangerous && !deps.bounds.allowDangerous) {
    throw new RatchetError('dangerous_task', `the task ${task.name} is marked dangerous`, { details });
  }
  return { task, version };
}

/** Fails with `input_schema_violation`. */
export async function checkInput(deps: ExecuteDeps, version: TaskVersion, input: Json): Promise<void> {
  const schema = await deps.blobs.get(version.inputSchema);
  const problems = deps.schemas.compile(schema).check(input);
  const first = problems[0];
  if (first === undefined) return;
  throw new RatchetError('input_schema_violation', `input${first.path}: ${first.message}`, {
    details: { path: first.path, problems },
  });
}

async function requestOf(
  deps: ExecuteDeps,
  { task, version }: { task: ExistingTask; version: TaskVersion },
  input: ExecuteTaskInput,
  origin: Origin,
  meta: CommandMeta,
): Promise<ExecutionRequest> {
  const trace = traceParent(meta.traceparent);
  return {
    executionId: executionIdOf(deps, input, origin, meta),
    task: { id: task.taskId, name: task.name, version: version.version, contentHash: version.contentHash },
    input: await deps.blobs.put(input.input),
    source: origin.source,
    options: optionsOf(deps, version, input, meta),
    parent: origin.parent,
    lineage: {
      originalExecution: textOf(input.metadata, 'original_execution'),
      retryReason: textOf(input.metadata, 'retry_reason'),
    },
    ...(origin.fork === undefined ? {} : { fork: origin.fork.from }),
    ...(input.result_to === undefined ? {} : { resultTo: input.result_to }),
    metadata: input.metadata,
    traceId: trace?.traceId ?? deps.runtime.randomHex(16),
    parentSpanId: trace?.spanId ?? null,
    requestHash: requestHashOf(deps, input, task.taskId),
  };
}

function executionIdOf(deps: ExecuteDeps, input: ExecuteTaskInput, origin: Origin, meta: CommandMeta): string {
  if (origin.executionId !== null) return origin.executionId;
  if (input.idempotency_key === undefined) return deps.runtime.newId();
  return deps.runtime.uuidOf(`execute_task\n${meta.principal.id}\n${input.idempotency_key}`);
}

function optionsOf(
  deps: ExecuteDeps,
  version: TaskVersion,
  input: ExecuteTaskInput,
  meta: CommandMeta,
): ExecutionOptions {
  const { bounds } = deps;
  const wanted = input.timeout === undefined ? version.timeoutMs : Math.round(input.timeout * 1000);
  const delayed = input.delay_ms === undefined || input.delay_ms === 0 ? null : isoTime(meta.now + input.delay_ms);
  const runAt = input.run_at === undefined ? delayed : isoTime(timeOf(input.run_at));
  return {
    trace: input.trace,
    logLevel: input.trace ? 'debug' : 'info',
    timeoutMs: Math.min(wanted ?? bounds.maxTimeoutMs, bounds.maxTimeoutMs),
    memoryMb: Math.min(version.memoryMb ?? bounds.defaultMemoryMb, bounds.maxMemoryMb),
    priority: input.priority,
    runAt,
    retry: input.retry === undefined ? NO_RETRY : retryOf(input.retry),
    unknownSteps: input.unknown_steps ?? (version.metadata['unknown_steps'] === 'resend' ? 'resend' : 'fail'),
  };
}

function retryOf(input: z.infer<typeof retryInput>): RetryPolicy {
  return {
    maxAttempts: input.max_attempts,
    initialMs: input.initial_ms ?? NO_RETRY.initialMs,
    factor: input.factor ?? NO_RETRY.factor,
    maxMs: input.max_ms ?? NO_RETRY.maxMs,
    jitter: input.jitter ?? NO_RETRY.jitter,
    from: input.from ?? NO_RETRY.from,
    on: input.on ?? NO_RETRY.on,
  };
}

function textOf(metadata: JsonObject, key: string): string | null {
  const value = metadata[key];
  return typeof value === 'string' ? value : null;
}

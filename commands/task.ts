/** What may be asked of a task: create it, publish a version, switch it, delete it; and the answer as facts. */
import { z } from 'zod';
import { RatchetError } from '../src/domain/errors.ts';
import type { Json, JsonObject } from '../src/domain/event.ts';
import { streamName } from '../src/domain/event.ts';
import type { Payload } from '../src/domain/payload.ts';
import {
  currentVersion,
  type ExistingTask,
  MAX_TASK_NAME,
  TASK_NAME,
  type TaskEvent,
  type TaskState,
  type TaskVersion,
  task,
} from '../src/domain/task.ts';
import { defineCommand } from './command.ts';

const json: z.ZodType<Json> = z.json();
const jsonObject: z.ZodType<JsonObject> = z.record(z.string(), json);
const payload: z.ZodType<Payload> = z.union([
  z.strictObject({ value: json }),
  z.strictObject({ blob: z.string(), bytes: z.number() }),
]);

export const taskName: z.ZodType<string> = z
  .string()
  .min(1)
  .max(MAX_TASK_NAME)
  .regex(TASK_NAME, 'letters, digits, "-", "_", "." and single "/"');

const definition = z.strictObject({
  contentHash: z.string(),
  versionLabel: z.string().max(64),
  label: z.string().max(256).nullable(),
  description: z.string().max(16_384),
  tags: z.array(z.string().max(64)).max(64),
  category: z.string().max(64).nullable(),
  author: z.string().max(256).nullable(),
  license: z.string().max(128).nullable(),
  dangerous: z.boolean(),
  timeoutMs: z.int().positive().nullable(),
  memoryMb: z.int().positive().nullable(),
  style: z.enum(['auto', 'blocking', 'promise']),
  code: payload,
  file: z.string().max(256),
  inputSchema: payload,
  outputSchema: payload,
  tests: payload,
  metadata: jsonObject,
  source: z.string().max(128).nullable(),
  revision: z.string().max(128).exactOptional(),
});

/** A version without its number, which the decision gives. */
export type VersionDefinition = Omit<TaskVersion, 'version'>;

const publishInput = z.strictObject({
  taskId: z.string(),
  name: taskName,
  uuid: z.string().max(64).nullable(),
  /** `create`: it must be new. `update`: it must exist. `sync`: whichever; a deleted task comes back. */
  intent: z.enum(['create', 'update', 'sync']),
  enabled: z.boolean(),
  /** Version that the caller has seen as current; null: whichever. */
  baseVersion: z.int().nullable(),
  definition,
});

/** Creates a task with its first version, or publishes the next one. The same content again changes nothing. */
export const publishTask = defineCommand<z.infer<typeof publishInput>, TaskState, TaskEvent>({
  name: 'publish_task',
  permission: 'manage_tasks',
  input: publishInput,
  stream: (input) => streamName('task', input.taskId),
  evolution: task,
  decide: (state, input) => {
    if (state.status === 'none') return createdWith(input);
    if (input.intent === 'create' && state.status !== 'deleted') {
      throw new RatchetError('already_exists', `a task named ${input.name} exists`, { details: { task: input.name } });
    }
    const restored: TaskEvent[] = state.status === 'deleted' ? [{ type: 'TaskRestored', data: {} }] : [];
    if (state.status === 'deleted' && input.intent === 'update') throw gone(input.name);
    return [...restored, ...nextVersion(state, input)];
  },
});

function createdWith(input: z.infer<typeof publishInput>): readonly TaskEvent[] {
  if (input.intent === 'update') throw unknown(input.name);
  const events: TaskEvent[] = [
    { type: 'TaskCreated', data: { taskId: input.taskId, name: input.name, uuid: input.uuid } },
    { type: 'TaskVersionPublished', data: { ...input.definition, version: 1, uuid: input.uuid } },
  ];
  if (!input.enabled) events.push({ type: 'TaskDisabled', data: { reason: 'created disabled' } });
  return events;
}

function nextVersion(state: ExistingTask, input: z.infer<typeof publishInput>): readonly TaskEvent[] {
  const current = currentVersion(state);
  if (input.baseVersion !== null) currentIs(state, input.baseVersion);
  if (current?.contentHash === input.definition.contentHash) return [];
  const version = (current?.version ?? 0) + 1;
  return [{ type: 'TaskVersionPublished', data: { ...input.definition, version, uuid: input.uuid } }];
}

const switchInput = z.strictObject({
  taskId: z.string(),
  reason: z.string().max(1024).nullable(),
  /** Version that the caller has seen as current; left out: whichever. */
  baseVersion: z.int().optional(),
});
type SwitchInput = z.infer<typeof switchInput>;

export const enableTask = defineCommand<SwitchInput, TaskState, TaskEvent>({
  name: 'enable_task',
  permission: 'manage_tasks',
  input: switchInput,
  stream: (input) => streamName('task', input.taskId),
  evolution: task,
  decide: (state, input) => (seen(state, input).status === 'enabled' ? [] : [{ type: 'TaskEnabled', data: {} }]),
});

export const disableTask = defineCommand<SwitchInput, TaskState, TaskEvent>({
  name: 'disable_task',
  permission: 'manage_tasks',
  input: switchInput,
  stream: (input) => streamName('task', input.taskId),
  evolution: task,
  decide: (state, input) =>
    seen(state, input).status === 'disabled' ? [] : [{ type: 'TaskDisabled', data: { reason: input.reason } }],
});

export const deleteTask = defineCommand<SwitchInput, TaskState, TaskEvent>({
  name: 'delete_task',
  permission: 'manage_tasks',
  input: switchInput,
  stream: (input) => streamName('task', input.taskId),
  evolution: task,
  decide: (state, input) => {
    seen(state, input);
    return [{ type: 'TaskDeleted', data: { reason: input.reason } }];
  },
});

/** Brings a deleted task back, enabled, with all its versions; one that is there stays as it is. */
export const restoreTask = defineCommand<SwitchInput, TaskState, TaskEvent>({
  name: 'restore_task',
  permission: 'manage_tasks',
  input: switchInput,
  stream: (input) => streamName('task', input.taskId),
  evolution: task,
  decide: (state, input) => {
    if (state.status === 'none') throw unknown(input.taskId);
    if (input.baseVersion !== undefined) currentIs(state, input.baseVersion);
    return state.status === 'deleted' ? [{ type: 'TaskRestored', data: {} }] : [];
  },
});

/** Fails with `task_not_found`, or `version_conflict` when it is not as the caller has seen it. */
function seen(state: TaskState, { taskId, baseVersion }: SwitchInput): ExistingTask {
  const existing = living(state, taskId);
  if (baseVersion !== undefined) currentIs(existing, baseVersion);
  return existing;
}

function living(state: TaskState, taskId: string): ExistingTask {
  if (state.status === 'none') throw unknown(taskId);
  if (state.status === 'deleted') throw gone(state.name);
  return state;
}

/** Fails with `version_conflict` when another version is current. */
function currentIs(state: ExistingTask, baseVersion: number): void {
  const version = currentVersion(state)?.version ?? 0;
  if (version === baseVersion) return;
  throw new RatchetError(
    'version_conflict',
    `${state.name} is at version ${version}, the edit was made on version ${baseVersion}`,
    { details: { task: state.name, expected: baseVersion, actual: version } },
  );
}

function unknown(nameOrId: string): RatchetError {
  return new RatchetError('task_not_found', `there is no task ${nameOrId}`, { details: { task: nameOrId } });
}

function gone(name: string): RatchetError {
  return new RatchetError('task_not_found', `the task ${name} was deleted`, { details: { task: name } });
}

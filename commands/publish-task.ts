/** Turns a task as people write it into a checked version: code parsed, schemas compiled, content hashed, then decided. */
import { z } from 'zod';
import { authorize } from '../src/domain/access.ts';
import { RatchetError } from '../src/domain/errors.ts';
import type { Json, JsonObject } from '../src/domain/event.ts';
import { canonicalJson } from '../src/domain/journal.ts';
import { currentVersion, type ExistingTask, type TaskState } from '../src/domain/task.ts';
import type { Blobs } from '../src/ports/blobs.ts';
import type { Sandbox } from '../src/ports/sandbox.ts';
import type { SchemaCheck } from '../src/ports/schema-check.ts';
import type { TaskDirectory } from '../src/ports/task-directory.ts';
import type { TaskDefinition } from '../src/ports/task-source.ts';
import type { CommandMeta } from './command.ts';
import { type Deps, type Handled, handle } from './handle.ts';
import { publishTask, taskName } from './task.ts';

const json: z.ZodType<Json> = z.json();
const text = (max: number) => z.string().max(max);

/** Code larger than this is refused. */
const MAX_CODE = 5 * 1024 * 1024;

const testCase = z.strictObject({
  name: text(256).min(1),
  description: text(4_096).optional(),
  input: json,
  expected_output: json.optional(),
  should_fail: z.boolean().optional(),
});

const fields = {
  description: text(16_384).default(''),
  code: text(MAX_CODE).min(1),
  input_schema: json.default(true),
  output_schema: json.default(true),
  tags: z.array(text(64)).max(64).default([]),
  category: text(64).nullable().default(null),
  label: text(256).nullable().default(null),
  version: text(64).default('0.1.0').describe("The author's own version label."),
  timeout: z.number().positive().max(86_400).nullable().default(null).describe('Seconds.'),
  memory_mb: z.int().min(16).max(65_536).nullable().default(null),
  dangerous: z.boolean().default(false),
  style: z.enum(['auto', 'blocking', 'promise']).default('auto').describe('How fetch behaves.'),
  test_cases: z.array(testCase).max(1_000).default([]),
  metadata: z.record(z.string(), json).default({}),
};

export const createTaskInput = z.strictObject({ name: taskName, enabled: z.boolean().default(true), ...fields });
export type CreateTaskInput = z.infer<typeof createTaskInput>;

/** Whatever is left out stays as it is. */
export const updateTaskInput = z.strictObject({
  task_id: text(256).min(1).describe('Name or id of the task.'),
  base_version: z.int().positive().optional().describe('Refuse when another version has become current.'),
  description: text(16_384).optional(),
  code: text(MAX_CODE).min(1).optional(),
  input_schema: json.optional(),
  output_schema: json.optional(),
  tags: z.array(text(64)).max(64).optional(),
  category: text(64).nullable().optional(),
  label: text(256).nullable().optional(),
  version: text(64).optional(),
  timeout: z.number().positive().max(86_400).nullable().optional(),
  memory_mb: z.int().min(16).max(65_536).nullable().optional(),
  dangerous: z.boolean().optional(),
  style: z.enum(['auto', 'blocking', 'promise']).optional(),
  test_cases: z.array(testCase).max(1_000).optional(),
  metadata: z.record(z.string(), json).optional(),
});
export type UpdateTaskInput = z.infer<typeof updateTaskInput>;

export interface PublishDeps extends Deps {
  readonly blobs: Blobs;
  readonly sandbox: Pick<Sandbox, 'prepare'>;
  readonly schemas: SchemaCheck;
  readonly directory: TaskDirectory;
}

export interface Publication {
  readonly intent: 'create' | 'update' | 'sync';
  readonly enabled: boolean;
  readonly baseVersion: number | null;
  /** Name of the registry source, null for a task made through an interface. */
  readonly source: string | null;
  /** Commit, or SHA-256 of the archive, that the source had; left out or null where it has none. */
  readonly revision?: string | null;
}

/** @returns the id of the task with this name: the name is the identity, so two creators can not make two tasks of it. */
export function taskIdOf(deps: Deps, name: string): string {
  return deps.runtime.uuidOf(`task\n${name}`);
}

/**
 * Checks and publishes a definition. Equal content changes nothing.
 * Fails with `syntax_error`, `invalid_task`, `invalid_schema`, `already_exists`, `task_not_found` or `version_conflict`.
 */
export async function publishDefinition(
  deps: PublishDeps,
  definition: TaskDefinition,
  publication: Publication,
  meta: CommandMeta,
): Promise<Handled<TaskState>> {
  authorize(meta.principal, publishTask.permission, publishTask.name);
  const { name, uuid, tests, inputSchema, outputSchema, code, ...rest } = checked(deps, definition);
  const contentHash = deps.runtime.sha256(
    canonicalJson(JSON.parse(JSON.stringify({ ...rest, code, inputSchema, outputSchema, tests }))),
  );
  const known = deps.directory.find(taskIdOf(deps, name));
  const { version: versionLabel, ...described } = rest;
  if (publication.intent === 'sync' && isCurrent(known, contentHash)) {
    return { state: known ?? { status: 'none' }, position: '', version: -1, changed: false };
  }
  const handled = await handle(
    deps,
    publishTask,
    {
      taskId: taskIdOf(deps, name),
      name,
      uuid,
      intent: publication.intent,
      enabled: publication.enabled,
      baseVersion: publication.baseVersion,
      definition: {
        ...described,
        tags: [...described.tags],
        versionLabel,
        contentHash,
        code: await deps.blobs.put(code),
        inputSchema: await deps.blobs.put(inputSchema),
        outputSchema: await deps.blobs.put(outputSchema),
        tests: await deps.blobs.put(JSON.parse(JSON.stringify(tests))),
        source: publication.source,
        ...((publication.revision ?? null) === null ? {} : { revision: publication.revision ?? '' }),
      },
    },
    meta,
  );
  await deps.directory.reach(handled.position);
  return handled;
}

function isCurrent(known: ExistingTask | undefined, contentHash: string): boolean {
  return known !== undefined && known.status !== 'deleted' && currentVersion(known)?.contentHash === contentHash;
}

function checked(deps: PublishDeps, definition: TaskDefinition): TaskDefinition {
  const name = taskName.safeParse(definition.name);
  if (!name.success) {
    throw new RatchetError('invalid_task', `the name ${JSON.stringify(definition.name)} is not one a task can have`, {
      details: { allowed: 'letters, digits, "-", "_", "." and single "/", at most 128' },
    });
  }
  deps.sandbox.prepare(definition.code, definition.file);
  deps.schemas.compile(definition.inputSchema);
  deps.schemas.compile(definition.outputSchema);
  return definition;
}

/** @returns the definition that {@link createTaskInput} describes. */
export function definitionOf(input: CreateTaskInput): TaskDefinition {
  return {
    name: input.name,
    uuid: null,
    version: input.version,
    label: input.label,
    description: input.description,
    tags: input.tags,
    category: input.category,
    author: null,
    license: null,
    dangerous: input.dangerous,
    timeoutMs: input.timeout === null ? null : Math.round(input.timeout * 1000),
    memoryMb: input.memory_mb,
    style: input.style,
    code: input.code,
    file: `${input.name}/main.js`,
    inputSchema: input.input_schema,
    outputSchema: input.output_schema,
    tests: input.test_cases.map(testOf),
    metadata: input.metadata,
  };
}

function testOf(test: z.infer<typeof testCase>): TaskDefinition['tests'][number] {
  const expectation = test.should_fail
    ? ({ kind: 'any-error' } as const)
    : test.expected_output === undefined
      ? ({ kind: 'none' } as const)
      : ({ kind: 'output', value: test.expected_output } as const);
  return {
    name: test.name,
    description: test.description ?? null,
    input: test.input,
    expectation,
    mocks: [],
    assertions: [],
  };
}

/** @returns the current definition of a task with the given changes. Fails with `task_not_found`. */
export async function editedDefinition(deps: PublishDeps, input: UpdateTaskInput): Promise<TaskDefinition> {
  const task = deps.directory.find(input.task_id);
  const current = task === undefined || task.status === 'deleted' ? undefined : currentVersion(task);
  if (task === undefined || current === undefined) {
    throw new RatchetError('task_not_found', `there is no task ${input.task_id}`, { details: { task: input.task_id } });
  }
  const {
    tests,
    code,
    inputSchema,
    outputSchema,
    versionLabel,
    contentHash: _hash,
    version: _number,
    source: _source,
    ...kept
  } = current;
  const codeNow = await deps.blobs.get(code);
  return {
    ...kept,
    name: task.name,
    uuid: task.uuid,
    version: input.version ?? versionLabel,
    label: input.label === undefined ? kept.label : input.label,
    description: input.description ?? kept.description,
    tags: input.tags ?? kept.tags,
    category: input.category === undefined ? kept.category : input.category,
    dangerous: input.dangerous ?? kept.dangerous,
    timeoutMs:
      input.timeout === undefined ? kept.timeoutMs : input.timeout === null ? null : Math.round(input.timeout * 1000),
    memoryMb: input.memory_mb === undefined ? kept.memoryMb : input.memory_mb,
    style: input.style ?? kept.style,
    code: input.code ?? String(codeNow),
    inputSchema: input.input_schema ?? (await deps.blobs.get(inputSchema)),
    outputSchema: input.output_schema ?? (await deps.blobs.get(outputSchema)),
    tests: input.test_cases?.map(testOf) ?? storedTests(await deps.blobs.get(tests)),
    metadata: (input.metadata as JsonObject | undefined) ?? kept.metadata,
  };
}

/** Tests were written by {@link publishDefinition}, in the shape of the port. */
export function storedTests(value: Json): TaskDefinition['tests'] {
  return Array.isArray(value) ? (value as unknown as TaskDefinition['tests']) : [];
}

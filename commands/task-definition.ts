/** A published version as the definition that it was made of: to be changed, checked, tested or compared. */
import { patchedCode } from '../src/domain/code-patch.ts';
import { RatchetError } from '../src/domain/errors.ts';
import type { Json, JsonObject } from '../src/domain/event.ts';
import { currentVersion, type ExistingTask, type TaskVersion } from '../src/domain/task.ts';
import type { Blobs } from '../src/ports/blobs.ts';
import type { TaskDirectory } from '../src/ports/task-directory.ts';
import type { TaskDefinition } from '../src/ports/task-source.ts';
import type { TestCases } from '../src/ports/test-cases.ts';
import { testsOf, type UpdateTaskInput } from './task-input.ts';

export interface DefinitionDeps {
  readonly directory: TaskDirectory;
  readonly blobs: Blobs;
}

/** @returns a version of a task as it was defined. */
export async function definitionOfVersion(
  { blobs }: Pick<DefinitionDeps, 'blobs'>,
  { name, uuid }: Pick<ExistingTask, 'name' | 'uuid'>,
  version: TaskVersion,
): Promise<TaskDefinition> {
  const { label, description, tags, category, author, license, dangerous } = version;
  const { timeoutMs, memoryMb, style, file, metadata } = version;
  const [code, inputSchema, outputSchema, tests] = await Promise.all([
    blobs.get(version.code),
    blobs.get(version.inputSchema),
    blobs.get(version.outputSchema),
    blobs.get(version.tests),
  ]);
  return {
    name,
    uuid,
    version: version.versionLabel,
    label,
    description,
    tags,
    category,
    author,
    license,
    dangerous,
    timeoutMs,
    memoryMb,
    style,
    file,
    metadata,
    inputSchema,
    outputSchema,
    code: String(code),
    tests: storedTests(tests),
  };
}

/** @returns the current definition of a task; null where there is none, or the task was deleted. */
export async function currentDefinition(deps: DefinitionDeps, nameOrId: string): Promise<TaskDefinition | null> {
  const task = deps.directory.find(nameOrId);
  const version = task === undefined || task.status === 'deleted' ? undefined : currentVersion(task);
  return task === undefined || version === undefined ? null : definitionOfVersion(deps, task, version);
}

/** @returns the task, with its current version. Fails with `task_not_found`, also for one that was deleted. */
export function existingTask(
  directory: TaskDirectory,
  nameOrId: string,
): { readonly task: ExistingTask; readonly version: TaskVersion } {
  const task = directory.find(nameOrId);
  const version = task === undefined || task.status === 'deleted' ? undefined : currentVersion(task);
  if (task !== undefined && version !== undefined) return { task, version };
  throw new RatchetError('task_not_found', `there is no task ${nameOrId}`, { details: { task: nameOrId } });
}

/**
 * @returns a definition with the given changes; what is left out stays.
 * Fails with `invalid_request` for a patch that does not fit, and for a test that can not be read.
 */
export function changedDefinition(
  reader: TestCases,
  current: TaskDefinition,
  input: Omit<UpdateTaskInput, 'task_id' | 'base_version' | 'validate_changes'>,
): TaskDefinition {
  const { timeout, metadata } = input;
  return {
    ...current,
    version: input.version ?? current.version,
    label: input.label === undefined ? current.label : input.label,
    description: input.description ?? current.description,
    tags: input.tags ?? current.tags,
    category: input.category === undefined ? current.category : input.category,
    dangerous: input.dangerous ?? current.dangerous,
    timeoutMs: timeout === undefined ? current.timeoutMs : timeout === null ? null : Math.round(timeout * 1000),
    memoryMb: input.memory_mb === undefined ? current.memoryMb : input.memory_mb,
    style: input.style ?? current.style,
    code: codeAfter(current.code, input),
    inputSchema: input.input_schema ?? current.inputSchema,
    outputSchema: input.output_schema ?? current.outputSchema,
    tests: input.test_cases === undefined ? current.tests : testsOf(reader, input.test_cases),
    metadata: (metadata as JsonObject | undefined) ?? current.metadata,
  };
}

function codeAfter(code: string, input: Pick<UpdateTaskInput, 'code' | 'patch'>): string {
  if (input.patch === undefined) return input.code ?? code;
  if (input.code === undefined) return patchedCode(code, input.patch);
  const message = 'give the whole code or a patch of it, not both';
  throw new RatchetError('invalid_request', `patch: ${message}`, {
    details: { problems: [{ field: 'patch', message }] },
  });
}

/** Tests were written by `publishDefinition`, in the shape of the port. */
function storedTests(value: Json): TaskDefinition['tests'] {
  return Array.isArray(value) ? (value as unknown as TaskDefinition['tests']) : [];
}

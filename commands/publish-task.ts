/** Turns a task as people write it into a checked version: code parsed, schemas compiled, content hashed, then decided. */
import { authorize } from '../src/domain/access.ts';
import { RatchetError } from '../src/domain/errors.ts';
import { canonicalJson } from '../src/domain/journal.ts';
import { currentVersion, type ExistingTask, type TaskState } from '../src/domain/task.ts';
import type { Blobs } from '../src/ports/blobs.ts';
import type { Sandbox } from '../src/ports/sandbox.ts';
import type { SchemaCheck } from '../src/ports/schema-check.ts';
import type { TaskDirectory } from '../src/ports/task-directory.ts';
import type { TaskDefinition } from '../src/ports/task-source.ts';
import type { TestCases } from '../src/ports/test-cases.ts';
import type { CommandMeta } from './command.ts';
import { type Deps, type Handled, handle } from './handle.ts';
import { publishTask, taskName } from './task.ts';

export interface PublishDeps extends Deps {
  readonly blobs: Blobs;
  readonly sandbox: Pick<Sandbox, 'prepare'>;
  readonly schemas: SchemaCheck;
  readonly directory: TaskDirectory;
  readonly testCases: TestCases;
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
        ...(typeof publication.revision === 'string' ? { revision: publication.revision } : {}),
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

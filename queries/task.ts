/** Tells about tasks and their versions. */
import { z } from 'zod';
import type { ReadModels } from '../projections/read-models.ts';
import { RatchetError } from '../src/domain/errors.ts';
import { cursor, decodeCursor, defineQuery, limit, pageOf, payload, type QueryDeps, stored } from './query.ts';
import { allowedTaskIds } from './task-scope.ts';

const flag = z.union([z.boolean(), z.stringbool()]);

const listInput = z.strictObject({
  filter: z.string().max(256).optional().describe('Part of the name or description.'),
  category: z.string().max(64).optional(),
  tag: z.string().max(64).optional(),
  status: z.enum(['enabled', 'disabled', 'deleted']).optional(),
  include_schemas: flag.default(false),
  sort: z.enum(['name', 'updated_at']).default('name').describe('By name, or those changed last first.'),
  limit: limit(50),
  cursor,
});

const keyForm = z.tuple([z.string(), z.string()]);
const changedForm = z.tuple([z.string(), z.string(), z.literal('updated_at')]);

/** Tasks by name. Deleted ones are told only when asked for. */
export const listTasks = defineQuery({
  name: 'list_available_tasks',
  permission: 'read',
  description: 'List the tasks that can be executed, by name.',
  input: listInput,
  read: async (deps, input, patterns) => {
    const allowed = await allowedTaskIds(deps.db, patterns);
    const { sort } = input;
    const direction = sort === 'name' ? 'asc' : 'desc';
    const after = sort === 'name' ? '>' : '<';
    let query = deps.db
      .selectFrom('tasks')
      .selectAll()
      .orderBy(sort, direction)
      .orderBy('task_id', direction)
      .limit(input.limit + 1);
    query =
      input.status === undefined ? query.where('status', '!=', 'deleted') : query.where('status', '=', input.status);
    if (allowed !== null) query = query.where('task_id', 'in', [...allowed]);
    if (input.category !== undefined) query = query.where('category', '=', input.category);
    if (input.tag !== undefined) query = query.where('tags', 'like', `%${escapeLike(JSON.stringify(input.tag))}%`);
    if (input.filter !== undefined) {
      const pattern = `%${escapeLike(input.filter)}%`;
      query = query.where((is) => is.or([is('name', 'like', pattern), is('description', 'like', pattern)]));
    }
    if (input.cursor !== undefined) {
      const form: z.ZodType<readonly [string, string, ...unknown[]]> = sort === 'name' ? keyForm : changedForm;
      const [at, id] = decodeCursor(input.cursor, form);
      query = query.where(sort, `${after}=`, at).where((is) => is.or([is(sort, after, at), is('task_id', after, id)]));
    }
    const page = pageOf(await query.execute(), input.limit, (row) =>
      sort === 'name' ? [row.name, row.task_id] : [row.updated_at, row.task_id, sort],
    );
    const tasks = await Promise.all(page.rows.map((row) => told(deps, row, input.include_schemas)));
    return { tasks, next_cursor: page.next_cursor };
  },
});

/** SQLite's LIKE has no escape character by itself; wild cards in what people type match themselves loosely. */
function escapeLike(text: string): string {
  return text.replaceAll(/[%_]/g, '_');
}

async function told(deps: QueryDeps, row: ReadModels['tasks'], withSchemas: boolean) {
  const task = {
    id: row.task_id,
    uuid: row.uuid,
    name: row.name,
    label: row.label,
    description: row.description,
    status: row.status,
    version: row.version,
    version_label: row.version_label,
    content_hash: row.content_hash,
    tags: stored(row.tags),
    category: row.category,
    author: row.author,
    dangerous: row.dangerous === 1,
    source: row.source,
    revision: row.revision,
    created_at: row.created_at,
    updated_at: row.updated_at,
  };
  if (!withSchemas) return task;
  const version = await versionRow(deps, row.task_id, row.version);
  return {
    ...task,
    input_schema: await payload(deps.blobs, version.input_schema),
    output_schema: await payload(deps.blobs, version.output_schema),
  };
}

async function versionRow(deps: QueryDeps, taskId: string, version: number): Promise<ReadModels['task_versions']> {
  const row = await deps.db
    .selectFrom('task_versions')
    .selectAll()
    .where('task_id', '=', taskId)
    .where('version', '=', version)
    .executeTakeFirst();
  if (row !== undefined) return row;
  throw new RatchetError('not_found', `the task has no version ${version}`, { details: { task: taskId, version } });
}

/** The row of a task by id, name, or the id its author gave it. Fails with `task_not_found`. */
async function taskRow(deps: QueryDeps, nameOrId: string): Promise<ReadModels['tasks']> {
  const row = await deps.db
    .selectFrom('tasks')
    .selectAll()
    .where((is) => is.or([is('task_id', '=', nameOrId), is('name', '=', nameOrId), is('uuid', '=', nameOrId)]))
    .executeTakeFirst();
  if (row !== undefined) return row;
  throw new RatchetError('task_not_found', `there is no task ${nameOrId}`, { details: { task: nameOrId } });
}

const getInput = z.strictObject({
  task_id: z.string().min(1).max(256),
  version: z.coerce.number().int().positive().optional(),
  include_code: flag.default(true),
});

export const getTask = defineQuery({
  name: 'get_task',
  permission: 'read',
  description: 'One task with its schemas, tests and code, current or at a version.',
  input: getInput,
  read: async (deps, input) => {
    const row = await taskRow(deps, input.task_id);
    const version = await versionRow(deps, row.task_id, input.version ?? row.version);
    return {
      ...(await told(deps, row, false)),
      version: version.version,
      version_label: version.version_label,
      content_hash: version.content_hash,
      description: version.description,
      revision: version.revision,
      published_by: version.published_by,
      published_at: version.published_at,
      metadata: stored(version.metadata),
      input_schema: await payload(deps.blobs, version.input_schema),
      output_schema: await payload(deps.blobs, version.output_schema),
      tests: await payload(deps.blobs, version.tests),
      ...(input.include_code ? { code: await payload(deps.blobs, version.code) } : {}),
    };
  },
});

export const listTaskVersions = defineQuery({
  name: 'list_task_versions',
  permission: 'read',
  description: 'The versions of a task, newest first.',
  input: z.strictObject({ task_id: z.string().min(1).max(256), limit: limit(50), cursor }),
  read: async (deps, input) => {
    const row = await taskRow(deps, input.task_id);
    let query = deps.db
      .selectFrom('task_versions')
      .select([
        'version',
        'version_label',
        'content_hash',
        'description',
        'source',
        'revision',
        'published_by',
        'published_at',
      ])
      .where('task_id', '=', row.task_id)
      .orderBy('version', 'desc')
      .limit(input.limit + 1);
    if (input.cursor !== undefined)
      query = query.where('version', '<', decodeCursor(input.cursor, z.tuple([z.number()]))[0]);
    const page = pageOf(await query.execute(), input.limit, (version) => [version.version]);
    return { task_id: row.task_id, name: row.name, versions: page.rows, next_cursor: page.next_cursor };
  },
});

/** Tasks as lists tell them, by id. Those that are not there are left out. */
export async function tasksById(deps: QueryDeps, ids: readonly string[]) {
  const rows = await deps.db
    .selectFrom('tasks')
    .selectAll()
    .where('task_id', 'in', [...ids])
    .execute();
  const tasks = await Promise.all(rows.map((row) => told(deps, row, false)));
  return new Map(tasks.map((task) => [task.id, task]));
}

/** What the current versions of these tasks hold, by task id. */
export async function currentVersionsOf(deps: QueryDeps, ids: readonly string[]) {
  const rows = await deps.db
    .selectFrom('task_versions')
    .innerJoin('tasks', (join) =>
      join.onRef('tasks.task_id', '=', 'task_versions.task_id').onRef('tasks.version', '=', 'task_versions.version'),
    )
    .selectAll('task_versions')
    .where('task_versions.task_id', 'in', [...ids])
    .execute();
  const versions = await Promise.all(
    rows.map(async (row) => ({
      task_id: row.task_id,
      code: await payload(deps.blobs, row.code),
      input_schema: await payload(deps.blobs, row.input_schema),
      output_schema: await payload(deps.blobs, row.output_schema),
      tests: await payload(deps.blobs, row.tests),
      metadata: stored(row.metadata),
      published_by: row.published_by,
      published_at: row.published_at,
    })),
  );
  return new Map(versions.map((version) => [version.task_id, version]));
}

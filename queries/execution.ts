/** Tells about executions and their steps. */
import type { CompiledQuery, Kysely } from 'kysely';
import { z } from 'zod';
import type { ReadModels } from '../projections/read-models.ts';
import type { TaskPatterns } from '../src/domain/access.ts';
import { RatchetError } from '../src/domain/errors.ts';
import type { Json } from '../src/domain/event.ts';
import { explain } from '../src/domain/explain.ts';
import { orPlanned } from './planned-execution.ts';
import { cursor, decodeCursor, defineQuery, limit, pageOf, payload, type QueryDeps, stored } from './query.ts';
import { allowedTaskIds } from './task-scope.ts';

const STATUSES = ['pending', 'running', 'waiting', 'completed', 'failed', 'cancelled'] as const;
export const instant = z.iso.datetime({ offset: true });

/** Which executions are meant; all that is given must fit. */
export const executionFilter = {
  status: z.enum(STATUSES).optional(),
  task_id: z.string().max(256).optional().describe('Name or id of the task.'),
  since: instant.optional().describe('Requested at or after this time.'),
  until: instant.optional().describe('Requested before this time.'),
  parent_id: z.string().max(64).optional().describe('Started through runTask by this execution.'),
  original_execution: z.string().max(64).optional(),
  batch_id: z.string().max(64).optional().describe('Started by this batch.'),
  source: z.string().max(32).optional(),
  principal: z.string().max(128).optional(),
  fingerprint: z.string().max(64).optional().describe('Failed for the same cause: the fingerprint of an analysis.'),
};
const filterForm = z.object(executionFilter);
export type ExecutionFilter = z.infer<typeof filterForm>;

const SORTS = ['requested_at', 'finished_at', 'duration_ms'] as const;

const listInput = z.strictObject({
  ...executionFilter,
  sort: z.enum(SORTS).default('requested_at').describe('By an end or a duration, only those that have ended are told.'),
  order: z.enum(['newest', 'oldest', 'desc', 'asc']).default('newest').describe('newest is desc, oldest is asc.'),
  limit: limit(50),
  cursor,
});

const keyForm = z.tuple([z.string(), z.string()]);

/** A cursor goes on in the order it came from: that of another sort is refused. */
const SORT_KEYS = {
  requested_at: keyForm,
  finished_at: z.tuple([z.string(), z.string(), z.literal('finished_at')]),
  duration_ms: z.tuple([z.number(), z.string(), z.literal('duration_ms')]),
} as const;

export const listExecutions = defineQuery({
  name: 'list_executions',
  permission: 'read',
  description: 'Executions by time of request, of end, or by duration, filtered.',
  input: listInput,
  read: async (deps, input, patterns) => {
    const { sort } = input;
    const direction = input.order === 'newest' || input.order === 'desc' ? 'desc' : 'asc';
    const after = direction === 'desc' ? '<' : '>';
    const matching = await filtered(deps, input, patterns);
    if (matching === null) return { executions: [], next_cursor: null };
    let query = matching
      .selectAll()
      .orderBy(sort, direction)
      .orderBy('execution_id', direction)
      .limit(input.limit + 1);
    if (sort !== 'requested_at') query = query.where(sort, 'is not', null);
    if (input.cursor !== undefined) {
      const [at, id] = decodeCursor<readonly [string | number, string, ...unknown[]]>(input.cursor, SORT_KEYS[sort]);
      // The first condition says nothing new, but lets an index begin where the page before ended.
      query = query
        .where(sort, `${after}=`, at)
        .where((is) => is.or([is(sort, after, at), is('execution_id', after, id)]));
    }
    const page = pageOf(await query.execute(), input.limit, (row) => {
      return sort === 'requested_at' ? [row.requested_at, row.execution_id] : [row[sort], row.execution_id, sort];
    });
    const executions = await Promise.all(
      page.rows.map(async (row) => ({ ...executionSummary(row), input: await payload(deps.blobs, row.input) })),
    );
    return { executions, next_cursor: page.next_cursor };
  },
});

/** The executions that a filter means; null when its task is none. */
async function filtered(deps: QueryDeps, filter: ExecutionFilter, patterns: TaskPatterns | undefined) {
  const tasks = filter.task_id === undefined ? [] : await taskIds(deps, filter.task_id);
  if (filter.task_id !== undefined && tasks.length === 0) return null;
  const allowed = await allowedTaskIds(deps.db, patterns);
  let query = deps.db.selectFrom('executions');
  if (filter.status !== undefined) query = query.where('status', '=', filter.status);
  if (tasks.length > 0) query = query.where('task_id', 'in', [...tasks]);
  if (allowed !== null) query = query.where('task_id', 'in', [...allowed]);
  if (filter.batch_id !== undefined) {
    const ofBatch = deps.db.selectFrom('batch_items').select('execution_id').where('batch_id', '=', filter.batch_id);
    query = query.where('execution_id', 'in', ofBatch);
  }
  if (filter.since !== undefined) query = query.where('requested_at', '>=', new Date(filter.since).toISOString());
  if (filter.until !== undefined) query = query.where('requested_at', '<', new Date(filter.until).toISOString());
  for (const column of ['parent_id', 'original_execution', 'source', 'principal', 'fingerprint'] as const) {
    const wanted = filter[column];
    if (wanted !== undefined) query = query.where(column, '=', wanted);
  }
  return query;
}

/** @returns the ids of executions in one of these states that a filter means, oldest first, one more than `most` if there are. */
export async function matchingExecutions(
  deps: QueryDeps,
  filter: ExecutionFilter,
  states: readonly (typeof STATUSES)[number][],
  most: number,
  patterns?: TaskPatterns,
): Promise<readonly string[]> {
  const matching = await filtered(deps, filter, patterns);
  if (matching === null) return [];
  const rows = await matching
    .select('execution_id')
    .where('status', 'in', [...states])
    .orderBy('requested_at')
    .orderBy('execution_id')
    .limit(most + 1)
    .execute();
  return rows.map(({ execution_id }) => execution_id);
}

/** The ids of the tasks that a filter means; none for a name that nobody has. A condition on both columns would read every row. */
export async function taskIds({ db }: QueryDeps, nameOrId: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('tasks')
    .select('task_id')
    .where((is) => is.or([is('task_id', '=', nameOrId), is('name', '=', nameOrId)]))
    .execute();
  return rows.map(({ task_id }) => task_id);
}

/** An execution as lists tell it. */
export function executionSummary(row: ReadModels['executions']) {
  return {
    execution_id: row.execution_id,
    task_id: row.task_id,
    task_name: row.task_name,
    task_version: row.task_version,
    status: row.status,
    attempt: row.attempt,
    source: row.source,
    principal: row.principal,
    priority: row.priority,
    progress:
      row.progress === null
        ? null
        : { percent: Math.round(row.progress * 1000) / 10, step: row.progress_step, message: row.progress_message },
    error: errorOf(row),
    fingerprint: row.fingerprint,
    steps: row.steps,
    log_lines: row.log_lines,
    trace_id: row.trace_id,
    parent_id: row.parent_id,
    original_execution: row.original_execution,
    retry_reason: row.retry_reason,
    fork_step: row.fork_step,
    requested_at: row.requested_at,
    started_at: row.started_at,
    wait_until: row.wait_until,
    waiting_for: row.waiting_for,
    finished_at: row.finished_at,
    duration_ms: row.duration_ms,
  };
}

function errorOf(row: ReadModels['executions']) {
  if (row.error_code === null || row.error === null) return null;
  return explain(row.error_code, JSON.parse(row.error));
}

/** One execution by id. */
export const getExecution = defineQuery({
  name: 'get_execution_status',
  permission: 'read',
  description: 'Status, progress, result and error of one execution.',
  input: z.strictObject({ execution_id: z.string().min(1).max(64) }),
  read: (deps, input, patterns) =>
    orPlanned(deps, input.execution_id, patterns, async () => {
      const row = await executionRow(deps, input.execution_id);
      return toldExecution(deps, row, await openQuestions(deps, [row]));
    }),
});

/** An execution with all that is known of it. `questions` are those of any executions, this one among them. */
export async function toldExecution(deps: QueryDeps, row: ReadModels['executions'], questions: readonly Question[]) {
  const output: Json = row.output === null ? null : await payload(deps.blobs, row.output);
  const own = questions.filter(({ execution_id }) => execution_id === row.execution_id);
  return {
    ...executionSummary(row),
    input: await payload(deps.blobs, row.input),
    output,
    questions: own.map(({ step, question, schema, asked_at }) => ({ step, question, schema, asked_at })),
    metadata: stored(row.metadata),
    options: stored(row.options),
    session_id: row.session_id,
    client_info: row.client_info,
    worker: row.worker,
    mode: row.mode,
    trace_url: `/traces/${row.execution_id}`,
    logs_url: `/logs/${row.execution_id}`,
    position: row.position,
  };
}

interface Question {
  readonly execution_id: string;
  readonly step: string;
  readonly question: string;
  readonly schema: Json;
  readonly asked_at: string;
}

/** What these executions ask, and nobody has answered. */
export async function openQuestions(
  deps: QueryDeps,
  executions: readonly ReadModels['executions'][],
): Promise<readonly Question[]> {
  const alive = executions.filter(({ status }) => status === 'running' || status === 'waiting');
  if (alive.length === 0) return [];
  const rows = await deps.db
    .selectFrom('steps')
    .selectAll()
    .where(
      'execution_id',
      'in',
      alive.map(({ execution_id }) => execution_id),
    )
    .where('kind', '=', 'ask')
    .where('status', '=', 'asked')
    .orderBy('position')
    .execute();
  return Promise.all(
    rows.map(async ({ execution_id, path, request, started_at }) => {
      const asked = z.object({ question: z.string(), schema: z.json() }).parse(await payload(deps.blobs, request));
      return { execution_id, step: path, ...asked, asked_at: new Date(started_at).toISOString() };
    }),
  );
}

const compiled = new WeakMap<Kysely<ReadModels>, CompiledQuery<ReadModels['executions']>>();

/** Compiled once for a database: this is the query that clients ask again and again. */
function byId(db: Kysely<ReadModels>): CompiledQuery<ReadModels['executions']> {
  const known = compiled.get(db);
  if (known !== undefined) return known;
  const query = db.selectFrom('executions').selectAll().where('execution_id', '=', '').compile();
  compiled.set(db, query);
  return query;
}

/** Fails with `execution_not_found`. */
export async function executionRow(deps: QueryDeps, executionId: string): Promise<ReadModels['executions']> {
  const query: CompiledQuery<ReadModels['executions']> = { ...byId(deps.db), parameters: [executionId] };
  const [row] = (await deps.db.executeQuery(query)).rows;
  if (row !== undefined) return row;
  throw new RatchetError('execution_not_found', `there is no execution ${executionId}`, { details: { executionId } });
}

export const listSteps = defineQuery({
  name: 'list_steps',
  permission: 'read_traces',
  description: 'The journal of an execution: its steps with request and outcome, in stored order.',
  input: z.strictObject({
    execution_id: z.string().min(1).max(64),
    attempt: z.coerce.number().int().positive().optional(),
    limit: limit(100),
    cursor,
  }),
  read: async (deps, input) => {
    await executionRow(deps, input.execution_id);
    let query = deps.db
      .selectFrom('steps')
      .selectAll()
      .where('execution_id', '=', input.execution_id)
      .orderBy('position')
      .orderBy('path')
      .limit(input.limit + 1);
    if (input.attempt !== undefined) query = query.where('attempt', '=', input.attempt);
    if (input.cursor !== undefined) {
      const [position, path] = decodeCursor(input.cursor, keyForm);
      query = query.where((is) =>
        is.or([is('position', '>', position), is.and([is('position', '=', position), is('path', '>', path)])]),
      );
    }
    const page = pageOf(await query.execute(), input.limit, (row) => [row.position, row.path]);
    const steps = await Promise.all(page.rows.map((row) => toldStep(deps, row)));
    return { execution_id: input.execution_id, steps, next_cursor: page.next_cursor };
  },
});

/** A step as lists tell it. */
export async function toldStep(deps: QueryDeps, row: ReadModels['steps']) {
  return {
    attempt: row.attempt,
    path: row.path,
    kind: row.kind,
    name: row.name,
    status: row.status,
    request: await payload(deps.blobs, row.request),
    outcome: row.outcome === null ? null : await toldOutcome(deps, row.outcome),
    turn: row.turn,
    started_at: new Date(row.started_at).toISOString(),
    ended_at: row.ended_at === null ? null : new Date(row.ended_at).toISOString(),
    duration_ms: row.ended_at === null ? null : row.ended_at - row.started_at,
    position: row.position,
  };
}

/** The outcome of a step, from the text in which it is stored. */
export async function toldOutcome(deps: Pick<QueryDeps, 'blobs'>, text: string): Promise<Json> {
  const parsed = JSON.parse(text);
  return parsed.ok === true ? { ok: true, value: await deps.blobs.get(parsed.value) } : parsed;
}

/** Reads what belongs to many executions with one statement for all of them, so that a page costs no statement a row. */
import { sql } from 'kysely';
import type { ExecutionStatus } from '../src/domain/execution.ts';
import { LOG_LEVELS, type LogLevel } from '../src/domain/journal.ts';
import { executionSummary, openQuestions, toldExecution, toldStep } from './execution.ts';
import { encodeCursor, payload, type QueryDeps } from './query.ts';
import { replaySummary } from './replay.ts';
import { toldLine, toldSpan } from './telemetry.ts';

/** The first rows of each execution, and whether there are more. */
export interface First<Row> {
  readonly rows: readonly (Row & { readonly cursor: string })[];
  readonly hasMore: boolean;
}

export type ByExecution<Row> = ReadonlyMap<string, First<Row>>;

type Ids = readonly string[];

/** Executions with all that is known of them, by id. Those that are not there are left out. */
export async function executionsById(deps: QueryDeps, ids: Ids) {
  const rows = await deps.db
    .selectFrom('executions')
    .selectAll()
    .where('execution_id', 'in', [...ids])
    .execute();
  const questions = await openQuestions(deps, rows);
  const told = await Promise.all(rows.map((row) => toldExecution(deps, row, questions)));
  return new Map(told.map((execution) => [execution.execution_id, execution]));
}

/** Log lines of at least `level`, oldest first, `first` of each execution. */
export async function logsOf(
  { db }: QueryDeps,
  ids: Ids,
  { level, search, attempt, first }: { level: LogLevel; search: string | null; attempt: number | null; first: number },
) {
  let query = db
    .selectFrom('log_lines')
    .selectAll()
    .select(placeIn('execution_id', ['position', 'attempt', 'ordinal']).as('place'))
    .where('execution_id', 'in', [...ids])
    .where('severity', '>=', LOG_LEVELS.indexOf(level));
  if (attempt !== null) query = query.where('attempt', '=', attempt);
  if (search !== null) query = query.where('message', 'like', `%${search.replaceAll(/[%_]/g, '_')}%`);
  const rows = await db
    .selectFrom(query.as('numbered'))
    .selectAll()
    .where('place', '<=', first + 1)
    .orderBy('place')
    .execute();
  return grouped(
    rows,
    first,
    ({ execution_id }) => execution_id,
    (row) => ({
      ...toldLine(row),
      cursor: encodeCursor([row.position, row.attempt, row.ordinal]),
    }),
  );
}

/** The journal, `first` steps of each execution. */
export async function stepsOf(
  deps: QueryDeps,
  ids: Ids,
  { attempt, first }: { attempt: number | null; first: number },
) {
  let query = deps.db
    .selectFrom('steps')
    .selectAll()
    .select(placeIn('execution_id', ['position', 'path']).as('place'))
    .where('execution_id', 'in', [...ids]);
  if (attempt !== null) query = query.where('attempt', '=', attempt);
  const rows = await deps.db
    .selectFrom(query.as('numbered'))
    .selectAll()
    .where('place', '<=', first + 1)
    .orderBy('place')
    .execute();
  const told = await Promise.all(
    rows.map(async (row) => ({
      execution_id: row.execution_id,
      step: { ...(await toldStep(deps, row)), cursor: encodeCursor([row.position, row.path]) },
    })),
  );
  return grouped(
    told,
    first,
    ({ execution_id }) => execution_id,
    ({ step }) => step,
  );
}

/** Spans in the order in which they ended, `first` of each execution. */
export async function spansOf(
  { db }: QueryDeps,
  ids: Ids,
  { attempt, first }: { attempt: number | null; first: number },
) {
  let query = db
    .selectFrom('spans')
    .selectAll()
    .select(placeIn('execution_id', ['attempt', 'ordinal']).as('place'))
    .where('execution_id', 'in', [...ids]);
  if (attempt !== null) query = query.where('attempt', '=', attempt);
  const rows = await db
    .selectFrom(query.as('numbered'))
    .selectAll()
    .where('place', '<=', first + 1)
    .orderBy('place')
    .execute();
  return grouped(
    rows,
    first,
    ({ execution_id }) => execution_id,
    (row) => ({
      ...toldSpan(row),
      attempt: row.attempt,
      cursor: encodeCursor([row.attempt, row.ordinal]),
    }),
  );
}

/** Executions that belong to the same parent or task, the newest first, `first` of each. */
export async function executionsBy(
  deps: QueryDeps,
  column: 'parent_id' | 'task_id',
  values: Ids,
  { status, first }: { status: ExecutionStatus | null; first: number },
) {
  let query = deps.db
    .selectFrom('executions')
    .selectAll()
    .select(placeIn(column, ['requested_at desc', 'execution_id desc']).as('place'))
    .where(column, 'in', [...values]);
  if (status !== null) query = query.where('status', '=', status);
  const rows = await deps.db
    .selectFrom(query.as('numbered'))
    .selectAll()
    .where('place', '<=', first + 1)
    .orderBy('place')
    .execute();
  const told = await Promise.all(
    rows.map(async (row) => ({
      owner: row[column] ?? '',
      execution: {
        ...executionSummary(row),
        input: await payload(deps.blobs, row.input),
        cursor: encodeCursor([row.requested_at, row.execution_id]),
      },
    })),
  );
  return grouped(
    told,
    first,
    ({ owner }) => owner,
    ({ execution }) => execution,
  );
}

/** Replays of these executions, the newest first, `first` of each. */
export async function replaysOf({ db }: QueryDeps, ids: Ids, { first }: { first: number }) {
  const query = db
    .selectFrom('replays')
    .selectAll()
    .select(placeIn('execution_id', ['started_at desc', 'replay_id desc']).as('place'))
    .where('execution_id', 'in', [...ids]);
  const rows = await db
    .selectFrom(query.as('numbered'))
    .selectAll()
    .where('place', '<=', first + 1)
    .orderBy('place')
    .execute();
  return grouped(
    rows,
    first,
    ({ execution_id }) => execution_id,
    (row) => ({
      ...replaySummary(row),
      cursor: encodeCursor([row.started_at, row.replay_id]),
    }),
  );
}

/** Which one a row is among those with the same value in a column, from 1. */
function placeIn(column: string, order: readonly string[]) {
  return sql<number>`row_number() over (partition by ${sql.ref(column)} order by ${sql.raw(order.join(', '))})`;
}

function grouped<Row, Told extends { readonly cursor: string }>(
  rows: readonly Row[],
  first: number,
  idOf: (row: Row) => string,
  tell: (row: Row) => Told,
): ByExecution<Told> {
  const groups = Map.groupBy(rows, idOf);
  return new Map(
    [...groups].map(([id, own]) => [id, { rows: own.slice(0, first).map(tell), hasMore: own.length > first }]),
  );
}

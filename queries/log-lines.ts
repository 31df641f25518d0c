/** Reads the log lines of one execution for those who choose among them: in order, long texts by both ends. */
import { sql } from 'kysely';
import type { LogLevel } from '../src/domain/journal.ts';
import { LOG_LEVELS } from '../src/domain/journal.ts';
import type { QueryDeps } from './query.ts';

/** Most characters that are read of the beginning and of the end of a message, and of its fields. */
const HEAD = 3_000;
const TAIL = 1_000;
const FIELDS = 4_000;

/** A line of an execution; attempt and ordinal together name it. */
export interface ReadLine {
  readonly attempt: number;
  readonly ordinal: number;
  readonly level: LogLevel;
  /** Milliseconds since the epoch, by the clock of the execution. */
  readonly clock: number;
  /** The whole message, or its beginning when `tail` is there. */
  readonly head: string;
  /** The end of a message of which the middle was not read. */
  readonly tail: string | null;
  /** Characters of the whole message. */
  readonly length: number;
  /** JSON text; null without fields, and where they are too long. */
  readonly fields: string | null;
  /** Characters of that text; 0 without fields. */
  readonly fieldsLength: number;
}

export interface LinesWanted {
  readonly executionId: string;
  /** Least level. */
  readonly level: LogLevel;
  readonly search: string | null;
  readonly attempt: number | null;
  /** Only lines after, or before, this one. */
  readonly after?: LineKey;
  readonly before?: LineKey;
}

export type LineKey = Pick<ReadLine, 'attempt' | 'ordinal'>;

/** @returns at most `most` lines: the first of those wanted, or the last when only those before a line are wanted; oldest first. */
export async function readLines(deps: QueryDeps, wanted: LinesWanted, most: number): Promise<readonly ReadLine[]> {
  const direction = wanted.before === undefined ? 'asc' : 'desc';
  const rows = await matching(deps, wanted)
    .select(['attempt', 'ordinal', 'severity', 'clock'])
    .select([
      sql<string>`substr(message, 1, ${HEAD + TAIL})`.as('head'),
      sql<
        string | null
      >`case when length(message) > ${HEAD + TAIL} then substr(message, length(message) - ${TAIL - 1}) end`.as('tail'),
      sql<number>`length(message)`.as('length'),
      sql<string | null>`case when length(fields) <= ${FIELDS} then fields end`.as('fields'),
      sql<number>`coalesce(length(fields), 0)`.as('fields_length'),
    ])
    .orderBy('attempt', direction)
    .orderBy('ordinal', direction)
    .limit(most)
    .execute();
  const lines = rows.map(
    ({ attempt, ordinal, severity, clock, head, tail, length, fields, fields_length }): ReadLine => ({
      attempt,
      ordinal,
      level: LOG_LEVELS[severity] ?? 'info',
      clock,
      head: tail === null ? head : head.slice(0, HEAD),
      tail,
      length: Number(length),
      fields,
      fieldsLength: Number(fields_length),
    }),
  );
  return direction === 'asc' ? lines : lines.toReversed();
}

/** @returns how many lines of each level are wanted. */
export async function countLines(
  deps: QueryDeps,
  wanted: LinesWanted,
): Promise<Readonly<Partial<Record<LogLevel, number>>>> {
  const rows = await matching(deps, wanted)
    .select('severity')
    .select((is) => is.fn.countAll().as('count'))
    .groupBy('severity')
    .orderBy('severity')
    .execute();
  return Object.fromEntries(rows.map(({ severity, count }) => [LOG_LEVELS[severity] ?? 'info', Number(count)]));
}

function matching({ db }: QueryDeps, { executionId, level, search, attempt, after, before }: LinesWanted) {
  let query = db
    .selectFrom('log_lines')
    .where('execution_id', '=', executionId)
    .where('severity', '>=', LOG_LEVELS.indexOf(level));
  if (attempt !== null) query = query.where('attempt', '=', attempt);
  if (search !== null) query = query.where('message', 'like', `%${search.replaceAll(/[%_]/g, '_')}%`);
  if (after !== undefined) {
    query = query.where((is) =>
      is.or([
        is('attempt', '>', after.attempt),
        is.and([is('attempt', '=', after.attempt), is('ordinal', '>', after.ordinal)]),
      ]),
    );
  }
  if (before !== undefined) {
    query = query.where((is) =>
      is.or([
        is('attempt', '<', before.attempt),
        is.and([is('attempt', '=', before.attempt), is('ordinal', '<', before.ordinal)]),
      ]),
    );
  }
  return query;
}

/** Tells how executions go: how many, how long, and which tasks fail. */
import type { TaskPatterns } from '../src/domain/access.ts';
import { isoTime } from '../src/domain/time.ts';
import type { QueryDeps } from './query.ts';
import { allowedTaskIds } from './task-scope.ts';

/** More ended executions than this are not looked at; the newest are. */
export const MAX_COUNTED = 20_000;
const MAX_TASKS = 50;

interface Ended {
  readonly task_name: string;
  readonly status: string;
  readonly duration_ms: number;
}

/**
 * Executions as they stand now, and those that ended in a window of time.
 * @param since milliseconds since the epoch at which the window begins
 */
export async function executionStats({ db }: QueryDeps, since: number, patterns?: TaskPatterns) {
  const allowed = await allowedTaskIds(db, patterns);
  const visible = db
    .selectFrom('executions')
    .$if(allowed !== null, (is) => is.where('task_id', 'in', [...(allowed ?? [])]));
  const [open, rows] = await Promise.all([
    visible
      .select(['status', (of) => of.fn.countAll<number>().as('count')])
      .where('status', 'in', ['pending', 'running', 'waiting'])
      .groupBy('status')
      .execute(),
    visible
      .select(['task_name', 'status', 'duration_ms'])
      .where('finished_at', '>=', isoTime(since))
      .orderBy('finished_at', 'desc')
      .limit(MAX_COUNTED + 1)
      .execute(),
  ]);
  const ended = rows.slice(0, MAX_COUNTED).map((row): Ended => ({ ...row, duration_ms: row.duration_ms ?? 0 }));
  const openOf = (status: string): number => Number(open.find((row) => row.status === status)?.count ?? 0);
  return {
    executions: {
      pending: openOf('pending'),
      running: openOf('running'),
      waiting: openOf('waiting'),
      completed: countOf(ended, 'completed'),
      failed: countOf(ended, 'failed'),
      cancelled: countOf(ended, 'cancelled'),
    },
    durations_ms: durationsOf(ended),
    tasks: tasksOf(ended),
    /** Whether more ended in the window than were counted. */
    truncated: rows.length > MAX_COUNTED,
  };
}

function countOf(ended: readonly Ended[], status: string): number {
  return ended.reduce((count, row) => count + (row.status === status ? 1 : 0), 0);
}

/** Tasks with the most failures first. */
function tasksOf(ended: readonly Ended[]) {
  return [...Map.groupBy(ended, ({ task_name }) => task_name)]
    .map(([task, rows]) => {
      const failed = countOf(rows, 'failed');
      return { task, ended: rows.length, failed, failure_rate: failed / rows.length, durations_ms: durationsOf(rows) };
    })
    .toSorted((a, b) => b.failed - a.failed || b.ended - a.ended || (a.task < b.task ? -1 : 1))
    .slice(0, MAX_TASKS);
}

/** Percentiles by nearest rank; null where nothing has ended. */
function durationsOf(ended: readonly Ended[]) {
  const sorted = ended.map(({ duration_ms }) => duration_ms).toSorted((a, b) => a - b);
  const at = (share: number): number | null => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: sorted.at(-1) ?? null };
}

/** What stands in the way of deleting a task: executions that run, and what will ask for more of them. */
import type { QueryDeps } from './query.ts';

/** Names or ids that are told of each kind. */
const MAX_TOLD = 10;

export interface TaskUses {
  /** Executions that have not ended. */
  readonly executions: readonly string[];
  /** Names of schedules that are not deleted. */
  readonly schedules: readonly string[];
  /** Batches with items that have not ended. */
  readonly batches: readonly string[];
}

/** @returns what uses the task, at most {@link MAX_TOLD} of each kind. */
export async function usesOfTask({ db }: Pick<QueryDeps, 'db'>, taskId: string): Promise<TaskUses> {
  const [executions, schedules, batches] = await Promise.all([
    db
      .selectFrom('executions')
      .select('execution_id')
      .where('task_id', '=', taskId)
      .where('status', 'in', ['pending', 'running', 'waiting'])
      .orderBy('requested_at', 'desc')
      .limit(MAX_TOLD)
      .execute(),
    db
      .selectFrom('schedules')
      .select('name')
      .where('task_id', '=', taskId)
      .where('status', '!=', 'deleted')
      .orderBy('name')
      .limit(MAX_TOLD)
      .execute(),
    db
      .selectFrom('batch_items')
      .innerJoin('batches', 'batches.batch_id', 'batch_items.batch_id')
      .select('batches.batch_id')
      .distinct()
      .where('batch_items.task_id', '=', taskId)
      .where('batch_items.status', 'in', ['pending', 'running'])
      .where('batches.status', 'in', ['running', 'cancelling'])
      .limit(MAX_TOLD)
      .execute(),
  ]);
  return {
    executions: executions.map((row) => row.execution_id),
    schedules: schedules.map((row) => row.name),
    batches: batches.map((row) => row.batch_id),
  };
}

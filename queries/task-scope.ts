/** Which task something is about, and which rows and events a caller bound to task patterns may see. */
import type { Kysely } from 'kysely';
import type { ReadModels } from '../projections/read-models.ts';
import { isAllowedTask, isEveryTask, type TaskPatterns } from '../src/domain/access.ts';
import { batch } from '../src/domain/batch.ts';
import type { DeliveryEvent } from '../src/domain/delivery.ts';
import { RatchetError } from '../src/domain/errors.ts';
import { type Category, categoryOf, idOf, type StoredEvent, streamName } from '../src/domain/event.ts';
import type { ExecutionEvent } from '../src/domain/execution.ts';
import { decode, fold } from '../src/domain/history.ts';
import type { ReplayEvent } from '../src/domain/replay.ts';
import type { ScheduleEvent } from '../src/domain/schedule.ts';
import type { TaskEvent } from '../src/domain/task.ts';
import type { EventStore } from '../src/ports/event-store.ts';

/** More ids than this do not fit into one statement several times over. */
const MAX_IDS = 8_000;

/**
 * @returns the ids of the tasks that patterns allow, deleted ones included; null when they allow all.
 * Fails with `unsupported` when there are more than 8,000.
 */
export async function allowedTaskIds(
  db: Kysely<ReadModels>,
  patterns: TaskPatterns | undefined,
): Promise<readonly string[] | null> {
  if (patterns === undefined || isEveryTask(patterns)) return null;
  const rows = await db.selectFrom('tasks').select(['task_id', 'name']).execute();
  const ids = rows.filter(({ name }) => isAllowedTask(patterns, name)).map(({ task_id }) => task_id);
  if (ids.length <= MAX_IDS) return ids;
  throw new RatchetError('unsupported', `a caller with task patterns can list among at most ${MAX_IDS} tasks`, {
    details: { tasks: ids.length, most: MAX_IDS },
  });
}

/** @returns the names of all tasks that a name or id may mean to any reader; none when there is no such task. */
export async function namesMeant(db: Kysely<ReadModels>, nameOrId: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('tasks')
    .select('name')
    .where((is) => is.or([is('task_id', '=', nameOrId), is('name', '=', nameOrId), is('uuid', '=', nameOrId)]))
    .execute();
  return rows.map(({ name }) => name);
}

/** Streams whose first event tells the task; telemetry is told by its execution. */
const TOLD_BY: Readonly<Record<string, Category>> = {
  task: 'task',
  execution: 'execution',
  telemetry: 'execution',
  replay: 'replay',
  schedule: 'schedule',
  delivery: 'delivery',
};

/** @returns the name of the task that a stream is about; null for streams about none, and for those that do not exist. */
export async function taskOfStream(store: EventStore, stream: string): Promise<string | null> {
  const category = TOLD_BY[categoryOf(stream)];
  if (category === undefined) return null;
  const [first] = await store.readStream(streamName(category, idOf(stream)), { limit: 1 });
  const event =
    first === undefined
      ? undefined
      : decode<TaskEvent | ExecutionEvent | ReplayEvent | ScheduleEvent | DeliveryEvent>(first);
  switch (event?.type) {
    case 'TaskCreated':
      return event.data.name;
    case 'ExecutionRequested':
    case 'ReplayStarted':
    case 'ScheduleCreated':
    case 'DeliveryRequested':
      return event.data.task.name;
    default:
      return null;
  }
}

/** @returns the names of the tasks of a batch; none when there is no such batch. */
export async function tasksOfBatch(store: EventStore, batchId: string): Promise<readonly string[]> {
  const state = fold(batch, await store.readStream(streamName('batch', batchId), { limit: 1 }));
  return state.status === 'none' ? [] : [...new Set(state.request.items.map(({ task }) => task.name))];
}

const MAX_REMEMBERED = 10_000;

/** @returns what tells whether an event may be seen: with patterns that leave something out, only events about allowed tasks. */
export function eventSight(
  store: EventStore,
  patterns: TaskPatterns | undefined,
): (event: StoredEvent) => Promise<boolean> {
  if (patterns === undefined || isEveryTask(patterns)) return async () => true;
  const remembered = new Map<string, boolean>();
  return async ({ stream }) => {
    const known = remembered.get(stream);
    if (known !== undefined) return known;
    const name = await taskOfStream(store, stream);
    const isSeen = name !== null && isAllowedTask(patterns, name);
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(stream, isSeen);
    return isSeen;
  };
}

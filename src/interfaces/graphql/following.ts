/**
 * Follows the log for one subscriber: whichever process runs an execution, its events come here in their order, each once.
 * What comes next is read only when the subscriber asks for it, so that nothing piles up for a slow one.
 */
import { eventSight } from '../../../queries/task-scope.ts';
import { isEveryTask } from '../../domain/access.ts';
import { RatchetError } from '../../domain/errors.ts';
import { idOf, type Position, type StoredEvent, streamName } from '../../domain/event.ts';
import { TERMINAL_EVENT_TYPES } from '../../domain/execution.ts';
import type { EventFilter } from '../../ports/event-store.ts';
import { authorizeTasks } from '../operation.ts';
import { assertPosition } from '../problems.ts';
import type { GraphqlContext } from './context.ts';

export interface Following {
  /** Everything after it is told first; null: from now on. */
  readonly from: Position | null;
  readonly filter: EventFilter;
  /** Whose events only, until it ends; null: all. */
  readonly executionId: string | null;
}

const ENDS: ReadonlySet<string> = new Set(TERMINAL_EVENT_TYPES);
const MAX_POSITION = 64;

/** Fails with `execution_not_found`, `permission_denied`, or `invalid_request` for a position that is none. */
export async function follow(
  context: GraphqlContext,
  { from, filter, executionId }: Following,
): Promise<AsyncGenerator<StoredEvent, void>> {
  const { store } = context.core.query;
  context.isFromNow = from === null && context.resumeAfter === null;
  const after = context.resumeAfter ?? from ?? (await store.head());
  await assertPosition(store, after.slice(0, MAX_POSITION), 'from');
  if (executionId === null) return everything(context, after, filter);
  await authorizeTasks(context.core, context.options.caller, [{ kind: 'execution', id: executionId }], 'subscribe');
  const [first] = await store.readStream(streamName('execution', executionId), { limit: 1 });
  if (first === undefined) {
    throw new RatchetError('execution_not_found', `there is no execution ${executionId}`, { details: { executionId } });
  }
  if (await hasEndedBefore(context, executionId, after)) return nothing();
  return ofExecution(context, { first, after, filter });
}

/** An execution that ended in the past has nothing more to tell. */
async function hasEndedBefore(context: GraphqlContext, executionId: string, after: Position): Promise<boolean> {
  await context.caughtUp(after);
  const row = await context.executions.load(executionId, null);
  return row !== undefined && row.finished_at !== null && row.position <= after;
}

async function* nothing(): AsyncGenerator<StoredEvent, void> {}

async function* everything(
  { core, options, signal }: GraphqlContext,
  after: Position,
  filter: EventFilter,
): AsyncGenerator<StoredEvent, void> {
  const { tasks } = options.caller.principal;
  const isSeen = isEveryTask(tasks) ? null : eventSight(core.query.store, tasks);
  for await (const page of core.query.store.subscribe(after, filter, signal)) {
    for (const event of page.events) if (isSeen === null || (await isSeen(event))) yield event;
  }
}

interface OwnEvents {
  /** The first event of the execution: nothing of it stands before. */
  readonly first: StoredEvent;
  readonly after: Position;
  readonly filter: EventFilter;
}

async function* ofExecution(
  { core, signal }: GraphqlContext,
  { first, after, filter }: OwnEvents,
): AsyncGenerator<StoredEvent, void> {
  const types = new Set(filter.types);
  const id = idOf(first.stream);
  const isBefore = after < first.position;
  if (isBefore && types.has(first.type)) yield first;
  const wanted = { ...filter, types: [...new Set([...types, ...TERMINAL_EVENT_TYPES])] };
  for await (const page of core.query.store.subscribe(isBefore ? first.position : after, wanted, signal)) {
    for (const event of page.events) {
      if (idOf(event.stream) !== id) continue;
      if (types.has(event.type)) yield event;
      if (ENDS.has(event.type)) return;
    }
  }
}

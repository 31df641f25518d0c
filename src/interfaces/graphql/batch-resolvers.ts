/** What hangs on a batch, and what is told to those who follow one. */
import { encodeCursor } from '../../../queries/query.ts';
import { BATCH_EVENT_TYPES } from '../../domain/batch.ts';
import { RatchetError } from '../../domain/errors.ts';
import { idOf, type Position, streamName } from '../../domain/event.ts';
import { changeOf } from '../live-batch.ts';
import { authorizeTasks } from '../operation.ts';
import { assertPosition } from '../problems.ts';
import { connectionOf } from './connections.ts';
import type { GraphqlContext } from './context.ts';
import { executionById } from './execution-resolvers.ts';
import { ask } from './operation-resolvers.ts';
import { pageSize } from './page-arguments.ts';
import type { Resolver, Resolvers } from './resolver.ts';
import { numberOf, record, records, textOf } from './values.ts';

const MAX_POSITION = 64;

const items: Resolver = async ({ batch_id }, args, context) => {
  const after = textOf(args['after']);
  const asked = { batch_id, item_status: args['status'], limit: pageSize(args), cursor: after };
  const answer = record(await ask('get_batch', asked, context));
  return connectionOf(records(answer['items']), ({ ordinal }) => encodeCursor([numberOf(ordinal) ?? 0]), {
    hasMore: answer['next_cursor'] !== null,
    isAfter: after !== null,
  });
};

/** One that has not begun is not in the list of executions, but can be asked about. */
const execution: Resolver = async ({ execution_id }, _args, context) =>
  (await executionById(context, execution_id)) ?? ask('get_execution_status', { execution_id }, context);

const batchOf: Resolver = async ({ batch_id, position }, _args, context) => {
  await context.caughtUp(textOf(position) ?? undefined);
  return ask('get_batch', { batch_id }, context);
};

export const BATCH_RESOLVERS: Resolvers = {
  Batch: { items },
  BatchItem: { execution },
  BatchTicket: { batch: batchOf },
  BatchUpdate: { batch: batchOf },
};

const batchUpdated: Resolver = async (_source, { batchId, from }, context) => {
  context.authorize('read', 'batchUpdated');
  const id = String(batchId);
  const { store } = context.core.query;
  await authorizeTasks(context.core, context.options.caller, [{ kind: 'batch', id }], 'batchUpdated');
  const asked = textOf(from);
  if (asked !== null && asked.length > MAX_POSITION) throw new RatchetError('invalid_request', 'from: is no position');
  const after = asked ?? (await store.head());
  await assertPosition(store, after, 'from');
  const history = await store.readStream(streamName('batch', id));
  if (history.length === 0) {
    throw new RatchetError('batch_not_found', `there is no batch ${id}`, { details: { batchId: id } });
  }
  const end = history.find(({ type }) => type === 'BatchEnded');
  const hasEnded = end !== undefined && end.position <= after;
  return hasEnded ? nothing() : updates(context, id, after);
};

async function* nothing(): AsyncGenerator<object, void> {}

async function* updates({ core, signal }: GraphqlContext, id: string, after: Position): AsyncGenerator<object, void> {
  const filter = { categories: ['batch'], types: BATCH_EVENT_TYPES } as const;
  for await (const page of core.query.store.subscribe(after, filter, signal)) {
    for (const stored of page.events) {
      if (idOf(stored.stream) !== id) continue;
      const { position, occurredAt } = stored;
      yield { position, occurred_at: occurredAt, batch_id: id, ...changeOf(stored) };
      if (stored.type === 'BatchEnded') return;
    }
  }
}

export const BATCH_SUBSCRIPTIONS: Readonly<Record<string, Resolver>> = { batchUpdated };

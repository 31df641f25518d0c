import { afterAll, beforeAll, expect, it } from 'vitest';
import { type GraphqlServer, startGraphql } from '../support/graphql.ts';
import { stream, subscribe } from '../support/graphql-live.ts';
import { eventually } from '../support/server.ts';

let graphql: GraphqlServer;

beforeAll(async () => {
  graphql = await startGraphql();
  await graphql.task('asks', 'function main() { return ask("go on?"); }');
  await graphql.task('echo', 'function main(input) { return input; }');
});
afterAll(() => graphql[Symbol.asyncDispose]());

const TASKS = [
  { id: 'gate', task_id: 'asks', input: {} },
  { id: 'then', task_id: 'echo', input: { got: { $from: 'gate' } } },
];

interface Ticket {
  readonly batch_id: string;
  readonly items: readonly { readonly id: string; readonly execution_id: string }[];
}

async function request(): Promise<Ticket> {
  const { status, body } = await graphql.rest('POST', '/batches', { tasks: TASKS });
  expect(status).toBe(202);
  return { batch_id: String(body['batch_id']), items: body['items'] as Ticket['items'] };
}

async function openGate({ items }: Ticket): Promise<void> {
  const path = `/executions/${items[0]?.execution_id}`;
  await eventually('it asks', async () => {
    const { body } = await graphql.rest('GET', path);
    return (body['questions'] as unknown[]).length > 0 ? true : undefined;
  });
  await graphql.rest('POST', `${path}/answer`, { answer: 'yes' });
}

/** Every message of a stream over REST until it ends. */
async function messages(path: string, lastId: string | null = null) {
  const headers = { accept: 'text/event-stream', ...(lastId === null ? {} : { 'last-event-id': lastId }) };
  const response = await fetch(`${graphql.url}/api/v1${path}`, { headers });
  const told = { status: response.status, text: response.text() };
  return {
    status: told.status,
    all: async () =>
      [...(await told.text).matchAll(/^id: (.*)\nevent: (.*)\ndata: (.*)$/gm)].map(([, id = '', event, data = '']) => ({
        id,
        event,
        data: JSON.parse(data),
      })),
  };
}

it('a batch is requested, told and followed over GraphQL as over REST', async () => {
  const asked = await graphql.data(
    'mutation ($input: BatchExecuteInput!) { batchExecute(input: $input) { batchId status items { id executionId dependsOn } batch { total } } }',
    { input: { tasks: TASKS.map(({ task_id, ...task }) => ({ ...task, taskId: task_id })), maxParallel: 2 } },
  );
  const ticket = asked['batchExecute'] as { batchId: string; items: { id: string; executionId: string }[] };
  expect(ticket).toMatchObject({ status: 'running', batch: { total: 2 } });
  expect(ticket.items).toMatchObject([
    { id: 'gate', dependsOn: [] },
    { id: 'then', dependsOn: ['gate'] },
  ]);
  const query = `query ($id: ID!) { batch(batchId: $id) { status failFast maxParallel counts { pending completed }
    items(first: 1) { edges { cursor node { id status execution { status } } } pageInfo { hasNextPage } }
    waiting: items(status: pending) { edges { node { id execution { status waitingFor stepCount } } } } } }`;
  const { batch } = (await graphql.data(query, { id: ticket.batchId })) as { batch: Record<string, unknown> };
  expect(batch).toMatchObject({
    status: 'running',
    failFast: false,
    maxParallel: 2,
    items: { edges: [{ node: { id: 'gate' } }], pageInfo: { hasNextPage: true } },
    waiting: {
      edges: [{ node: { id: 'then', execution: { status: 'pending', waitingFor: 'batch', stepCount: 0 } } }],
    },
  });
  const ask = 'subscription ($id: ID!) { batchUpdated(batchId: $id, from: "") { type item status batch { status } } }';
  const heard = [subscribe, stream].map((open) => open(graphql.url, ask, { id: ticket.batchId }));
  await openGate({
    batch_id: ticket.batchId,
    items: ticket.items.map(({ id, executionId }) => ({ id, execution_id: executionId })),
  });
  for (const { completed, results, errors } of heard) {
    await completed;
    expect(errors).toEqual([]);
    expect(results).toMatchObject([
      { type: 'BatchRequested', item: null },
      { type: 'BatchItemStarted', item: 'gate', status: 'running' },
      { type: 'BatchItemEnded', item: 'gate', status: 'completed' },
      { type: 'BatchItemStarted', item: 'then', status: 'running' },
      { type: 'BatchItemEnded', item: 'then', status: 'completed' },
      { type: 'BatchEnded', item: null, batch: { status: 'completed' } },
    ]);
  }
  const list = '{ batches(first: 1) { edges { node { batchId progressPercent } } } }';
  expect(await graphql.data(list)).toMatchObject({
    batches: { edges: [{ node: { batchId: ticket.batchId, progressPercent: 100 } }] },
  });
});

it('a batch that is not there can not be followed', async () => {
  const heard = stream(graphql.url, 'subscription { batchUpdated(batchId: "nobody") { type } }');
  await heard.completed.catch(() => undefined);
  expect(heard.errors).toMatchObject([{ extensions: { code: 'batch_not_found' } }]);
});

it('a batch tells how far it is as server-sent events, until it ends, and a client that knows the end hears no more', async () => {
  const ticket = await request();
  const path = `/batches/${ticket.batch_id}`;
  const live = await messages(path);
  expect(live.status).toBe(200);
  await openGate(ticket);
  const told = await live.all();
  expect(told[0]).toMatchObject({ event: 'status', data: { batch_id: ticket.batch_id, status: 'running' } });
  const changes = told.filter(({ event }) => event === 'change').flatMap(({ data }) => data.changes);
  expect(changes).toContainEqual({
    type: 'BatchItemEnded',
    item: 'then',
    execution_id: ticket.items[1]?.execution_id,
    status: 'completed',
  });
  expect(told.at(-1)).toMatchObject({ event: 'end', data: { batch_id: ticket.batch_id, status: 'completed' } });
  expect((await messages(path, told.at(-1)?.id ?? '')).status).toBe(204);
  expect((await (await messages(path)).all()).map(({ event }) => event)).toEqual(['status', 'end']);
});

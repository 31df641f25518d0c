/** Every operation is a field, and answers and refuses over GraphQL as it does over REST. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERRORS } from '../../../src/domain/errors.ts';
import { mutationFieldOf, queryFieldOf } from '../../../src/interfaces/graphql/operation-fields.ts';
import { schemaOf } from '../../../src/interfaces/graphql/schema.ts';
import { OPERATIONS } from '../../../src/interfaces/operations.ts';
import { type GraphqlServer, startGraphql } from '../../support/graphql.ts';

let graphql: GraphqlServer;
let executionId: string;
let failedId: string;
beforeAll(async () => {
  graphql = await startGraphql();
  await graphql.task(
    'echo',
    'function main(input) { console.info("seen", { input }); console.debug("more"); return input; }',
  );
  await graphql.task('failing', 'function main() { throw new TypeError("no luck"); }');
  executionId = await graphql.run('echo', { n: 1 });
  failedId = await graphql.run('failing');
});
afterAll(() => graphql[Symbol.asyncDispose]());

describe('every operation', () => {
  const schema = schemaOf();
  it.each(OPERATIONS.map(({ name, kind }) => ({ name, kind })))('$name is a field', (operation) => {
    const query = queryFieldOf(operation);
    const mutation = mutationFieldOf(operation);
    if (operation.kind === 'query') {
      expect(schema.getQueryType()?.getFields()).toHaveProperty(query?.field ?? '');
      expect(mutation).toBeNull();
    } else {
      expect(schema.getMutationType()?.getFields()).toHaveProperty(mutation?.field ?? '');
    }
  });
  it('has a field of its own', () => {
    for (const fieldOf of [queryFieldOf, mutationFieldOf]) {
      const names = OPERATIONS.flatMap((operation) => fieldOf(operation)?.field ?? []);
      expect(new Set(names).size).toBe(names.length);
    }
  });
});

type Told = Readonly<Record<string, unknown>>;

/** Names as GraphQL has them, in what is not free JSON. */
function camel(
  value: unknown,
  free: readonly string[] = [
    'input',
    'output',
    'metadata',
    'options',
    'data',
    'attributes',
    'context',
    'details',
    'request',
    'outcome',
  ],
): unknown {
  if (Array.isArray(value)) return value.map((item) => camel(item, free));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      free.includes(key) ? inner : camel(inner, free),
    ]),
  );
}

describe('answers', () => {
  it('tell an execution as REST does', async () => {
    const { body } = await graphql.rest('GET', `/executions/${executionId}`);
    const { steps: stepCount, logLines: logLineCount, ...rest } = camel(body) as Told;
    const fields = Object.keys(rest)
      .filter((name) => !['progress', 'error', 'questions'].includes(name))
      .join(' ');
    const data = await graphql.data(
      `query ($id: ID!) { execution(executionId: $id) { ${fields} stepCount logLineCount progress { percent } error { message } questions { step } } }`,
      { id: executionId },
    );
    expect(data['execution']).toEqual({ ...rest, stepCount, logLineCount });
  });

  it('tell lists as REST does, page by page', async () => {
    for (let count = 0; count < 4; count += 1) await graphql.run('echo', { count });
    const { body } = await graphql.rest('GET', '/executions?limit=100');
    const all = (body['executions'] as Told[]).map((row) => row['execution_id']);
    const query =
      'query ($after: String) { executions(first: 2, after: $after) { edges { cursor node { executionId } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }';
    const found: unknown[] = [];
    let after: unknown = null;
    for (;;) {
      const { executions } = (await graphql.data(query, { after })) as {
        executions: { edges: { cursor: string; node: Told }[]; pageInfo: Told };
      };
      const { edges, pageInfo } = executions;
      found.push(...edges.map(({ node }) => node['executionId']));
      expect(pageInfo).toMatchObject({
        startCursor: edges[0]?.cursor,
        endCursor: edges.at(-1)?.cursor,
        hasPreviousPage: after !== null,
      });
      if (pageInfo['hasNextPage'] !== true) break;
      after = pageInfo['endCursor'];
    }
    expect(found).toEqual(all);
  });

  it.each([
    ['tasks', '/tasks?limit=1&sort=updated_at', 'tasks(first: 1, sort: updated_at)', 'name'],
    ['executions', '/executions?limit=1&sort=duration_ms', 'executions(first: 1, sort: duration_ms)', 'executionId'],
    ['executions', '/executions?limit=1', 'executions(first: 1)', 'executionId'],
    ['auditTrail', '/audit?limit=1', 'auditTrail(first: 1)', 'position'],
  ])('%s: a cursor is the one that REST gives (%s)', async (field, path, asked, name) => {
    const { body } = await graphql.rest('GET', path);
    const data = await graphql.data(`{ ${asked} { edges { cursor node { ${name} } } } }`);
    expect(body['next_cursor']).not.toBeNull();
    const { edges } = data[field] as { edges: { cursor: string }[] };
    expect(edges[0]?.cursor).toBe(body['next_cursor']);
  });

  it('hold logs, steps, spans, trace, task and failure below an execution', async () => {
    const data = await graphql.data(
      `query ($id: ID!, $failed: ID!) {
        execution(executionId: $id) {
          logs(level: info) { edges { node { level message context } } }
          steps { edges { node { path } } pageInfo { hasNextPage } }
          spans { name spanId } trace { traceId spans criticalPath } children { edges { node { status } } }
          task { name code inputSchema executions(first: 1) { edges { node { taskName } } } versions { edges { node { version } } } }
        }
        failed: execution(executionId: $failed) { error { errorType message suggestions } analysis replays { edges { node { mode } } } }
        failures { fingerprint count }
        position
        health { status version }
      }`,
      { id: executionId, failed: failedId },
    );
    expect(data).toMatchObject({
      execution: {
        logs: { edges: [{ node: { level: 'info', message: 'seen', context: { input: { n: 1 } } } }] },
        steps: { edges: [], pageInfo: { hasNextPage: false } },
        spans: [{ name: expect.any(String) }],
        task: {
          name: 'echo',
          code: expect.stringContaining('main'),
          inputSchema: true,
          versions: { edges: [{ node: { version: 1 } }] },
        },
      },
      failed: { error: { errorType: 'TypeError', message: 'no luck' }, analysis: { kind: expect.any(String) } },
      failures: [{ count: 1 }],
      position: expect.any(String),
      health: { status: 'ok', version: '1.2.3' },
    });
  });

  it('include what the same request has just stored', async () => {
    const data = await graphql.data(
      `mutation ($input: JSON) {
        createTask(input: { name: "made", code: "function main(i) { return i; }" }) { name task { name status code } }
        executeTask(input: { taskId: "made", input: $input }) { status output execution { status output logs { edges { node { message } } } } }
      }`,
      { input: { deep: [{ a_b: 1 }] } },
    );
    expect(data).toMatchObject({
      createTask: { name: 'made', task: { name: 'made', status: 'enabled', code: 'function main(i) { return i; }' } },
      executeTask: {
        status: 'completed',
        output: { deep: [{ a_b: 1 }] },
        execution: { status: 'completed', output: { deep: [{ a_b: 1 }] } },
      },
    });
  });

  it('take a key for repeated commands, as the header of REST', async () => {
    const query = 'mutation { createExecution(input: { taskId: "echo", input: {} }) { executionId created } }';
    const key = { 'idempotency-key': 'graphql-once' };
    const [first, second] = [await graphql.ask(query, {}, key), await graphql.ask(query, {}, key)];
    const { body } = await graphql.rest('POST', '/executions', { task_id: 'echo', input: {} }, key);
    const idOf = (answer: typeof first) => (answer.data?.['createExecution'] as Told | undefined)?.['executionId'];
    expect(idOf(second)).toBe(idOf(first));
    expect(body['execution_id']).toBe(idOf(first));
  });
});

describe('refusals', () => {
  const cases: readonly (readonly [string, () => Promise<{ body: Told }>, string])[] = [
    [
      'an execution that is not there',
      () => graphql.rest('GET', '/executions/nowhere'),
      '{ execution(executionId: "nowhere") { status } }',
    ],
    ['a task that is not there', () => graphql.rest('GET', '/tasks/nowhere'), '{ task(taskId: "nowhere") { name } }'],
    [
      'a bad cursor',
      () => graphql.rest('GET', '/executions?cursor=x'),
      '{ executions(after: "x") { edges { cursor } } }',
    ],
    [
      'too many rows',
      () => graphql.rest('GET', '/executions?limit=1001'),
      '{ executions(first: 1001) { pageInfo { endCursor } } }',
    ],
    [
      'a task to run that is not there',
      () => graphql.rest('POST', '/tasks/execute', { task_id: 'nowhere', input: {} }),
      'mutation { executeTask(input: { taskId: "nowhere", input: {} }) { status } }',
    ],
    [
      'no input',
      () => graphql.rest('POST', '/tasks/execute', { task_id: 'echo' }),
      'mutation { executeTask(input: { taskId: "echo" }) { status } }',
    ],
    [
      'code that does not parse',
      () => graphql.rest('POST', '/tasks', { name: 'x', code: 'function (' }),
      'mutation { createTask(input: { name: "x", code: "function (" }) { name } }',
    ],
    [
      'a name twice',
      () => graphql.rest('POST', '/tasks', { name: 'echo', code: 'function main() { return 2; }' }),
      'mutation { createTask(input: { name: "echo", code: "function main() { return 2; }" }) { name } }',
    ],
    [
      'an end that has been',
      () => graphql.rest('POST', `/executions/${executionId}/cancel`),
      `mutation ($id: ID!) { cancelExecution(input: { executionId: $id }) { status } }`,
    ],
    [
      'no failure',
      () => graphql.rest('GET', `/executions/${executionId}/analysis`),
      'query ($id: ID!) { analyzeExecutionError(executionId: $id) }',
    ],
    ['no replay', () => graphql.rest('GET', '/replays/nowhere'), '{ replay(replayId: "nowhere") { status } }'],
    [
      'a position that is none',
      () => graphql.rest('GET', '/events?after=x'),
      '{ events(after: "x") { pageInfo { endCursor } } }',
    ],
  ];
  it.each(cases)('of %s have the code that REST gives', async (_, viaRest, query) => {
    const { body } = await viaRest();
    const { errors } = await graphql.ask(query, query.includes('$id') ? { id: executionId } : {});
    expect(Object.keys(ERRORS)).toContain(body['code']);
    expect(errors?.[0]?.extensions).toMatchObject({ code: body['code'], remedy: body['remedy'] });
  });

  it('name a field as the caller knows it', async () => {
    const { errors } = await graphql.ask(
      'mutation { executeTask(input: { taskId: "", input: {}, waitSeconds: 99 }) { status } }',
    );
    const problems = [{ field: 'taskId' }, { field: 'waitSeconds' }];
    expect(errors).toMatchObject([{ extensions: { details: { problems } } }]);
    const paged = await graphql.ask('{ executions(first: 0) { edges { cursor } } }');
    expect(paged.errors?.[0]?.message).toMatch(/^first: /);
  });
});

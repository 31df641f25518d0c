/** What a caller may not see over REST is not seen over GraphQL, however deep it hangs. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type GraphqlServer, startGraphql } from '../../support/graphql.ts';
import { stream } from '../../support/graphql-live.ts';

let graphql: GraphqlServer;
let executionId: string;
beforeAll(async () => {
  graphql = await startGraphql();
  await graphql.task('secret/inner', 'function main(n) { console.log("hidden", n); return n; }');
  await graphql.task(
    'open/outer',
    'async function main() { console.log("shown"); return runTask("secret/inner", 1); }',
  );
  executionId = await graphql.run('open/outer');
});
afterAll(() => graphql[Symbol.asyncDispose]());

async function keyWith(permissions: string, allowed: readonly string[]): Promise<Record<string, string>> {
  const { createKey } = await graphql.data(
    `mutation ($name: String!, $allowed: [String!]) { createKey(input: { name: $name, ${permissions}, allowedTaskPatterns: $allowed }) }`,
    { name: `key-${Math.random()}`, allowed },
  );
  return { 'x-api-key': (createKey as { key: string }).key };
}

it('tasks that the patterns of a key leave out are in no list, no nested field and no subscription', async () => {
  const key = await keyWith('role: reader', ['open/*']);
  const { data, errors } = await graphql.ask(
    `query ($id: ID!) {
      tasks { edges { node { name } } }
      executions { edges { node { taskName } } }
      execution(executionId: $id) { taskName children { edges { node { taskName } } } logs { edges { node { message } } } }
    }`,
    { id: executionId },
    key,
  );
  expect(errors).toBeUndefined();
  expect(data).toEqual({
    tasks: { edges: [{ node: { name: 'open/outer' } }] },
    executions: { edges: [{ node: { taskName: 'open/outer' } }] },
    execution: { taskName: 'open/outer', children: { edges: [] }, logs: { edges: [{ node: { message: 'shown' } }] } },
  });
  const heard = stream(graphql.url, 'subscription { events(from: "", types: ["LogLineWritten"]) { data } }', {}, key);
  await heard.until('its own line', (event) => event.data.message === 'shown');
  expect(heard.results.map((event) => event.data.message)).toEqual(['shown']);
  await heard.stop();
});

it('a right that is missing is missing below an execution, too', async () => {
  const key = await keyWith('permissions: [read]', ['*']);
  const query =
    'query ($id: ID!) { execution(executionId: $id) { status logs { edges { cursor } } steps { edges { cursor } } } }';
  const { errors } = await graphql.ask(query, { id: executionId }, key);
  expect(errors?.map(({ extensions, message }) => [extensions['code'], message])).toEqual(
    expect.arrayContaining([['permission_denied', 'Permission denied: Cannot read logs']]),
  );
  const heard = stream(
    graphql.url,
    'subscription ($id: ID!) { executionLogs(executionId: $id) { position } }',
    { id: executionId },
    key,
  );
  await heard.completed;
  expect(heard.errors).toMatchObject([{ extensions: { code: 'permission_denied' } }]);
});

it('a caller whom nobody knows gets no answer at all', async () => {
  const { errors, data } = await graphql.ask('{ __typename }', {}, { 'x-forwarded-for': '203.0.113.9' });
  expect([data, errors?.[0]?.extensions['code']]).toEqual([undefined, 'unauthenticated']);
});

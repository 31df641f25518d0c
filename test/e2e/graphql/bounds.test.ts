/** What one request may cost: statements, levels, rows, aliases; and what is told about the schema. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type GraphqlServer, startGraphql } from '../../support/graphql.ts';

let graphql: GraphqlServer;
let closed: GraphqlServer;
beforeAll(async () => {
  [graphql, closed] = await Promise.all([startGraphql(), startGraphql({ introspection: false, playground: false })]);
  await graphql.task('inner', 'function main(n) { console.log("inner", n); return n; }');
  await graphql.task(
    'outer',
    'async function main({ n }) { console.log("one"); console.log("two"); return runTask("inner", n); }',
  );
  await Promise.all(Array.from({ length: 26 }, (_, n) => graphql.run('outer', { n })));
});
afterAll(() => Promise.all([graphql[Symbol.asyncDispose](), closed[Symbol.asyncDispose]()]));

const PAGE = `query ($first: Int!, $logs: Int!) {
  executions(first: $first) {
    edges { node {
      executionId output
      task { name code }
      logs(first: $logs) { edges { node { message } } }
      spans(first: 20) { name }
      steps(first: 5) { edges { node { kind name } } }
      parent { executionId }
      children(first: 2) { edges { node { executionId } } }
      replays(first: 2) { edges { node { replayId } } }
    } }
  }
}`;

async function statementsOf(variables: object): Promise<{ count: number; nodes: readonly Record<string, unknown>[] }> {
  const executor = graphql.server.app.core.query.db.getExecutor();
  const spy = vi.spyOn(executor, 'executeQuery');
  try {
    const { executions } = (await graphql.data(PAGE, variables)) as {
      executions: { edges: { node: Record<string, unknown> }[] };
    };
    return { count: spy.mock.calls.length, nodes: executions.edges.map(({ node }) => node) };
  } finally {
    spy.mockRestore();
  }
}

describe('statements', () => {
  it('of a page of 50 executions with all that hangs on them are as few as of a page of one', async () => {
    const few = await statementsOf({ first: 1, logs: 5 });
    const many = await statementsOf({ first: 50, logs: 5 });
    expect(many.nodes).toHaveLength(50);
    expect(many.count).toBeLessThanOrEqual(12);
    expect(many.count - few.count).toBeLessThanOrEqual(2);
    const outer = many.nodes.filter(({ task }) => (task as { name: string }).name === 'outer');
    for (const node of outer) {
      const child = { edges: [{ node: { executionId: expect.any(String) } }] };
      expect(node).toMatchObject({
        logs: { edges: [{ node: { message: 'one' } }, { node: { message: 'two' } }] },
        children: child,
      });
      expect(node['spans']).not.toHaveLength(0);
      expect(node['steps']).toMatchObject({ edges: [{ node: { kind: 'task', name: 'inner' } }] });
    }
    const inner = many.nodes.find(({ parent }) => parent !== null);
    expect(inner).toMatchObject({ logs: { edges: [{ node: { message: expect.stringMatching(/^inner \d+$/) } }] } });
  });
});

const nested = (levels: number): string =>
  '{ execution(executionId: "x") '.concat('{ parent '.repeat(levels), '{ executionId }', ' }'.repeat(levels), ' }');
const aliases = (count: number): string =>
  `{ execution(executionId: "x") { ${Array.from({ length: count }, (_, n) => `a${n}: status`).join(' ')} } }`;
const roots = (count: number): string => `{ ${Array.from({ length: count }, () => 'position').join(' ')} }`;
const bomb = `{ execution(executionId: "x") { ...F0 } } ${Array.from({ length: 20 }, (_, n) => `fragment F${n} on Execution { parent { ...F${n + 1} } original { ...F${n + 1} } }`).join(' ')} fragment F20 on Execution { status }`;

describe('a document', () => {
  it.each([
    ['with 12 levels', nested(10), null],
    ['with 13 levels', nested(11), 'levels of fields'],
    ['with 30 aliases', aliases(30), null],
    ['with 31 aliases', aliases(31), 'aliases'],
    ['with 30 fields at its root', roots(30), null],
    ['with 31 fields at its root', roots(31), 'fields at its root'],
    ['whose fragments double at each level', bomb, 'objects to tell'],
    [
      'whose fragment contains itself',
      '{ execution(executionId: "x") { ...F } } fragment F on Execution { parent { ...F } }',
      'levels of fields',
    ],
    [
      'with pages of pages',
      '{ executions(first: 100) { edges { node { logs(first: 100) { edges { node { message } } } } } } }',
      'objects to tell',
    ],
    [
      'that analyses every row of a page',
      '{ executions(first: 60) { edges { node { analysis } } } }',
      'objects to tell',
    ],
    ['whose brackets open and never close', '{ a '.repeat(2_000), 'levels of brackets'],
    ['whose lists are nested beyond any use', `{ task(taskId: ${'['.repeat(2_000)}`, 'levels of brackets'],
    ['that is too long', `# ${'x'.repeat(100_000)}\n{ position }`, 'characters'],
  ])('%s', async (_, query, limit) => {
    const { errors } = await graphql.ask(query);
    const refused = errors?.find(({ extensions }) => extensions['code'] === 'query_too_complex');
    expect(refused?.extensions['details'] ?? null).toEqual(
      limit === null ? null : expect.objectContaining({ limit: expect.any(String) }),
    );
    const said = (errors ?? []).map(
      ({ extensions }) => (extensions['details'] as { limit?: string } | undefined)?.limit,
    );
    if (limit !== null) expect(said).toContain(limit);
  });

  it('asks for as many rows as its variables say', async () => {
    const { errors } = await graphql.ask(PAGE, { first: 50, logs: 1_000 });
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'query_too_complex', details: { limit: 'objects to tell' } });
  });

  it('with more words than any query needs is refused', async () => {
    const { errors } = await graphql.ask(`{ ${'position '.repeat(6_000)} }`);
    expect(errors?.[0]).toMatchObject({
      message: expect.stringContaining('token'),
      extensions: { code: 'invalid_request' },
    });
  });
});

describe('the schema', () => {
  const asked = '{ __schema { queryType { name } } __type(name: "Task") { name } }';
  it('is told where introspection is on', async () => {
    expect(await graphql.data(asked)).toEqual({ __schema: { queryType: { name: 'Query' } }, __type: { name: 'Task' } });
  });
  it('is not told where it is off, not even by hints', async () => {
    const { data, errors } = await closed.ask(asked);
    expect(data).toBeUndefined();
    expect(errors?.every(({ message }) => message.includes('introspection'))).toBe(true);
    const typo = await closed.ask('{ executoin(executionId: "x") { status } }');
    expect(typo.errors?.[0]?.message).toBe('Cannot query field "executoin" on type "Query".');
    expect(await closed.data('{ __typename }')).toEqual({ __typename: 'Query' });
  });
});

describe('the page to try queries on', () => {
  const page = (url: string) => fetch(`${url}/graphql`, { headers: { accept: 'text/html,application/xhtml+xml' } });
  it('loads nothing from elsewhere, and its policy lets in exactly its own script and style', async () => {
    const response = await page(graphql.url);
    const text = await response.text();
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    const policy = response.headers.get('content-security-policy') ?? '';
    for (const part of ['script', 'style']) {
      const inline = new RegExp(`<${part}>([^]*?)</${part}>`).exec(text)?.[1] ?? '';
      expect(policy).toContain(`'sha256-${createHash('sha256').update(inline).digest('base64')}'`);
    }
    expect(policy).toContain("default-src 'none'");
    expect(text).not.toMatch(/(?:src|href|action)=|https?:\/\/|@import|url\(/);
  });
  it('is not there where it is switched off', async () => {
    expect((await page(closed.url)).status).toBe(406);
  });
});

it('nothing of it is there where GraphQL is switched off', async () => {
  const { startServer } = await import('../../../src/cli/serve.ts');
  const { TEST_SETTINGS } = await import('../../support/app.ts');
  const listener = {
    host: '127.0.0.1',
    port: 0,
    restPrefix: '/api/v1',
    maxRequestBytes: 1_000,
    requestTimeoutMs: 1_000,
    keepAliveMs: 1_000,
    version: '1',
  };
  const server = await startServer(TEST_SETTINGS, listener);
  const sent = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"query":"{ position }"}',
  });
  expect(sent.status).toBe(404);
  await server.close();
});

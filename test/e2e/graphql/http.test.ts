/** GraphQL over HTTP as its specification says: media types, statuses, methods, and what is refused before GraphQL sees it. */
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GraphqlServer, startGraphql } from '../../support/graphql.ts';

let graphql: GraphqlServer;
beforeAll(async () => {
  graphql = await startGraphql();
});
afterAll(() => graphql[Symbol.asyncDispose]());

const MODERN = 'application/graphql-response+json';
const LEGACY = 'application/json';
const GOOD = { query: '{ __typename }' };

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

/** Sends exactly these headers: `fetch` adds some of its own. */
function send({ method = 'POST', path = '/graphql', headers = {}, body }: Sent): Promise<Got> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(`${graphql.url}${path}`, { method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        const isJson = response.headers['content-type']?.includes('json') === true;
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: isJson ? JSON.parse(text) : {},
        });
      });
    });
    sent.on('error', reject).end(body);
  });
}

const post = (body: unknown, accept: string | null = LEGACY, more: Record<string, string> = {}) =>
  send({
    headers: { 'content-type': 'application/json', ...(accept === null ? {} : { accept }), ...more },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const get = (parameters: Record<string, string>, accept: string | null = MODERN) =>
  send({
    method: 'GET',
    path: `/graphql?${new URLSearchParams(parameters).toString()}`,
    headers: accept === null ? {} : { accept },
  });

describe('the media type of an answer', () => {
  it.each([
    [MODERN, MODERN],
    [LEGACY, LEGACY],
    ['*/*', LEGACY],
    ['application/*', LEGACY],
    [null, MODERN],
    [`${MODERN}; charset=utf-8, ${LEGACY}; charset=utf-8`, MODERN],
    [`${LEGACY}, ${MODERN}`, LEGACY],
    [`${LEGACY};q=0.5, ${MODERN}`, MODERN],
    [`${MODERN};q=0.1, ${LEGACY};q=0.2`, LEGACY],
    [`text/plain, ${MODERN}`, MODERN],
    [`*/*;q=0.1, ${MODERN}`, MODERN],
    [`${LEGACY};q=0, */*`, MODERN],
  ])('for Accept %s is %s', async (accept, type) => {
    const { status, headers, json } = await post(GOOD, accept);
    expect([status, headers['content-type']]).toEqual([200, `${type}; charset=utf-8`]);
    expect(json).toEqual({ data: { __typename: 'Query' } });
  });

  it.each(['text/plain', 'image/png, text/html', `${LEGACY}; charset=iso-8859-1`])(
    'is refused with 406 where none is accepted: %s',
    async (accept) => {
      const { status, json } = await post(GOOD, accept);
      expect(status).toBe(406);
      expect(json).toMatchObject({ errors: [{ extensions: { code: 'not_acceptable' } }] });
    },
  );
});

describe('the status of an answer', () => {
  const cases: readonly (readonly [string, unknown, number, number])[] = [
    ['a good request', GOOD, 200, 200],
    ['null for optional parameters', { ...GOOD, variables: null, operationName: null, extensions: null }, 200, 200],
    ['maps for variables and extensions', { ...GOOD, variables: { a: 1 }, extensions: { b: 2 } }, 200, 200],
    ['an operation by name', { query: 'query A { __typename } query B { __typename }', operationName: 'B' }, 200, 200],
    ['another parameter that nobody knows', { ...GOOD, more: 1 }, 200, 200],
    ['text that is no JSON', '{ "not a JSON', 400, 400],
    ['an empty body', '', 400, 400],
    ['no query', { qeury: '{ __typename }' }, 400, 400],
    ...[{ an: 'object' }, 0, false, ['list'], null].map(
      (query) => [`query ${JSON.stringify(query)}`, { query }, 400, 400] as const,
    ),
    ...[{ an: 'object' }, 0, false, ['list']].map(
      (operationName) =>
        [`operationName ${JSON.stringify(operationName)}`, { ...GOOD, operationName }, 400, 400] as const,
    ),
    ...['text', 0, false, ['list']].map(
      (variables) => [`variables ${JSON.stringify(variables)}`, { ...GOOD, variables }, 400, 400] as const,
    ),
    ...['text', 0, false, ['list']].map(
      (extensions) => [`extensions ${JSON.stringify(extensions)}`, { ...GOOD, extensions }, 400, 400] as const,
    ),
    ['a list of requests', [GOOD, GOOD], 400, 400],
    ['a document that can not be parsed', { query: '{' }, 200, 400],
    ['a document that is not valid', { query: '{ nothing }' }, 200, 400],
    ['no operation of that name', { ...GOOD, operationName: 'B' }, 200, 400],
    ['several operations and no name', { query: 'query A { __typename } query B { __typename }' }, 200, 400],
    [
      'variables of another kind',
      { query: 'query ($id: ID!) { execution(executionId: $id) { status } }', variables: {} },
      200,
      400,
    ],
    ['a field that fails', { query: '{ execution(executionId: "nowhere") { status } }' }, 200, 200],
    ['a subscription without a stream', { query: 'subscription { taskChanged { type } }' }, 200, 406],
  ];
  it.each(cases)('for %s', async (_, body, legacy, modern) => {
    const [asLegacy, asModern] = await Promise.all([post(body), post(body, MODERN)]);
    expect([asLegacy.status, asModern.status], asModern.text).toEqual([legacy, modern]);
    expect(asLegacy.headers['content-type']).toBe(`${LEGACY}; charset=utf-8`);
    expect(asModern.headers['content-type']).toBe(`${MODERN}; charset=utf-8`);
    for (const { json } of [asLegacy, asModern]) {
      if (modern === 200) expect(json).toHaveProperty('data');
      if (modern !== 200) expect(json).not.toHaveProperty('data');
      const [error] = (json['errors'] ?? []) as { extensions: Record<string, unknown> }[];
      if (error !== undefined) {
        expect(error.extensions).toMatchObject({ code: expect.any(String), remedy: expect.any(String) });
        expect(error.extensions['code']).not.toBe('internal');
        expect(error.extensions['correlationId']).toBe(
          (json === asLegacy.json ? asLegacy : asModern).headers['x-correlation-id'],
        );
      }
    }
  });
});

describe('the body of a request', () => {
  it.each([
    undefined,
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/graphql',
  ])('of type %s is refused with 415', async (type) => {
    const { status, json } = await send({
      headers: type === undefined ? {} : { 'content-type': type },
      body: JSON.stringify(GOOD),
    });
    expect(status).toBe(415);
    expect(json).toMatchObject({ errors: [{ extensions: { code: 'unsupported_media_type' } }] });
  });
  it('may name its encoding', async () => {
    expect((await post(GOOD, LEGACY, { 'content-type': 'application/json; charset=utf-8' })).status).toBe(200);
  });
  it('is missing: refused with 415 without a type', async () => {
    expect((await send({ headers: { accept: MODERN } })).status).toBe(415);
  });
  it('is too large: refused with 413', async () => {
    const { status, json } = await post({ query: `# ${'x'.repeat(1_100_000)}\n{ __typename }` }, MODERN);
    expect(status).toBe(413);
    expect(json).toMatchObject({ errors: [{ extensions: { code: 'payload_too_large' } }] });
  });
});

describe('GET', () => {
  it('runs queries, with variables as JSON', async () => {
    const query = 'query A($id: ID!) { execution(executionId: $id) { status } }';
    const { status, json } = await get({ query, variables: '{"id":"nowhere"}', operationName: 'A' });
    expect(status).toBe(200);
    expect(json).toMatchObject({
      data: { execution: null },
      errors: [{ extensions: { code: 'execution_not_found' } }],
    });
    expect((await get({ ...GOOD, operationName: '', variables: '', extensions: '{}' })).status).toBe(200);
  });
  it.each([MODERN, LEGACY])('refuses mutations with 405 as %s', async (accept) => {
    const query = 'mutation { enableTask(input: { taskId: "x" }) { id } }';
    const { status, headers, json } = await get({ query }, accept);
    expect([status, headers['allow']]).toEqual([405, 'POST']);
    expect(json).toMatchObject({ errors: [{ extensions: { code: 'method_not_allowed' } }] });
  });
  it.each([{}, { ...GOOD, variables: '[7]' }, { ...GOOD, variables: '{' }, { ...GOOD, extensions: '"x"' }])(
    'with parameters of another form is refused: %j',
    async (parameters) => {
      expect((await get(parameters)).status).toBe(400);
    },
  );
  it('refuses a parameter that comes twice', async () => {
    const { status } = await send({ method: 'GET', path: '/graphql?query=%7B__typename%7D&query=x', headers: {} });
    expect(status).toBe(400);
  });
});

it.each(['PUT', 'PATCH', 'DELETE'])('%s is refused with 405, naming what is taken', async (method) => {
  const { status, headers } = await send({ method, headers: { accept: MODERN } });
  expect([status, headers['allow']]).toEqual([405, 'GET, POST']);
});

it('keys that reach prototypes are refused in variables and in documents', async () => {
  const query = 'mutation ($m: JSON) { executeTask(input: { taskId: "x", input: $m }) { status } }';
  const inBody = await post(`{"query":${JSON.stringify(query)},"variables":{"m":{"__proto__":{}}}}`, MODERN);
  expect([inBody.status, inBody.text]).toEqual([400, expect.stringContaining('invalid_json')]);
  const inDocument = await post(
    { query: 'mutation { executeTask(input: { taskId: "x", input: { __proto__: {} } }) { status } }' },
    MODERN,
  );
  expect([inDocument.status, inDocument.text]).toEqual([400, expect.stringContaining('__proto__')]);
});

/** Requests to GraphQL over HTTP, and conversations over WebSockets, from good to hostile, as bytes. */
import fc from 'fast-check';
import {
  type GraphQLField,
  type GraphQLInputType,
  getNamedType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
} from 'graphql';
import { schemaOf } from '../../src/interfaces/graphql/schema.ts';
import { type WireRequest, wire } from './fuzz-requests.ts';
import { brokenBody, type Known, oddText, oddValue, wireText } from './fuzz-values.ts';

const ENDPOINT = '/graphql';

/** What a field of the root gives when it is asked for with nothing more than it needs. */
function selected(field: GraphQLField<unknown, unknown>): string {
  return isLeafType(getNamedType(field.type)) ? '' : ' { __typename }';
}

/** GraphQL text for a JSON value. */
function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  return `{${Object.entries(value)
    .filter(([key]) => /^[_a-z]\w*$/i.test(key))
    .map(([key, inner]) => `${key}: ${literal(inner)}`)
    .join(', ')}}`;
}

function argument(type: GraphQLInputType, name: string, known: Known): fc.Arbitrary<unknown> {
  if (isNonNullType(type)) return argument(type.ofType, name, known);
  if (isListType(type)) return fc.array(argument(type.ofType, name, known), { maxLength: 2 });
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields()).map(
      (field) => [field.name, argument(field.type, field.name, known)] as const,
    );
    return fc.record(Object.fromEntries(fields), { requiredKeys: [] });
  }
  const things = known[name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)];
  if (things !== undefined && things.length > 0) return fc.oneof(fc.constantFrom(...things), oddValue);
  return fc.oneof(oddValue, fc.integer({ min: 0, max: 20 }), fc.constantFrom('a', '1', true));
}

function askedOf(field: GraphQLField<unknown, unknown>, known: Known): fc.Arbitrary<string> {
  const args = Object.fromEntries(field.args.map(({ name, type }) => [name, argument(type, name, known)]));
  const requiredKeys = field.args.filter(({ type }) => isNonNullType(type)).map(({ name }) => name);
  return fc.record(args, { requiredKeys }).map((given) => {
    const entries = Object.entries(given).map(([name, value]) => `${name}: ${literal(value)}`);
    return `${field.name}${entries.length === 0 ? '' : `(${entries.join(', ')})`}${selected(field)}`;
  });
}

function documents(known: Known): fc.Arbitrary<string> {
  const schema = schemaOf();
  const of = (kind: string, fields: readonly GraphQLField<unknown, unknown>[]): fc.Arbitrary<string> =>
    fc.oneof(...fields.map((field) => askedOf(field, known))).map((text) => `${kind} { ${text} }`);
  const fieldsOf = (type: 'getQueryType' | 'getMutationType' | 'getSubscriptionType') =>
    Object.values(schema[type]()?.getFields() ?? {}).filter(({ name }) => !/replay|profile|debug|analy/i.test(name));
  const good = fc.oneof(
    { weight: 4, arbitrary: of('query', fieldsOf('getQueryType')) },
    { weight: 3, arbitrary: of('mutation', fieldsOf('getMutationType')) },
    { weight: 1, arbitrary: of('subscription', fieldsOf('getSubscriptionType')) },
  );
  const spoiled = fc
    .tuple(
      good,
      fc.nat({ max: 200 }),
      fc.oneof(oddText, fc.constantFrom('{', '}', '(', '$x', '@skip', '...', '#', '"""')),
    )
    .map(([text, at, odd]) => `${text.slice(0, at)}${odd}${text.slice(at)}`);
  const floods = fc.constantFrom(
    `{ ${Array.from({ length: 500 }, (_, at) => `a${at}: position`).join(' ')} }`,
    `{ ${'a { '.repeat(2_000)}`,
    `{ ${'[ '.repeat(2_000)}`,
    'query { ...A } fragment A on Query { ...B } fragment B on Query { ...A }',
    '{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }',
    '{ executions(first: 1000) { edges { node { children(first: 1000) { edges { node { logs(first: 1000) { edges { node { message } } } } } } } } } }',
    'query A { position } query B { position }',
    'query ($x: Int = 9999999999) { position }',
    'query ($x: [[[Int!]!]!]!) { position }',
    'mutation { __proto__ }',
    'subscription { a: taskChanged { type } b: taskChanged { type } }',
    '',
    '#',
    `{ position } ${'#'.repeat(120_000)}`,
  );
  return fc.oneof({ weight: 5, arbitrary: good }, { weight: 3, arbitrary: spoiled }, { weight: 2, arbitrary: floods });
}

const ACCEPTS = [
  'application/json',
  'application/graphql-response+json',
  'text/event-stream',
  '*/*',
  'text/html',
  'image/png',
  ',,;q=',
];

/** @returns requests to the GraphQL endpoint over HTTP. */
export function graphqlRequests(known: Known): fc.Arbitrary<WireRequest> {
  const text = documents(known);
  const variables = fc.oneof(fc.constant({}), oddValue);
  const body: fc.Arbitrary<Buffer> = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(text, variables).map(([query, given]) => Buffer.from(wireText({ query, variables: given }))),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(text, oddText)
        .map(([query, operationName]) => Buffer.from(wireText({ query, operationName }))),
    },
    {
      weight: 1,
      arbitrary: fc
        .array(
          text.map((query) => ({ query })),
          { maxLength: 5 },
        )
        .map((batch) => Buffer.from(wireText(batch))),
    },
    { weight: 1, arbitrary: oddValue.map((query) => Buffer.from(wireText({ query }))) },
    { weight: 1, arbitrary: brokenBody },
  );
  const label = 'graphql';
  const byPost = fc
    .tuple(body, fc.constantFrom(...ACCEPTS), fc.constantFrom('application/json', 'application/graphql', 'text/plain'))
    .map(
      ([sent, accept, type]): WireRequest => ({
        label: `${label} POST`,
        bytes: wire({
          method: 'POST',
          target: ENDPOINT,
          headers: [
            ['accept', accept],
            ['content-type', type],
          ],
          body: sent,
        }),
        expects: accept === 'text/event-stream' ? 'stream' : 'answer',
        isGraphql: true,
      }),
    );
  const byGet = fc.tuple(text, oddText, fc.constantFrom(...ACCEPTS)).map(([query, given, accept]): WireRequest => {
    const target = `${ENDPOINT}?query=${encodeURIComponent(query.toWellFormed().slice(0, 2_000))}&variables=${encodeURIComponent(given.toWellFormed().slice(0, 500))}`;
    return {
      label: `${label} GET`,
      bytes: wire({ method: 'GET', target, headers: [['accept', accept]], body: null }),
      expects: accept === 'text/event-stream' ? 'stream' : 'answer',
      isGraphql: true,
    };
  });
  const otherwise = fc.constantFrom('PUT', 'DELETE', 'PATCH', 'TRACE').map(
    (method): WireRequest => ({
      label: `${label} ${method}`,
      bytes: wire({ method, target: ENDPOINT, headers: [], body: null }),
      expects: 'answer',
      isGraphql: true,
    }),
  );
  return fc.oneof(
    { weight: 6, arbitrary: byPost },
    { weight: 2, arbitrary: byGet },
    { weight: 1, arbitrary: otherwise },
  );
}

const TEXT = 1;
const CLOSE = 8;

/** One frame of a client (RFC 6455 §5.2); masked with zeros, which leaves the bytes as they are. */
function frame(payload: Buffer, { opcode = TEXT, first = 0x80, masked = true, said = payload.length } = {}): Buffer {
  const length =
    said < 126
      ? [said]
      : said < 65_536
        ? [126, said >> 8, said & 255]
        : [127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((by) => (said >>> by) & 255)];
  const [short = 0, ...more] = length;
  return Buffer.concat([
    Buffer.from([first | opcode, (masked ? 0x80 : 0) | short, ...more]),
    Buffer.alloc(masked ? 4 : 0),
    payload,
  ]);
}

const say = (message: unknown): Buffer => frame(Buffer.from(typeof message === 'string' ? message : wireText(message)));

function spoken(known: Known): fc.Arbitrary<Buffer> {
  const query = documents(known);
  const id = fc.oneof(fc.constantFrom('1', '2', ''), oddValue);
  return fc.oneof(
    {
      weight: 3,
      arbitrary: fc.oneof(fc.constant({}), oddValue).map((payload) => say({ type: 'connection_init', payload })),
    },
    {
      weight: 5,
      arbitrary: fc
        .tuple(id, query)
        .map(([given, text]) => say({ id: given, type: 'subscribe', payload: { query: text } })),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(id, oddValue).map(([given, payload]) => say({ id: given, type: 'subscribe', payload })),
    },
    { weight: 1, arbitrary: id.map((given) => say({ id: given, type: 'complete' })) },
    { weight: 1, arbitrary: oddValue.map((payload) => say({ type: 'ping', payload })) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(oddValue, oddText, oddValue)
        .map(([number, method, params]) => say({ id: number, method, params })),
    },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom('Debugger.enable', 'Runtime.evaluate', 'Debugger.pause')
        .map((method) => say({ id: 1, method })),
    },
    { weight: 1, arbitrary: brokenBody.filter(({ length }) => length < 100_000).map((bytes) => frame(bytes)) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        frame(Buffer.from('{}'), { masked: false }),
        frame(Buffer.from('x'), { opcode: 2 }),
        frame(Buffer.from('x'), { opcode: 11 }),
        frame(Buffer.alloc(200), { opcode: 9 }),
        frame(Buffer.from('x'), { first: 0xf0 }),
        frame(Buffer.from('x'), { opcode: 0 }),
        frame(Buffer.from([0xc3, 0x28])),
        frame(Buffer.from([0, 0]), { opcode: CLOSE }),
        frame(Buffer.from('x'), { said: 2 ** 31 }),
      ),
    },
  );
}

/** @returns conversations over a WebSocket: an upgrade, what is said in it, and a farewell. */
export function socketTalks(prefix: string, known: Known): fc.Arbitrary<Buffer> {
  const session = known['session_id']?.[0] ?? 'none';
  const target = fc.constantFrom(
    ENDPOINT,
    ENDPOINT,
    ENDPOINT,
    `${prefix}/debug/sessions/${String(session)}/socket`,
    '/health',
  );
  const protocol = fc.constantFrom(
    'graphql-transport-ws',
    'graphql-transport-ws',
    'graphql-ws',
    'x, graphql-transport-ws',
    '',
  );
  const isKnown = fc.boolean();
  return fc
    .tuple(target, protocol, isKnown, fc.array(spoken(known), { maxLength: 12 }))
    .map(([path, offered, isInitialised, talk]) => {
      const headers = [
        ['connection', 'upgrade'],
        ['upgrade', 'websocket'],
        ['sec-websocket-version', '13'],
        ['sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ=='],
        ...(offered === '' ? [] : [['sec-websocket-protocol', offered]]),
      ].map(([name = '', value = '']) => [name, value] as const);
      const upgrade = wire({ method: 'GET', target: path, headers, body: null });
      const first = isInitialised ? [say({ type: 'connection_init' })] : [];
      return Buffer.concat([upgrade, ...first, ...talk, frame(Buffer.from([3, 232]), { opcode: CLOSE })]);
    });
}

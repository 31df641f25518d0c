/** Requests over HTTP as bytes, made from the OpenAPI document of the server itself: from good to hostile. */
import fc from 'fast-check';
import { type OpenApi, openApiOf } from '../../src/interfaces/openapi.ts';
import {
  brokenBody,
  goodObject,
  goodValue,
  type Known,
  nearObject,
  oddText,
  oddValue,
  type Schema,
  wireText,
} from './fuzz-values.ts';

export interface WireRequest {
  /** What kind it is and whom it asks. */
  readonly label: string;
  readonly bytes: Buffer;
  /** `answer`: there has to be one. `cut`: it may be hung up on, because it is no request. `stream`: it is dropped once it runs. */
  readonly expects: 'answer' | 'cut' | 'stream';
  readonly isGraphql: boolean;
}

/** One route as the document describes it. */
interface Described {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: Schema | null;
  readonly isLive: boolean;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly schema: Schema;
}

interface Parts {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer | null;
}

/** Replays, profiles and sessions each cost a process: they are asked for with good values less often. */
const COSTLY = /(?:\/(?:replay|profile|debug|analysis|replay-failures|rebuild)$|\/debug\/sessions$|\/compare\/)/;
const OFTEN = 6;

/** @returns the routes of the document. */
export function describedRoutes(document: OpenApi): readonly Described[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => {
      const {
        parameters = [],
        requestBody,
        responses,
      } = described as {
        parameters?: readonly Parameter[];
        requestBody?: { content: Record<string, { schema: Schema }> };
        responses: unknown;
      };
      const body = requestBody?.content['application/json']?.schema ?? null;
      const isLive = JSON.stringify(responses).includes('text/event-stream');
      return { method: method.toUpperCase(), path, parameters, body, isLive };
    }),
  );
}

/** @returns bytes as they go over the wire. */
export function wire({ method, target, headers, body }: Parts): Buffer {
  const names = new Set(headers.map(([name]) => name.toLowerCase()));
  const lines = [
    `${method} ${target} HTTP/1.1`,
    ...(names.has('host') ? [] : ['host: 127.0.0.1']),
    ...(names.has('connection') ? [] : ['connection: close']),
    ...(body === null || names.has('content-length') || names.has('transfer-encoding')
      ? []
      : [`content-length: ${body.length}`]),
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body ?? Buffer.alloc(0)]);
}

const JSON_TYPE = ['content-type', 'application/json'] as const;

function addressOf(
  { path, parameters }: Described,
  values: Readonly<Record<string, unknown>>,
  query: readonly string[],
): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encoded(values[name] ?? 'x') || '%20');
  const asked = parameters
    .filter(
      (parameter) => parameter.in === 'query' && query.includes(parameter.name) && values[parameter.name] !== undefined,
    )
    .map(({ name }) => `${encodeURIComponent(name)}=${encoded(values[name])}`);
  return asked.length === 0 ? filled : `${filled}?${asked.join('&')}`;
}

function encoded(value: unknown): string {
  const text = typeof value === 'string' ? value : wireText(value);
  return encodeURIComponent(text.toWellFormed().slice(0, 3_000));
}

function valuesFor({ parameters }: Described, known: Known): fc.Arbitrary<Record<string, unknown>> {
  return fc.record(Object.fromEntries(parameters.map(({ name, schema }) => [name, goodValue(schema, name, known)])));
}

const queryOf = ({ parameters }: Described) =>
  parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name);

function good(route: Described, known: Known): fc.Arbitrary<Parts> {
  const body = route.body === null ? fc.constant(null) : goodObject(route.body, known);
  return fc.tuple(valuesFor(route, known), body, fc.subarray(queryOf(route))).map(([values, sent, query]) => ({
    method: route.method,
    target: addressOf(route, values, query),
    headers: sent === null ? [] : [JSON_TYPE],
    body: sent === null ? null : Buffer.from(wireText(sent)),
  }));
}

/** One field of it is not as it should be. */
function near(route: Described, known: Known): fc.Arbitrary<Parts> {
  const names = route.parameters.filter((parameter) => parameter.in !== 'header').map(({ name }) => name);
  const inAddress: fc.Arbitrary<Parts> = fc
    .tuple(good(route, known), valuesFor(route, known), fc.constantFrom(...names, 'no_such'), oddValue)
    .map(([parts, values, name, odd]) => {
      const target = addressOf(route, { ...values, [name]: odd }, names.includes(name) ? [name] : []);
      return { ...parts, target: names.includes(name) ? target : `${target}?${encoded(name)}=${encoded(odd)}` };
    });
  if (route.body === null) return inAddress;
  const inBody = fc
    .tuple(good(route, known), nearObject(route.body, known))
    .map(([parts, body]) => ({ ...parts, body: Buffer.from(wireText(body)) }));
  return fc.oneof(inAddress, { weight: 2, arbitrary: inBody });
}

/** What a header line may hold; control characters are sent by {@link broken}. */
const headerText = oddText.map((text) =>
  text
    .replaceAll(/[^\x20-\x7e\x80-\xff]/g, '?')
    .trim()
    .slice(0, 5_000),
);
const HEADERS = [
  'idempotency-key',
  'if-match',
  'if-none-match',
  'last-event-id',
  'x-min-position',
  'traceparent',
  'accept',
  'x-correlation-id',
  'range',
  'expect',
  'origin',
  'x-forwarded-for',
  'x-http-method-override',
  'content-encoding',
  'cookie',
  'user-agent',
];
const ETAGS = [
  '"',
  'W/""',
  '"v1-"',
  '"v99999999999999999999-x"',
  '*, *',
  '"v1-00000000000000000000000000000000", "v2-00000000000000000000000000000000"',
];
const TYPES = [
  'text/plain',
  'application/xml',
  'application/json; charset=utf-16',
  'application/json;',
  'multipart/form-data',
  'x',
  '/',
  'application/json, text/html',
];

function oddHeaders(route: Described, known: Known): fc.Arbitrary<Parts> {
  const one: fc.Arbitrary<readonly (readonly [string, string])[]> = fc.oneof(
    fc.tuple(fc.constantFrom(...HEADERS), fc.oneof(headerText, fc.constantFrom(...ETAGS))).map((pair) => [pair]),
    fc.constantFrom(...TYPES).map((type) => [['content-type', type] as const]),
    fc.constant([JSON_TYPE, ['content-type', 'text/plain'] as const]),
    fc.constantFrom('x-api-key', 'authorization').chain((name) => headerText.map((value) => [[name, value] as const])),
    fc
      .integer({ min: 2, max: 120 })
      .map((count) => Array.from({ length: count }, (_, at) => [`x-flood-${at}`, 'x'.repeat(40)] as const)),
    fc.constantFrom('x', '', 'localhost:99999', 'a b').map((host) => [['host', host] as const]),
  );
  return fc.tuple(good(route, known), one).map(([parts, headers]) => {
    const isTyped = headers.some(([name]) => name === 'content-type');
    return { ...parts, headers: [...(isTyped ? [] : parts.headers), ...headers] };
  });
}

function brokenBodies(route: Described, known: Known): fc.Arbitrary<Parts> {
  return fc.tuple(good(route, known), brokenBody).map(([parts, body]) => ({ ...parts, headers: [JSON_TYPE], body }));
}

const METHODS = [
  'HEAD',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'PROPFIND',
  'PURGE',
  'GET',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'M-SEARCH',
];
const TAILS = [
  '%',
  '%2',
  '%zz',
  '%00',
  '%2e%2e%2f',
  '%c0%af',
  '%ed%a0%80',
  '//',
  '/../..',
  ';a=b',
  '?a[b]=c',
  '?a=1&a=2',
  '?__proto__=1',
  '?=',
  '#x',
  '%252e',
  `/${'x'.repeat(600)}`,
  `?filter=${'x'.repeat(9_000)}`,
];

function oddAddresses(route: Described, known: Known): fc.Arbitrary<Parts> {
  return fc.oneof(
    fc.tuple(good(route, known), fc.constantFrom(...METHODS)).map(([parts, method]) => ({ ...parts, method })),
    fc
      .tuple(good(route, known), fc.constantFrom(...TAILS))
      .map(([parts, tail]) => ({ ...parts, target: `${parts.target.split('?')[0]}${tail}` })),
    good(route, known).map((parts) => ({ ...parts, target: `http://elsewhere.example${parts.target}` })),
  );
}

/** What is no HTTP at all, or lies about its length. */
const broken: fc.Arbitrary<WireRequest> = fc
  .oneof(
    fc
      .uint8Array({ minLength: 1, maxLength: 300 })
      .map((bytes) => Buffer.concat([Buffer.from(bytes), Buffer.from('\r\n\r\n')])),
    fc
      .constantFrom(
        'POST /api/v1/tasks HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n{}',
        'POST /api/v1/tasks HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n{}',
        'POST /api/v1/tasks HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n{}',
        'POST /api/v1/tasks HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n{}',
        'POST /api/v1/tasks HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n',
        'POST /api/v1/tasks HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"a":',
        'GET / HTTP/9.9\r\n\r\n',
        'GET /api/v1/tasks HTTP/1.1\r\n\r\n',
        'GET /api/v1/tasks HTTP/1.1\r\nhost: x\r\nx: a\0b\r\n\r\n',
        'GET /api/v1/tasks HTTP/1.1\r\nhost : x\r\n\r\n',
        `GET /api/v1/tasks HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`,
        'GET http:// HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
        'GET /api/v1/tasks HTTP/1.1\r\nhost: x\r\nupgrade: nothing\r\nconnection: upgrade\r\n\r\n',
      )
      .map((text) => Buffer.from(text, 'latin1')),
  )
  .map((bytes) => ({ label: 'no request', bytes, expects: 'cut', isGraphql: false }) as const);

function dropped(route: Described, known: Known): fc.Arbitrary<WireRequest> {
  return fc.tuple(good(route, known), oddText).map(([parts, id]) => {
    const lastId = id.replaceAll(/[^\x21-\x7e]/g, '').slice(0, 80);
    const headers = [
      ['accept', 'text/event-stream'] as const,
      ...(lastId === '' ? [] : [['last-event-id', lastId] as const]),
    ];
    return {
      label: `stream ${route.method} ${route.path}`,
      bytes: wire({ ...parts, headers }),
      expects: 'stream',
      isGraphql: false,
    };
  });
}

/** @returns requests to every route below `prefix`, from good to hostile, and what is no request at all. */
export function restRequests(prefix: string, known: Known): fc.Arbitrary<WireRequest> {
  const routes = describedRoutes(openApiOf(prefix));
  const of = (kind: string, route: Described, parts: fc.Arbitrary<Parts>) =>
    parts.map((sent) => {
      const isCut = sent.method === 'CONNECT' || sent.headers.some(([name]) => name === 'expect' || name === 'host');
      return {
        label: `${kind} ${route.method} ${route.path}`,
        bytes: wire(sent),
        expects: isCut ? ('cut' as const) : ('answer' as const),
        isGraphql: false,
      };
    });
  const toRoutes = routes.map((route) => {
    const isCostly = COSTLY.test(route.path);
    return {
      weight: isCostly ? 1 : OFTEN,
      arbitrary: fc.oneof(
        { weight: isCostly ? 1 : 4, arbitrary: of('good', route, good(route, known)) },
        { weight: 5, arbitrary: of('near', route, near(route, known)) },
        { weight: 2, arbitrary: of('headers', route, oddHeaders(route, known)) },
        { weight: 2, arbitrary: of('body', route, brokenBodies(route, known)) },
        { weight: 2, arbitrary: of('address', route, oddAddresses(route, known)) },
        ...(route.isLive ? [{ weight: 2, arbitrary: dropped(route, known) }] : []),
      ),
    };
  });
  return fc.oneof({ weight: 10, arbitrary: broken }, ...toRoutes);
}

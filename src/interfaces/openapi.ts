/** The REST interface as an OpenAPI 3.1 document, made from the routes and operations that serve it. */
import { z } from 'zod';
import { ERRORS } from '../domain/errors.ts';
import { LIVE } from './live.ts';
import { ANSWERS } from './openapi-answers.ts';
import { EXAMPLES, PARAMETER_EXAMPLES } from './openapi-examples.ts';
import { SESSION_SCHEMES, sessionPaths } from './openapi-session.ts';
import type { Operation } from './operation.ts';
import { OPERATIONS } from './operations.ts';
import { hasEtag, takesIfMatch } from './rest-etags.ts';
import { ROUTES, type Route } from './surfaces.ts';

type Schema = Readonly<Record<string, unknown>>;

export interface OpenApi {
  readonly openapi: string;
  readonly info: Schema;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Schema>>>>;
  readonly [member: string]: unknown;
}

const JSON_VALUE = '#/components/schemas/JsonValue';
const PROBLEM = { $ref: '#/components/responses/Problem' };

/** @returns the document of all routes below `prefix`. */
export function openApiOf(prefix: string): OpenApi {
  const byName = new Map(OPERATIONS.map((operation) => [operation.name, operation]));
  const paths: Record<string, Record<string, Schema>> = {};
  const used = new Map<string, number>();
  for (const route of ROUTES) {
    const operation = byName.get(route.operation);
    if (operation === undefined) continue;
    for (const start of route.bare === true ? [prefix, ''] : [prefix]) {
      const path = `${start}${route.path}`.replaceAll(/:(\w+)/g, '{$1}');
      const count = (used.get(operation.name) ?? 0) + 1;
      used.set(operation.name, count);
      const operationId = count === 1 ? operation.name : `${operation.name}_${count}`;
      paths[path] = { ...paths[path], [route.method.toLowerCase()]: described(route, operation, operationId) };
    }
  }
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: { title: 'Ratchet', version: '1', description: ABOUT },
    servers: [{ url: '/' }],
    security: [{ apiKey: [] }, { bearer: [] }, { session: [], csrf: [] }],
    tags: [...new Set([...ROUTES.map(tagOf), 'session'])].map((name) => ({ name })),
    paths: { ...paths, ...sessionPaths(prefix) },
    components: COMPONENTS,
  };
}

const ABOUT =
  'Runs JavaScript tasks and remembers everything. Errors are problem documents (RFC 9457) whose code is one of the table. ' +
  'A request from the machine of the server acts as local admin where no keys are configured; then no key is needed.';

const COMPONENTS = {
  schemas: {
    JsonValue: { description: 'Any JSON value.' },
    Problem: {
      type: 'object',
      required: ['type', 'title', 'status', 'detail', 'code', 'remedy', 'instance'],
      properties: {
        type: { type: 'string' },
        title: { type: 'string' },
        status: { type: 'integer' },
        detail: { type: 'string', description: 'What happened, with what.' },
        code: { type: 'string', enum: Object.keys(ERRORS) },
        remedy: { type: 'string', description: 'What to do about it.' },
        instance: { type: 'string', description: "Correlation id, to be found in the server's log." },
        details: { type: 'object' },
      },
    },
  },
  responses: {
    Problem: {
      description: `A problem document. ${Object.entries(ERRORS)
        .map(([code, { status, remedy }]) => `${status} ${code}: ${remedy}`)
        .join(' ')}`,
      content: {
        'application/problem+json': {
          schema: { $ref: '#/components/schemas/Problem' },
          example: {
            type: 'urn:ratchet:error:task_not_found',
            title: 'task not found',
            status: ERRORS.task_not_found.status,
            detail: 'there is no task nobody',
            code: 'task_not_found',
            remedy: ERRORS.task_not_found.remedy,
            instance: '0197a3c2-0000-7000-8000-000000000000',
          },
        },
      },
    },
  },
  securitySchemes: {
    apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
    bearer: { type: 'http', scheme: 'bearer', description: 'A token, or an API key.' },
    ...SESSION_SCHEMES,
  },
} as const;

function tagOf({ path }: Route): string {
  return path.split('/')[1] ?? '';
}

function described(route: Route, operation: Operation, operationId: string): Schema {
  const { properties, required } = inputOf(operation);
  const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name ?? '');
  const rest = Object.entries(properties).filter(([name]) => !inPath.includes(name));
  const hasBody = route.method !== 'GET' && route.method !== 'DELETE';
  const parameters = [
    ...inPath.map((name) => parameter('path', name, properties[name] ?? {}, true)),
    ...(hasBody ? [] : rest.map(([name, schema]) => parameter('query', name, schema, required.includes(name)))),
    ...(operation.kind === 'query'
      ? [parameter('query', 'min_position', { type: 'string', description: 'Answer with all up to this.' }, false)]
      : []),
    ...headersOf(route, operation),
  ];
  return {
    operationId,
    tags: [tagOf(route)],
    summary: operation.description,
    'x-permission': operation.permission,
    parameters,
    ...(hasBody ? { requestBody: bodyOf(operation, rest, required) } : {}),
    responses: responsesOf(route, operation),
  };
}

interface Input {
  readonly properties: Readonly<Record<string, Schema>>;
  readonly required: readonly string[];
}

const inputForm = z.object({
  properties: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
  required: z.array(z.string()).default([]),
});

function inputOf({ input }: Operation): Input {
  return inputForm.parse(schemaOf(input, 'input'));
}

/** A schema that stands inside the document: the one recursive form, any JSON value, becomes a component. */
function schemaOf(form: z.ZodType, io: 'input' | 'output'): unknown {
  const { $schema: _, $defs: __, ...schema } = z.toJSONSchema(form, { io, unrepresentable: 'any' });
  return JSON.parse(JSON.stringify(schema), (key, value: unknown) => {
    return key === '$ref' && typeof value === 'string' && value.startsWith('#/$defs/') ? JSON_VALUE : value;
  });
}

function parameter(place: 'path' | 'query' | 'header', name: string, schema: Schema, required: boolean): Schema {
  const example = PARAMETER_EXAMPLES[name];
  const { description, ...form } = schema;
  return {
    name,
    in: place,
    required,
    ...(description === undefined ? {} : { description }),
    schema: form,
    ...(example === undefined || place === 'header' ? {} : { example }),
  };
}

function headersOf({ method }: Route, { name }: Operation): readonly Schema[] {
  const text = (description: string, maxLength = 1_024): Schema => ({ type: 'string', maxLength, description });
  return [
    ...(method === 'POST'
      ? [parameter('header', 'Idempotency-Key', text('The same key again is the same command.', 256), false)]
      : []),
    ...(takesIfMatch(name) && method !== 'POST'
      ? [parameter('header', 'If-Match', text('Entity tag of the version that is meant.'), false)]
      : []),
    ...(hasEtag(name) ? [parameter('header', 'If-None-Match', text('Entity tag that is known.'), false)] : []),
    ...(LIVE.has(name)
      ? [parameter('header', 'Last-Event-ID', text('Of the last event seen, to go on after it.', 64), false)]
      : []),
  ];
}

function bodyOf(
  operation: Operation,
  rest: readonly (readonly [string, Schema])[],
  required: readonly string[],
): Schema {
  const names = rest.map(([name]) => name);
  const wanted = required.filter((name) => names.includes(name));
  const example = EXAMPLES[operation.name];
  const schema = {
    type: 'object',
    properties: Object.fromEntries(rest),
    ...(wanted.length === 0 ? {} : { required: wanted }),
    additionalProperties: false,
  };
  const content = { schema, ...(example === undefined ? {} : { example }) };
  return { required: wanted.length > 0, content: { 'application/json': content } };
}

function responsesOf(route: Route, operation: Operation): Schema {
  const form = ANSWERS[operation.name];
  const schema = form === undefined ? { type: 'object' } : schemaOf(form, 'output');
  const content = {
    'application/json': { schema },
    ...(LIVE.has(operation.name) ? { 'text/event-stream': { schema: { type: 'string' } } } : {}),
  };
  const headers = hasEtag(operation.name) ? { headers: { ETag: { schema: { type: 'string' } } } } : {};
  const good = { description: 'The answer.', ...headers, content };
  return {
    [route.status]: good,
    ...(operation.name === 'execute_task' ? { 202: { ...good, description: 'It still runs.' } } : {}),
    ...(hasEtag(operation.name) ? { 304: { description: 'It has not changed.' } } : {}),
    ...(LIVE.has(operation.name) ? { 204: { description: 'It has ended, and was told to its end.' } } : {}),
    default: PROBLEM,
  };
}

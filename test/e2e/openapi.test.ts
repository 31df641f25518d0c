import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/domain/errors.ts';
import { OPERATIONS } from '../../src/interfaces/operations.ts';
import { ROUTES } from '../../src/interfaces/surfaces.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { type Served, serveTestApp } from '../support/served.ts';
import { call } from '../support/server.ts';

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: object;
  readonly example?: unknown;
}

interface Content {
  readonly [mediaType: string]: { readonly schema: object; readonly example?: unknown };
}

interface Described {
  readonly operationId: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content; readonly $ref?: string }>>;
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

let test: TestApp;
let served: Served;
let document: Document;
let ajv: Ajv2020;

beforeAll(async () => {
  test = await openTestApp();
  served = await serveTestApp(test);
  const { status, body } = await call(served.url, 'GET', '/api/v1/openapi.json');
  expect(status).toBe(200);
  document = body as unknown as Document;
  ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: 'doc', ...document });
});
afterAll(async () => {
  await served.close();
  await test[Symbol.asyncDispose]();
});

/** Every operation in the document, with where it stands. */
const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );

/** What does not fit a schema of the document. */
function problemsOf(schema: object, value: unknown): readonly unknown[] {
  const text = JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"doc#/');
  const validate = ajv.compile(JSON.parse(text));
  validate(value);
  return validate.errors ?? [];
}

describe('the document', () => {
  it('has every route with its method, and each operation id once', () => {
    const told = operations().map(({ path, method }) => `${method.toUpperCase()} ${path}`);
    const wanted = ROUTES.flatMap(({ method, path, bare }) =>
      (bare === true ? ['/api/v1', ''] : ['/api/v1']).map(
        (start) => `${method} ${start}${path.replaceAll(/:(\w+)/g, '{$1}')}`,
      ),
    );
    const sessions = ['GET', 'POST', 'DELETE'].map((method) => `${method} /api/v1/session`);
    expect(told.toSorted()).toEqual([...new Set([...wanted, ...sessions])].toSorted());
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(document.openapi).toBe('3.1.0');
  });

  it('has no reference that leads nowhere', () => {
    const references: string[] = [];
    JSON.stringify(document, (key, value: unknown) => {
      if (key === '$ref' && typeof value === 'string') references.push(value);
      return value;
    });
    expect(references).not.toEqual([]);
    for (const reference of new Set(references)) {
      let found: unknown = document;
      expect(reference).toMatch(/^#\//);
      for (const part of reference.slice(2).split('/')) found = (found as Record<string, unknown> | undefined)?.[part];
      expect(found, reference).toBeDefined();
    }
  });

  it('names each parameter of a path, and all fields of an operation once', () => {
    for (const { path, method, operation } of operations()) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const told = operation.parameters.filter((one) => one.in === 'path');
      expect(
        told.map(({ name }) => name),
        `${method} ${path}`,
      ).toEqual(inPath);
      expect(told.every(({ required }) => required)).toBe(true);
      const keys = operation.parameters.map((one) => `${one.in} ${one.name}`);
      expect(new Set(keys).size).toBe(keys.length);
      const good = Object.keys(operation.responses).filter((status) => status.startsWith('2'));
      expect(good).not.toEqual([]);
      expect(operation.responses['default']).toEqual({ $ref: '#/components/responses/Problem' });
    }
  });

  it('has an example for each body that needs something, and every example fits its schema and its operation', () => {
    for (const { path, operation } of operations()) {
      for (const { name, schema, example } of operation.parameters) {
        if (example !== undefined) expect(problemsOf(schema, example), `${path} ${name}`).toEqual([]);
      }
      const json = operation.requestBody?.content['application/json'];
      if (json === undefined) continue;
      if (operation.requestBody?.required === true) expect(json.example, path).toBeDefined();
      if (json.example === undefined) continue;
      expect(problemsOf(json.schema, json.example), path).toEqual([]);
      const inPath = Object.fromEntries(
        operation.parameters.filter((one) => one.in === 'path').map(({ name, example }) => [name, example]),
      );
      const known = OPERATIONS.find(({ name }) => name === operation.operationId);
      if (known === undefined) continue;
      expect(known.input.safeParse({ ...inPath, ...Object(json.example) }).error?.issues ?? [], path).toEqual([]);
    }
  });

  it('tells every code of an error', () => {
    const { Problem } = document.components.schemas as unknown as {
      Problem: { properties: { code: { enum: string[] } } };
    };
    expect(Problem.properties.code.enum).toEqual(Object.keys(ERRORS));
  });
});

/** A client that knows nothing but the document: it checks what it sends and what it gets. */
async function client(operationId: string, input: Record<string, unknown>, headers: Record<string, string> = {}) {
  const found = operations().find(({ operation }) => operation.operationId === operationId);
  if (found === undefined) throw new Error(`the document has no ${operationId}`);
  const { operation, method } = found;
  const rest = { ...input };
  let { path } = found;
  const query = new URLSearchParams();
  for (const { name, in: place, required, schema } of operation.parameters) {
    const value = rest[name];
    if (place === 'header') continue;
    if (required && value === undefined) throw new Error(`${operationId} needs ${name}`);
    if (value === undefined) continue;
    expect(problemsOf(schema, value), `${operationId} ${name}`).toEqual([]);
    delete rest[name];
    if (place === 'path') path = path.replace(`{${name}}`, encodeURIComponent(String(value)));
    else query.set(name, String(value));
  }
  const body = operation.requestBody === undefined ? undefined : rest;
  const form = operation.requestBody?.content['application/json']?.schema;
  if (form !== undefined) expect(problemsOf(form, body), operationId).toEqual([]);
  else expect(rest).toEqual({});
  const answer = await call(served.url, method.toUpperCase(), `${path}?${query.toString()}`, body, headers);
  const told = operation.responses[String(answer.status)];
  const schema = (told?.content ?? {})['application/json']?.schema ?? document.components.schemas['Problem'];
  if (schema === undefined) throw new Error(`${operationId} says nothing of ${answer.status}`);
  expect(problemsOf(schema, answer.body), `${operationId} ${answer.status} ${JSON.stringify(answer.body)}`).toEqual([]);
  return answer;
}

describe('a client made of the document', () => {
  it('creates, executes, lists, schedules and cancels', async () => {
    const code = 'function main({ name }) { console.log("hi"); return `Hello, ${name}`; }';
    const input_schema = { type: 'object', required: ['name'] };
    expect((await client('create_task', { name: 'greeting', code, input_schema })).status).toBe(201);
    const executed = await client('execute_task', { task_id: 'greeting', input: { name: 'Ada' } });
    expect(executed.body).toMatchObject({ status: 'completed', output: 'Hello, Ada' });
    const { execution_id } = executed.body;
    expect((await client('get_execution_status', { execution_id })).body['output']).toBe('Hello, Ada');
    expect((await client('get_execution_logs', { execution_id, level: 'info' })).body['logs']).toHaveLength(1);
    const { body: waiting } = await client('create_execution', {
      task_id: 'greeting',
      input: { name: 'B' },
      delay_ms: 600_000,
    });
    const listed = await client('list_executions', { task_id: 'greeting', limit: 1, sort: 'requested_at' });
    expect(listed.body['executions']).toMatchObject([{ execution_id: waiting['execution_id'] }]);
    expect((await client('cancel_execution', { execution_id: waiting['execution_id'] })).status).toBe(202);
    const wish = { name: 'daily', task_id: 'greeting', cron: '@daily', input: { name: 'C' } };
    const { body: made } = await client('create_schedule', wish);
    expect((await client('trigger_schedule', { schedule_id: made['id'] })).status).toBe(202);
    expect((await client('get_schedule', { schedule_id: made['id'] })).body['fired']).toBe(1);
    expect((await client('edit_schedule', { schedule_id: made['id'], cron: '@hourly' })).status).toBe(200);
    for (const name of ['list_available_tasks', 'list_schedules', 'list_workers', 'list_sources', 'get_stats']) {
      expect((await client(name, {})).status, name).toBe(200);
    }
    expect((await client('cancel_executions', {})).body['dry_run']).toBe(true);
    expect((await client('get_task', { task_id: 'greeting' })).body['name']).toBe('greeting');
  });

  it('knows every refusal', async () => {
    expect((await client('execute_task', { task_id: 'nobody', input: 1 })).status).toBe(404);
    expect((await client('execute_task', { task_id: 'greeting', input: 1 })).status).toBe(422);
    expect((await client('get_schedule', { schedule_id: 'nobody' })).status).toBe(404);
  });
});

it.each(['/docs', '/api/v1/docs'])(
  '%s is a page that loads nothing, runs nothing and names every route',
  async (path) => {
    const response = await fetch(`${served.url}${path}`);
    const page = await response.text();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/]+=*'/,
    );
    expect(page).not.toMatch(/<script|<link|<img|https?:\/\/|@import/i);
    for (const told of Object.keys(document.paths)) expect(page).toContain(`<code>${told}</code>`);
    expect((await call(served.url, 'POST', path)).status).toBe(405);
  },
);

describe('sessions in the document', () => {
  it('are a way in, with their CSRF token, and answer as it says', async () => {
    const { components, security } = document as unknown as {
      components: { securitySchemes: Record<string, { in: string; name: string }> };
      security: readonly object[];
    };
    expect(security).toContainEqual({ session: [], csrf: [] });
    expect(components.securitySchemes['session']).toMatchObject({ in: 'cookie', name: 'ratchet_session' });
    expect(components.securitySchemes['csrf']).toMatchObject({ in: 'header', name: 'x-csrf-token' });
    const at = document.paths['/api/v1/session'];
    for (const [method, status] of [
      ['post', '201'],
      ['get', '200'],
    ] as const) {
      const answer = await call(served.url, method.toUpperCase(), '/api/v1/session');
      const schema = at?.[method]?.responses[status]?.content?.['application/json']?.schema;
      expect([String(answer.status), problemsOf(schema ?? { not: {} }, answer.body)]).toEqual([status, []]);
    }
  });
});

import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTaskFolder } from '../../infra/task-folder.ts';
import { isRatchetError } from '../../src/domain/errors.ts';

let base: string;
let folder: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'ratchet-task-'));
  folder = join(base, 'my-task');
});

afterEach(() => rm(base, { recursive: true, force: true }));

async function files(content: Record<string, string | object>): Promise<void> {
  for (const [name, value] of Object.entries(content)) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, typeof value === 'string' ? value : JSON.stringify(value));
  }
}

const CODE = '(function (input) { return input; })';

async function reason(content: Record<string, string | object>): Promise<string> {
  await files(content);
  const error = await readTaskFolder(folder).catch((failure: unknown) => failure);
  if (!isRatchetError(error, 'invalid_task')) throw new Error(`expected invalid_task, got ${String(error)}`);
  return error.message;
}

describe('layout A', () => {
  it('is read whole', async () => {
    const schema = { $schema: 'http://json-schema.org/draft-07/schema#', type: 'object' };
    await files({
      'metadata.json': {
        name: 'weather-api',
        uuid: 'bd6c6f98-4896-44cc-8c82-30328c3aefda',
        version: '1.2.0',
        label: 'Weather',
        description: 'Tells the weather',
        tags: ['api', 'weather'],
        category: 'data',
        author: 'Ada',
        license: 'MIT',
        timeout: 5000,
        memory_limit: '128MB',
        dangerous: true,
        fetch: 'promise',
        ratchet_version: '>=0.1',
        created_at: '2025-01-01T00:00:00Z',
        custom: { a: [1] },
      },
      'main.js': CODE,
      'input.schema.json': schema,
      'output.schema.json': { type: 'string' },
      'tests/b.json': { input: { x: 1 }, expected_output: null },
      'tests/a.json': { name: 'first', input: 1, expected: 2 },
      'README.md': '# hello',
    });
    expect(await readTaskFolder(folder)).toEqual({
      name: 'weather-api',
      uuid: 'bd6c6f98-4896-44cc-8c82-30328c3aefda',
      version: '1.2.0',
      label: 'Weather',
      description: 'Tells the weather',
      tags: ['api', 'weather'],
      category: 'data',
      author: 'Ada',
      license: 'MIT',
      dangerous: true,
      timeoutMs: 5000,
      memoryMb: 128,
      style: 'promise',
      code: CODE,
      file: 'weather-api/main.js',
      inputSchema: schema,
      outputSchema: { type: 'string' },
      tests: [
        {
          name: 'first',
          description: null,
          input: 1,
          expectation: { kind: 'output', value: 2 },
          mocks: [],
          assertions: [],
        },
        {
          name: 'b',
          description: null,
          input: { x: 1 },
          expectation: { kind: 'output', value: null },
          mocks: [],
          assertions: [],
        },
      ],
      metadata: { ratchet_version: '>=0.1', created_at: '2025-01-01T00:00:00Z', custom: { a: [1] } },
    });
  });

  it('needs no more than code: the name is the folder, schemas accept anything', async () => {
    await files({ 'main.js': CODE });
    expect(await readTaskFolder(folder)).toMatchObject({
      name: 'my-task',
      version: '0.1.0',
      file: 'my-task/main.js',
      inputSchema: true,
      outputSchema: true,
      timeoutMs: null,
      memoryMb: null,
      style: 'auto',
      dangerous: false,
      tests: [],
    });
  });

  it('takes a title that can not be a name as the label', async () => {
    await files({ 'metadata.json': { name: 'My Fine Task' }, 'main.js': CODE });
    expect(await readTaskFolder(folder)).toMatchObject({ name: 'my-task', label: 'My Fine Task' });
  });

  it.each([
    ['128MB', 128],
    ['1GB', 1024],
    ['512 KB', 1],
    ['1.5GiB', 1536],
    [64, 64],
  ])('reads the memory limit %s as %i MiB', async (memory_limit, expected) => {
    await files({ 'metadata.json': { memory_limit }, 'main.js': CODE });
    expect((await readTaskFolder(folder)).memoryMb).toBe(expected);
  });

  it.each([
    [1500, 1500],
    ['30s', 30_000],
    ['2m', 120_000],
    ['250', 250],
  ])('reads the timeout %s as %i ms', async (timeout, expected) => {
    await files({ 'metadata.json': { timeout }, 'main.js': CODE });
    expect((await readTaskFolder(folder)).timeoutMs).toBe(expected);
  });
});

describe('layout B', () => {
  it('is read whole', async () => {
    await files({
      'meta.yaml': `
name: adder
description: Adds
version: 1.10
author: Ada
category: math
tags: [sum]
runtime: javascript
entrypoint: src/add.js
inputs:
  a: {type: number, description: first, required: true}
  b: {type: int, minimum: 0}
  c: string
  d: {type: any}
output_schema: {type: object, properties: {sum: {type: number}}}
test_cases:
  - {name: adds, description: two, input: {a: 1, b: 2}, expected_output: {sum: 3}}
  - {input: {a: 1}, should_fail: true}
`,
      'src/add.js': CODE,
    });
    expect(await readTaskFolder(folder)).toMatchObject({
      name: 'adder',
      version: '1.10',
      category: 'math',
      tags: ['sum'],
      code: CODE,
      file: 'adder/add.js',
      inputSchema: {
        type: 'object',
        properties: {
          a: { type: 'number', description: 'first' },
          b: { type: 'integer', minimum: 0 },
          c: { type: 'string' },
          d: {},
        },
        required: ['a'],
      },
      outputSchema: { type: 'object', properties: { sum: { type: 'number' } } },
      tests: [
        { name: 'adds', description: 'two', input: { a: 1, b: 2 }, expectation: { kind: 'output', value: { sum: 3 } } },
        { name: 'case 2', expectation: { kind: 'any-error' } },
      ],
      metadata: { runtime: 'javascript' },
    });
  });

  it('runs task.js when no entry point is named', async () => {
    await files({ 'meta.yaml': 'name: plain\n', 'task.js': CODE });
    expect(await readTaskFolder(folder)).toMatchObject({ code: CODE, file: 'plain/task.js', inputSchema: true });
  });
});

describe('tests beside a task', () => {
  it('accept one mock or several, and every spelling of what is expected', async () => {
    const response = { status: 200, body: { a: 1 }, headers: { 'X-Count': 3 } };
    await files({
      'main.js': CODE,
      'tests/1.json': { mock: { http: { url: 'example.com', method: 'get', response } } },
      'tests/2.json': {
        mock: {
          http: [
            { url: 'a', response: { ok: false } },
            { url: 'b', response },
          ],
        },
      },
      'tests/3.json': { expected_error: 'boom', expected_output: null },
      'tests/4.json': { expected_error: { message: 'boom' } },
      'tests/5.json': { should_fail: true },
      'tests/6.json': {
        assertions: [
          { path: 'a.b', operator: 'gte', expected: 1 },
          { path: 'c', operator: 'exists' },
        ],
      },
    });
    const { tests } = await readTaskFolder(folder);
    expect(tests.map((test) => test.expectation)).toEqual([
      { kind: 'none' },
      { kind: 'none' },
      { kind: 'error', contains: 'boom' },
      { kind: 'error', contains: 'boom' },
      { kind: 'any-error' },
      { kind: 'none' },
    ]);
    expect(tests[0]?.mocks).toEqual([
      {
        url: 'example.com',
        method: 'GET',
        response: { ok: null, status: 200, statusText: null, headers: { 'X-Count': '3' }, body: { a: 1 } },
      },
    ]);
    expect(tests[1]?.mocks.map((mock) => mock.response.ok)).toEqual([false, null]);
    expect(tests[5]?.assertions).toEqual([
      { path: 'a.b', operator: 'gte', expected: 1 },
      { path: 'c', operator: 'exists', expected: null },
    ]);
  });
});

describe('a broken task', () => {
  it('is told by file and field', async () => {
    expect(await reason({ 'metadata.json': '{"name": }', 'main.js': CODE })).toMatch(
      /^metadata\.json: not valid JSON: Unexpected token '}'/,
    );
    expect(await reason({ 'metadata.json': { timeout: 'soon' } })).toMatch(
      /^metadata\.json: timeout: expected milliseconds/,
    );
    expect(await reason({ 'metadata.json': { memory_limit: -1 } })).toMatch(/^metadata\.json: memory_limit: Too small/);
    expect(await reason({ 'metadata.json': { tags: [{}] } })).toMatch(/^metadata\.json: tags\.0: /);
    expect(await reason({ 'metadata.json': [] })).toBe('metadata.json: expected object, received array');
    expect(await reason({ 'metadata.json': {}, 'input.schema.json': '[]' })).toMatch(/^input\.schema\.json: /);
    expect(await reason({ 'input.schema.json': {}, 'tests/a.json': { assertions: [{ operator: 'near' }] } })).toMatch(
      /^tests\/a\.json: assertions\.0\.operator: /,
    );
    expect(await reason({ 'tests/a.json': { mock: { http: [{ url: 'x', response: { status: 7 } }] } } })).toMatch(
      /^tests\/a\.json: mock\.http\.0\.response\.status: Too small/,
    );
  });

  it.each([
    ['a missing entry point', { 'meta.yaml': 'name: x\n' }, 'task.js: the file is missing'],
    ['an empty one', { 'meta.yaml': 'name: x\n', 'task.js': ' \n' }, 'task.js: the file is empty'],
    ['one outside', { 'meta.yaml': 'entrypoint: ../../x.js\n' }, '../../x.js: '],
    ['bad YAML', { 'meta.yaml': 'a: [1\n', 'task.js': CODE }, 'meta.yaml: not valid YAML: '],
    [
      'a key given twice',
      { 'meta.yaml': 'name: a\nname: b\n', 'task.js': CODE },
      'meta.yaml: not valid YAML: Map keys must be unique',
    ],
    [
      'a bad test case',
      { 'meta.yaml': 'test_cases: [{}, {should_fail: 3}]', 'task.js': CODE },
      'meta.yaml: test_cases.1.should_fail: ',
    ],
    ['no task at all', { 'README.md': 'x' }, 'the folder holds no task'],
    [
      'code that is too large',
      { 'main.js': `//${'x'.repeat(5 * 1024 * 1024)}` },
      'main.js: the file is larger than 5 MiB',
    ],
    [
      'a test nested without end',
      { 'main.js': CODE, 'tests/a.json': `{"input":${'['.repeat(100_000)}${']'.repeat(100_000)}}` },
      'tests/a.json: nested too deeply',
    ],
  ])('%s is told', async (_, content, expected) => {
    expect(await reason(content as Record<string, string | object>)).toContain(expected);
  });

  it('may not take its code from outside through a link', async () => {
    await files({ 'metadata.json': {} });
    await writeFile(join(base, 'secret.js'), 'secret');
    await symlink(join(base, 'secret.js'), join(folder, 'main.js'));
    await expect(readTaskFolder(folder)).rejects.toThrow(/^main\.js: main\.js is not below/);
    expect((await readTaskFolder(folder, [base])).code).toBe('secret');
  });

  it('may not expand YAML without end', async () => {
    const lines = ['a0: &a0 [x,x,x,x,x,x,x,x,x,x]'];
    for (let i = 1; i < 9; i++)
      lines.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(',')}]`,
      );
    expect(await reason({ 'meta.yaml': lines.join('\n'), 'task.js': CODE })).toMatch(
      /^meta\.yaml: not valid YAML: Excessive alias count/,
    );
  });

  it('is not found where there is no folder', async () => {
    await expect(readTaskFolder(join(base, 'nowhere'))).rejects.toMatchObject({ code: 'not_found' });
  });
});

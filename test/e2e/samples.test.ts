/** Every sample runs in the whole app against a server that plays the HTTP API, answers rightly, and replays the same. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPatternCheck } from '../../infra/pattern-check.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import { openSandbox } from '../../infra/sandbox/pool.ts';
import { openSchemaCheck } from '../../infra/schema-check.ts';
import { folderSource } from '../../infra/task-source.ts';
import { makeCsv } from '../../sample/make-csv.ts';
import type { Sandbox } from '../../src/ports/sandbox.ts';
import { runTest, type TestDeps } from '../../src/reactors/run-tests.ts';
import { openTestApp, TEST_SETTINGS, type TestApp } from '../support/app.ts';
import { type HttpApi, startHttpApi } from '../support/http-api.ts';
import { countRequests, replayed } from '../support/replayed.ts';

const ROOT = 'sample/js-tasks';
const SAMPLES = await folderSource({ name: 'samples', root: ROOT }).list();
const ROWS = 10_000;

let app: TestApp;
let api: HttpApi;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ratchet-samples-'));
  await writeFile(join(folder, 'sales.csv'), makeCsv(ROWS));
  api = await startHttpApi();
  app = await openTestApp({ sources: [{ name: 'samples', root: ROOT, watch: false }], fileRoots: [folder] });
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await api.close();
  await rm(folder, { recursive: true, force: true });
});

/** Runs a sample to its end and replays it. */
async function ran(task: string, input: object, more: object = {}) {
  const result = await app.run(task, input, more);
  await replayed(app, result['execution_id']);
  return result;
}

test('all samples are published from their folder', async () => {
  const { tasks } = await app.call('list_available_tasks', {});
  const names = (tasks as { name: string }[]).map((task) => task.name).toSorted();
  expect(names).toEqual(
    [
      'csv-parser',
      'data-processor',
      'flaky',
      'generate-report',
      'http-get',
      'pipeline',
      'streaming-example',
      'transform-data',
      'validate-csv',
      'weather-api',
    ].toSorted(),
  );
  expect(SAMPLES.broken).toEqual([]);
});

test('requests of a run are seen, so that none in a replay means none', async () => {
  const { value, requests } = await countRequests(() => app.run('http-get', { url: `${api.url}/json` }));
  expect(value).toMatchObject({ status: 'completed' });
  expect(requests).toBe(1);
});

describe('weather-api', () => {
  test('tells the weather of a city in both unit systems', async () => {
    const metric = await ran('weather-api', { city: 'Berlin', base_url: api.url });
    expect(metric['output']).toEqual({
      city: 'Berlin',
      country: 'Germany',
      units: 'metric',
      temperature: 13.7,
      temperature_unit: '°C',
      humidity: 61,
      wind_speed: 12.4,
      wind_speed_unit: 'km/h',
      condition: 'overcast',
      observed_at: '2026-01-15T12:00',
    });
    const imperial = await ran('weather-api', { location: 'New York', units: 'imperial', base_url: api.url });
    expect(imperial['output']).toMatchObject({ city: 'New York', temperature: 67.3, temperature_unit: '°F' });
  });

  test('fails with a DataError for a city nobody knows', async () => {
    const result = await ran('weather-api', { city: 'Atlantis', base_url: api.url });
    expect(result).toMatchObject({
      status: 'failed',
      error: { code: 'task_failed', error_type: 'DataError', message: 'No city is named "Atlantis"' },
    });
  });
});

test('csv-parser reads text and files with quotes, separators and types', async () => {
  const csv = 'name;age;ok\r\n"Ada; ""the"" first";36;true\r\nBob;;false\r\n';
  expect(await ran('csv-parser', { csv, delimiter: ';' })).toMatchObject({
    output: {
      columns: ['name', 'age', 'ok'],
      row_count: 2,
      rows: [
        { name: 'Ada; "the" first', age: 36, ok: true },
        { name: 'Bob', age: null, ok: false },
      ],
    },
  });
  const fromFile = await ran('csv-parser', { file: join(folder, 'sales.csv'), limit: 1 });
  expect(fromFile['output']).toMatchObject({ row_count: ROWS, rows: [{ order_id: 1 }] });
});

test('data-processor filters, sorts, groups and sums', async () => {
  const input = [
    { city: 'Oslo', sales: 3 },
    { city: 'Rome', sales: 4 },
    { city: 'Oslo', sales: 5 },
  ];
  const filters = [{ field: 'sales', op: 'gte', value: 3 }];
  const result = await ran('data-processor', { input, filters, sort_by: 'sales', descending: true, group_by: 'city' });
  expect(result['output']).toEqual({
    total: 3,
    matched: 3,
    rows: [input[2], input[1], input[0]],
    summary: { sales: { count: 3, sum: 12, min: 3, max: 5, mean: 4 } },
    groups: [
      { value: 'Oslo', count: 2, summary: { sales: { count: 2, sum: 8, min: 3, max: 5, mean: 4 } } },
      { value: 'Rome', count: 1, summary: { sales: { count: 1, sum: 4, min: 4, max: 4, mean: 4 } } },
    ],
  });
});

test('validate-csv names the rows that do not fit', async () => {
  const result = await ran('validate-csv', { csv: 'a,b\n1,2\n3\n' });
  expect(result['output']).toMatchObject({
    valid: false,
    row_count: 2,
    errors: [{ row: 3, column: '', message: 'expected 2 fields, found 1' }],
  });
});

test('transform-data types and renames columns, and refuses what does not convert', async () => {
  const schema = { columns: [{ name: 'n', type: 'integer' }] };
  const good = await ran('transform-data', { csv: 'n,x\n1,a\n2,b\n', schema, rename: { n: 'number' } });
  expect(good['output']).toMatchObject({
    row_count: 2,
    data: [{ number: 1 }, { number: 2 }],
    statistics: [{ column: 'number', count: 2, sum: 3, mean: 1.5 }],
  });
  const bad = await ran('transform-data', { csv: 'n\nx\n', schema });
  expect(bad['error']).toMatchObject({ error_type: 'DataError', message: 'Row 2, column "n": "x" is no integer' });
});

test('http-get hands on any status, and JSON or text', async () => {
  const json = await ran('http-get', { url: `${api.url}/json` });
  expect(json['output']).toMatchObject({ ok: true, status: 200, body: { message: 'hello', items: [1, 2, 3] } });
  const text = await ran('http-get', { url: `${api.url}/text`, headers: { accept: 'text/plain' } });
  expect(text['output']).toMatchObject({ content_type: 'text/plain', body: 'plain text' });
  const missing = await ran('http-get', { url: `${api.url}/status/404` });
  expect(missing['output']).toMatchObject({ ok: false, status: 404, body: { error: 'status 404' } });
});

test('streaming-example works through all items', async () => {
  const result = await ran('streaming-example', { items: 25, batch_size: 10, delay_ms: 5 });
  expect(result['output']).toEqual({ processed: 25, batches: 3, checksum: 5525 });
});

describe('flaky', () => {
  test.each([
    ['network', 'NetworkError'],
    ['timeout', 'TimeoutError'],
    ['rate_limit', 'RateLimitError'],
    ['server_error', 'ServiceUnavailableError'],
    ['auth', 'AuthenticationError'],
    ['forbidden', 'AuthorizationError'],
    ['not_found', 'HttpError'],
    ['null_access', 'TypeError'],
    ['error', 'Error'],
  ])('fails by %s with a %s, over HTTP and without', async (fail, error_type) => {
    const code = 'task_failed';
    expect(await ran('flaky', { fail, base_url: api.url })).toMatchObject({ error: { code, error_type } });
    expect(await ran('flaky', { fail })).toMatchObject({ status: 'failed', error: { code, error_type } });
  });

  test('fails when its output is against the schema', async () => {
    const result = await ran('flaky', { fail: 'schema' });
    expect(result['error']).toMatchObject({ code: 'output_schema_violation', data: { path: '/ok' } });
  });

  test('succeeds on the attempt that was asked for, and every attempt replays', async () => {
    const retry = { max_attempts: 5, initial_ms: 1 };
    const result = await ran('flaky', { fail: 'then_succeeds', succeed_on_attempt: 3 }, { retry });
    expect(result['output']).toEqual({ ok: true, attempt: 3 });
    for (const attempt of [1, 2, 3]) await replayed(app, result['execution_id'], attempt);
  });
});

describe('generate-report', () => {
  test('writes a PDF whose pages, offsets and text are right', async () => {
    const rows = Array.from({ length: 150 }, (_, index) => ({ index, name: `row (${index})` }));
    const result = await ran('generate-report', { title: 'Sales 2025', format: 'pdf', data: { total: 150, rows } });
    const output = result['output'] as { pages: number; bytes: number; content: string };
    const pdf = Buffer.from(output.content, 'base64');
    expect(pdf.length).toBe(output.bytes);
    expect(output.pages).toBe(3);
    expectPdf(pdf, output.pages, ['Sales 2025', 'total: 150', '- index: 149, name: row (149)']);
  });
});

describe('pipeline', () => {
  test('validates, transforms and reports on a file of 10,000 rows', async () => {
    const result = await ran('pipeline', { file: join(folder, 'sales.csv'), title: 'Orders' });
    expect(result['error']).toBeNull();
    const output = result['output'] as {
      row_count: number;
      columns: object[];
      statistics: { column: string; count: number; sum: number }[];
      report: { pages: number; content: string };
    };
    expect(output.row_count).toBe(ROWS);
    expect(output.columns).toContainEqual({ name: 'date', type: 'date' });
    const byColumn = Object.fromEntries(output.statistics.map((one) => [one.column, one]));
    expect(byColumn['order_id']).toMatchObject({ count: ROWS, sum: (ROWS * (ROWS + 1)) / 2 });
    expect(byColumn['quantity']).toMatchObject({ count: ROWS, sum: columnSum(makeCsv(ROWS), -4) });
    expect(byColumn['rating']?.count).toBeLessThan(ROWS);
    expectPdf(Buffer.from(output.report.content, 'base64'), output.report.pages, ['Orders', `rows: ${ROWS}`]);

    const children = await app.call('list_executions', { parent_id: result['execution_id'], order: 'oldest' });
    const told = children['executions'] as { task_name: string; execution_id: string }[];
    expect(told.map((child) => child.task_name)).toEqual(['validate-csv', 'transform-data', 'generate-report']);
    for (const child of told) await replayed(app, child.execution_id);
  });

  test('stops at data that is not valid', async () => {
    const result = await ran('pipeline', { csv: 'a,b\n1\n' });
    expect(result['error']).toMatchObject({ error_type: 'ValidationError' });
    const children = await app.call('list_executions', { parent_id: result['execution_id'] });
    expect(children['executions']).toHaveLength(1);
  });
});

describe('the tests beside the samples', () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await openSandbox({ size: 2, warm: 1 });
  });
  afterAll(() => sandbox.close());

  test.each(SAMPLES.tasks.flatMap((task) => task.tests.map((one) => [task.name, one.name] as const)))(
    '%s: %s',
    async (taskName, testName) => {
      const find = (name: string) => SAMPLES.tasks.find((task) => task.name === name);
      const task = find(taskName);
      const one = task?.tests.find((candidate) => candidate.name === testName);
      if (task === undefined || one === undefined) throw new Error('the test is gone');
      const deps: TestDeps = {
        sandbox,
        runtime: systemRuntime(),
        schemas: openSchemaCheck(),
        patterns: openPatternCheck(),
        limits: TEST_SETTINGS.limits,
        world: () => ({
          asked: async () => undefined,
          perform: (call) => Promise.reject(new Error(`${call.name} was called without a mock`)),
        }),
        find,
      };
      const { reason } = await runTest(deps, task, one);
      expect(reason).toBeNull();
    },
  );

  test('stand beside every sample', () => {
    expect(SAMPLES.tasks.filter((task) => task.tests.length === 0).map((task) => task.name)).toEqual([]);
  });
});

/** Sum of a column counted from the end, where no field holds a comma. */
function columnSum(csv: string, column: number): number {
  const lines = csv.trim().split('\n').slice(1);
  return lines.reduce((sum, line) => sum + Number(line.split(',').at(column)), 0);
}

/** By pdftotext where the system has it, and by the structure of the file everywhere. */
function expectPdf(pdf: Buffer, pages: number, words: readonly string[]): void {
  const file = pdf.toString('latin1');
  expect(file.startsWith('%PDF-1.4\n')).toBe(true);
  const xref = Number(/startxref\n(\d+)\n%%EOF\n$/.exec(file)?.[1]);
  const table = /^xref\n0 (\d+)\n/.exec(file.slice(xref));
  const size = Number(table?.[1]);
  const entries = file.slice(xref + (table?.[0].length ?? 0)).match(/\d{10} \d{5} [nf] \n/g) ?? [];
  expect(entries).toHaveLength(size);
  for (const [number, entry] of entries.entries()) {
    if (number > 0) expect(file.slice(Number(entry.slice(0, 10))).startsWith(`${number} 0 obj\n`)).toBe(true);
  }
  for (const [, length, stream] of file.matchAll(/<< \/Length (\d+) >>\nstream\n([\s\S]*?)\nendstream/g)) {
    expect(stream).toHaveLength(Number(length));
  }
  expect(file.match(/\/Type \/Page /g)).toHaveLength(pages);
  const text = pdfText(pdf) ?? file.replaceAll(/\\([()\\])/g, '$1');
  for (const word of words) expect(text).toContain(word);
}

function pdfText(pdf: Buffer): string | null {
  try {
    return execFileSync('pdftotext', ['-layout', '-', '-'], { input: pdf, encoding: 'utf8' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

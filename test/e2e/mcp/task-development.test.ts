import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokensAtMost } from '../../../src/interfaces/mcp/token-budget.ts';
import { openTestApp, type TestApp } from '../../support/app.ts';
import { type Era, type McpServed, serveMcp } from '../../support/mcp.ts';

let app: TestApp;
let served: McpServed;

beforeAll(async () => {
  app = await openTestApp();
  served = await serveMcp(app);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

const SCHEMA = { type: 'object' };
const CODE = `function main({ city }) {
  const answer = fetch('https://weather.example/now?city=' + city).body;
  return { celsius: answer.kelvin - 273.15, city: ctiy };
}`;
const MOCK = { http: [{ url: 'weather.example', method: 'GET', response: { status: 200, body: { kelvin: 300.15 } } }] };
const TESTS = [
  { name: 'warm', input: { city: 'Rome' }, expected_output: { celsius: 27, city: 'Rome' }, mock: MOCK },
  {
    name: 'no answer',
    input: { city: 'Rome' },
    should_fail: true,
    mock: { http: { url: 'weather', never: false, error: { name: 'NetworkError' } } },
  },
];

describe.each<Era>(['legacy', 'modern'])('an agent of the %s era', (era) => {
  const name = `weather-${era}`;

  async function tool(of: string, args: object): Promise<{ told: Record<string, unknown>; isError: boolean }> {
    const client = await served.client(era);
    const { structuredContent, isError } = await client.callTool({ name: of, arguments: { ...args } });
    return { told: { ...(structuredContent as object) }, isError: isError === true };
  }

  it('writes a task with a bug, and is told of it when it is created', async () => {
    const { told } = await tool('create_task', {
      name,
      description: 'Tells the weather.',
      code: CODE,
      input_schema: SCHEMA,
      output_schema: SCHEMA,
      tags: ['weather'],
      category: 'demo',
      test_cases: TESTS,
    });
    expect(told).toMatchObject({ name, version: 1, status: 'enabled', problems: [{ code: 'unknown_name' }] });
  });

  it('sees line and column when it validates', async () => {
    const { told } = await tool('validate_task', { task_id: name });
    expect(told).toMatchObject({
      valid: false,
      errors: 1,
      tests: null,
      problems: [
        {
          code: 'unknown_name',
          line: 3,
          column: 51,
          suggestions: ['city'],
        },
      ],
    });
  });

  it('sees the failing test and its line', async () => {
    const { told } = await tool('run_task_tests', { task_id: name });
    expect(told).toMatchObject({
      passed: 1,
      failed: 1,
      results: [
        {
          name: 'warm',
          passed: false,
          error: {
            name: 'ReferenceError',
            line: 3,
          },
        },
        { name: 'no answer' },
      ],
    });
  });

  it('is told how often a patch fits, and of the test that still fails; then fixes it, and the tests pass', async () => {
    const loose = await tool('edit_task', { task_id: name, patch: [{ find: 'city', replace: 'town' }] });
    expect(loose).toMatchObject({
      isError: true,
      told: { error: { code: 'invalid_request', details: { occurrences: 4, lines: [1, 2, 3] } } },
    });
    const wrong = await tool('edit_task', { task_id: name, patch: [{ find: 'ctiy', replace: 'city + 1' }] });
    expect(wrong).toMatchObject({
      isError: true,
      told: {
        error: { code: 'invalid_task', details: { test: 'warm', tests: [{ difference: [{ path: '/city' }] }] } },
      },
    });
    const { told } = await tool('edit_task', {
      task_id: name,
      base_version: 1,
      patch: [{ find: 'ctiy', replace: 'city' }],
    });
    expect(told).toMatchObject({
      version: 2,
      previous_version: 1,
      changed_parts: ['code'],
      problems: [],
      tests: { passed: 2, failed: 0 },
    });
    expect((await tool('run_task_tests', { task_id: name, parallel: true })).told).toMatchObject({
      passed: 2,
      failed: 0,
    });
  });

  it('is refused an edit of a version that is no longer current', async () => {
    const { told, isError } = await tool('edit_task', { task_id: name, base_version: 1, description: 'Old.' });
    expect(isError).toBe(true);
    expect(told).toMatchObject({
      error: { code: 'version_conflict', details: { actual: 2, code_difference: { line: 3 } } },
    });
  });

  it('deletes the task, which can be taken back', async () => {
    const { told } = await tool('delete_task', { task_id: name });
    expect(told).toMatchObject({ status: 'deleted', restore: `POST /api/v1/tasks/${String(told['id'])}/restore` });
    expect((await tool('validate_task', { task_id: name })).isError).toBe(true);
    const restored = await fetch(`${served.url}${String(told['restore']).replace('POST ', '')}`, { method: 'POST' });
    expect(restored.status).toBe(200);
    expect((await tool('validate_task', { task_id: name })).told).toMatchObject({ valid: true, version: 2 });
  });

  it('is asked for schemas', async () => {
    const { told, isError } = await tool('create_task', { name: 'bare', description: '', code: CODE });
    expect(isError).toBe(true);
    expect(told).toMatchObject({ error: { code: 'invalid_request' } });
  });

  it('gets answers within its budget, the failing tests first', async () => {
    const test_cases = Array.from({ length: 60 }, (_, n) => ({
      name: `case ${n}`,
      input: n,
      expected_output: n === 50 ? 'other' : n,
    }));
    const given = {
      description: '',
      code: 'function main(n) { console.log("x".repeat(500)); return n; }',
      input_schema: {},
      output_schema: {},
    };
    await tool('create_task', { name: `many-${era}`, ...given, test_cases });
    const { told } = await tool('run_task_tests', { task_id: `many-${era}`, max_tokens: 1_000 });
    expect(told).toMatchObject({ passed: 59, failed: 1, truncated: true, omitted: { count: expect.any(Number) } });
    expect(told['results']).toContainEqual(expect.objectContaining({ name: 'case 50', passed: false }));
    expect(tokensAtMost(JSON.stringify(told))).toBeLessThanOrEqual(1_000);
  });
});

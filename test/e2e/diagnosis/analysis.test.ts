/** Why tasks fail, as an analysis tells it: one golden case for each way of failing, each statement proven by events. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Analysis } from '../../../src/domain/diagnosis/analysis.ts';
import { RatchetError } from '../../../src/domain/errors.ts';
import { streamName } from '../../../src/domain/event.ts';
import { parse } from '../../../src/interfaces/operation.ts';
import { OPERATIONS } from '../../../src/interfaces/operations.ts';
import { openTestApp, TEST_SETTINGS, type TestApp } from '../../support/app.ts';
import type { GoldenFailure } from '../../support/failures/golden.ts';
import { FAILURES_OF_LIMITS } from '../../support/failures/of-limits.ts';
import { FAILURES_OF_STEPS } from '../../support/failures/of-steps.ts';
import { FAILURES_THROWN } from '../../support/failures/of-thrown.ts';
import { FAILURES_OF_VALUES } from '../../support/failures/of-values.ts';
import { type HttpApi, startHttpApi } from '../../support/http-api.ts';

const GOLDEN = [...FAILURES_OF_STEPS, ...FAILURES_OF_VALUES, ...FAILURES_OF_LIMITS, ...FAILURES_THROWN];
const UUID = /[0-9a-f]{8}-[0-9a-f-]{27}/g;

let app: TestApp;
let api: HttpApi;
const executions = new Map<string, string>();

beforeAll(async () => {
  api = await startHttpApi();
  app = await openTestApp({
    workers: 4,
    warmWorkers: 2,
    limits: { ...TEST_SETTINGS.limits, maxOutputBytes: 1_000_000, maxLogLines: 300, maxSteps: 200 },
    stepLimits: { httpTimeoutMs: 10_000, maxBodyBytes: 64 * 1024 },
  });
  // The debugger is asked in a test of its own; here its absence must not matter.
  vi.spyOn(app.app.core.debugging, 'once').mockRejectedValue(new RatchetError('unsupported', 'no debugger here'));
  await app.task('strict', 'function main({ n }) { return n; }', {
    input_schema: { type: 'object', properties: { n: { type: 'integer' } } },
  });
  await app.task('finder', 'function main() { return { place: null }; }');
  await app.task('null-child', 'function main(input) {\n  return input.user.name.first;\n}');
  await Promise.all(GOLDEN.map(async (golden) => executions.set(golden.name, await run(golden))));
}, 60_000);

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await api.close();
});

async function run({ name, code, input, task = {}, options = {} }: GoldenFailure): Promise<string> {
  await app.task(name, code, task);
  const { execution_id } = await app.run(name, input?.(api.url) ?? {}, { timeout: 20, ...options });
  return String(execution_id);
}

function analyze(name: string, more: object = {}): Promise<Analysis> {
  const input = { execution_id: executions.get(name), ...more };
  return app.call('analyze_execution_error', input) as unknown as Promise<Analysis>;
}

async function eventTypes(executionId: string): Promise<ReadonlyMap<string, string>> {
  const events = await app.app.store.readStream(streamName('execution', executionId));
  return new Map(events.map(({ position, type }) => [position, type]));
}

const shown = (text: string | undefined): string | undefined =>
  text?.replaceAll(new URL(api.url).host, 'API').replaceAll(UUID, 'ID');

describe('an analysis', () => {
  test.each(GOLDEN.map((golden) => [golden.name, golden] as const))('of %s', async (name, { expected }) => {
    const analysis = await analyze(name);
    const { context } = analysis;
    const types = await eventTypes(analysis.execution_id);
    const line = context?.failing_line;
    const step = context?.failing_step;
    expect({
      kind: analysis.kind,
      line: line ? [line.line, line.function] : null,
      step: step ? [step.path, step.relation] : undefined,
      summary: shown(analysis.summary),
      suggestion: shown(analysis.suggestions[0]),
      next: analysis.next_calls.map(({ operation }) => operation).filter((operation) => !operation.startsWith('debug')),
      evidence: analysis.evidence.map(({ events }) => events.map((position) => types.get(position))),
    }).toEqual({ step: undefined, ...expected });
  });

  test('names next calls that their operations accept', async () => {
    for (const name of executions.keys()) {
      for (const { operation, input } of (await analyze(name, { include_context: false })).next_calls) {
        const found = OPERATIONS.find((candidate) => candidate.name === operation);
        expect(found, operation).toBeDefined();
        if (found !== undefined) expect(() => parse(found.input, input)).not.toThrow();
      }
    }
  });

  test('says why there are no variables where the debugger gives none', async () => {
    expect((await analyze('http')).context).toMatchObject({
      variables: null,
      variables_unavailable: 'unsupported: no debugger here',
    });
    expect((await analyze('computes')).context?.variables_unavailable).toMatch(/^the attempt was ended from outside/);
  });

  test('is the same byte for byte when it is asked for again, and adds nothing to the execution', async () => {
    for (const name of ['null-from-answer', 'dependency', 'waits-for-post', 'subtask', 'wrapped']) {
      const before = await eventTypes(executions.get(name) ?? '');
      const [first, second] = [await analyze(name), await analyze(name)];
      expect(JSON.stringify(second)).toBe(JSON.stringify(first));
      expect(await eventTypes(executions.get(name) ?? '')).toEqual(before);
    }
  });

  test('shows three lines around the failing one, from the version that ran', async () => {
    await app.call('edit_task', { task_id: 'null-from-answer', code: 'function main() { return "repaired"; }' });
    const { context } = await analyze('null-from-answer');
    expect(context?.failing_line?.lines.map(({ line, failing }) => [line, failing])).toEqual([
      [4, false],
      [5, false],
      [6, false],
      [7, true],
      [8, false],
    ]);
    expect(context?.failing_line?.lines[3]?.text).toBe('  return answer.data.items[0].id;');
  });

  test('names what was null, and the place in the record that it came from', async () => {
    expect((await analyze('null-from-answer')).context?.missing_value).toEqual({
      expression: 'answer.data',
      value: 'undefined',
      property: 'items',
      came_from: {
        from: 'step',
        step: '1',
        pointer: '/body/data',
        said: `the answer of step 1 (GET ${api.url}/json) has no /body/data, only message, items`,
      },
    });
  });

  test('follows a subtask to its own cause', async () => {
    const { context, next_calls } = await analyze('subtask');
    expect(context?.subtask).toMatchObject({
      task: 'null-child',
      kind: 'null_access',
      failing_line: { file: 'null-child/main.js', line: 2, function: 'main' },
    });
    const [first] = next_calls;
    expect(first?.operation).toBe('analyze_execution_error');
    expect(await app.call('analyze_execution_error', { ...first?.input })).toMatchObject({ kind: 'null_access' });
  });

  test('tells the chain of causes with the place of each', async () => {
    expect((await analyze('wrapped')).root_cause).toMatchObject([
      { error_type: 'Error', line: 5, function: 'load' },
      { error_type: 'SyntaxError', line: 3, function: 'load' },
    ]);
  });

  test('tells what a retry would do a second time', async () => {
    expect((await analyze('posted-then-down')).retry).toMatchObject({
      helps: 'later',
      after_seconds: 1,
      done_again: [{ path: '1' }],
    });
  });

  test('leaves out suggestions and context where they are not wanted', async () => {
    const bare = await analyze('http', { include_suggestions: 'false', include_context: false });
    expect(bare).toMatchObject({ kind: 'http_refused', context: null, suggestions: [], next_calls: [] });
    expect(bare).toMatchObject({ error_type: 'HttpError', recoverable: false, status: 'failed' });
  });
});

/** Variables at the failing line, seen by the debugger in a replay of the failed attempt. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Analysis } from '../../../src/domain/diagnosis/analysis.ts';
import { openTestApp, type TestApp } from '../../support/app.ts';
import { FAILURES_OF_VALUES } from '../../support/failures/of-values.ts';
import { type HttpApi, startHttpApi } from '../../support/http-api.ts';
import { countRequests } from '../../support/replayed.ts';

let app: TestApp;
let api: HttpApi;

beforeAll(async () => {
  api = await startHttpApi();
  app = await openTestApp({ secrets: { token: { value: 'swordfish/41+x=', allowedHosts: ['127.0.0.1'] } } });
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await api.close();
});

async function failed(name: string, code: string, input: unknown): Promise<Analysis> {
  await app.task(name, code);
  const { execution_id } = await app.run(name, input);
  const asked = () => app.call('analyze_execution_error', { execution_id });
  const { value, requests } = await countRequests(asked);
  expect(requests).toBe(0);
  expect(JSON.stringify(await asked())).toBe(JSON.stringify(value));
  return value as unknown as Analysis;
}

const shown = ({ context }: Analysis) =>
  Object.fromEntries((context?.variables ?? []).map(({ name, value }) => [name, value]));

test.each([
  ['null-from-answer', { answer: { message: 'hello', items: [1, 2, 3] } }],
  ['null-element', { order: { customer: null } }],
  ['range', { size: -1 }],
])('of %s are those of the failing frame, and nothing goes out', async (name, expected) => {
  const golden = FAILURES_OF_VALUES.find((candidate) => candidate.name === name);
  const analysis = await failed(name, golden?.code ?? '', golden?.input?.(api.url) ?? {});
  expect(shown(analysis)).toMatchObject(expected);
  expect(analysis.context?.variables_unavailable).toBeNull();
});

test('a next call of the debugger stops on the failing line', async () => {
  const code = 'function main(input) {\n  const { order } = input;\n  return order.customer.name;\n}';
  const analysis = await failed('stops', code, { order: {} });
  const next = analysis.next_calls.find(({ operation }) => operation === 'debug_execution');
  expect(next?.input).toEqual({ execution_id: analysis.execution_id, breakpoints: [{ line: 3 }] });
  const report = await app.call('debug_execution', { ...next?.input });
  expect(report).toMatchObject({ hits: [{ line: 3, reason: 'breakpoint' }] });
});

test('hold the exception that ended the attempt, not one that was caught before, and placeholders for secrets', async () => {
  const code = `function parts(text) {
  try { return JSON.parse(text); } catch { return null; }
}
function main({ texts }) {
  const token = secret('token');
  const found = texts.map(parts);
  const missing = found.indexOf(null);
  throw new DataError('not JSON: ' + missing + token.length);
}`;
  const analysis = await failed('caught', code, { texts: ['{}', '{'] });
  expect(shown(analysis)).toMatchObject({ token: '{{secret:token}}', found: [{}, null], missing: 1 });
});

/** Reads the tests that stand beside a task, with all the spellings that authors use, into one shape. */
import { z } from 'zod';
import type { Json } from '../src/domain/event.ts';
import type { HttpMock, TaskTest } from '../src/ports/task-source.ts';

const json: z.ZodType<Json> = z.json();
const text = z.string().max(16_384);

const headerValue = z.union([z.string(), z.number(), z.boolean()]).transform(String);

const httpMock = z
  .looseObject({
    url: z.string().min(1),
    method: z.string().nullish(),
    response: z.looseObject({
      ok: z.boolean().nullish(),
      status: z.int().min(100).max(599).nullish(),
      statusText: z.string().nullish(),
      headers: z.record(z.string(), headerValue).nullish(),
      body: json.optional(),
    }),
  })
  .transform(
    ({ url, method, response }): HttpMock => ({
      url,
      method: method?.toUpperCase() ?? null,
      response: {
        ok: response.ok ?? null,
        status: response.status ?? null,
        statusText: response.statusText ?? null,
        headers: response.headers ?? {},
        body: response.body ?? null,
      },
    }),
  );

const assertion = z.looseObject({
  path: z.string().default(''),
  operator: z.enum(['equals', 'contains', 'matches', 'gt', 'gte', 'lt', 'lte', 'exists', 'type']),
  expected: json.default(null),
});

const testFile = z.looseObject({
  name: text.nullish(),
  description: text.nullish(),
  input: json.default({}),
  expected_output: json.optional(),
  expected: json.optional(),
  expected_error: z.union([z.string(), z.boolean(), z.looseObject({ message: z.string() })]).nullish(),
  should_fail: z.boolean().nullish(),
  mock: z.looseObject({ http: z.union([z.array(httpMock), httpMock.transform((one) => [one])]).nullish() }).nullish(),
  assertions: z.array(assertion).nullish(),
});

/**
 * @param value the parsed file, or one of `test_cases`
 * @param fallbackName used when the author gave none
 * Fails with a `ZodError` that names the field.
 */
export function parseTest(value: unknown, fallbackName: string): TaskTest {
  const test = testFile.parse(value);
  return {
    name: test.name?.trim() || fallbackName,
    description: test.description ?? null,
    input: test.input,
    expectation: expectationOf(test),
    mocks: test.mock?.http ?? [],
    assertions: (test.assertions ?? []).map(({ path, operator, expected }) => ({ path, operator, expected })),
  };
}

/** An expected failure wins over an expected output: authors leave `expected_output: null` beside it. */
function expectationOf(test: z.infer<typeof testFile>): TaskTest['expectation'] {
  const error = test.expected_error;
  if (typeof error === 'string') return { kind: 'error', contains: error };
  if (typeof error === 'object' && error !== null) return { kind: 'error', contains: error.message };
  if (error === true || test.should_fail === true) return { kind: 'any-error' };
  const output = test.expected_output === undefined ? test.expected : test.expected_output;
  return output === undefined ? { kind: 'none' } : { kind: 'output', value: output };
}

/** Reads the tests that stand beside a task, with all the spellings that authors use, into one shape. */
import { z } from 'zod';
import { RatchetError } from '../src/domain/errors.ts';
import type { Json } from '../src/domain/event.ts';
import type { HttpMock, StepMock, TaskTest } from '../src/ports/task-source.ts';
import type { TestCases } from '../src/ports/test-cases.ts';

const json: z.ZodType<Json> = z.json();
const text = z.string().max(16_384);

const headerValue = z.union([z.string(), z.number(), z.boolean()]).transform(String);

const thrown = z
  .looseObject({
    name: z.string().max(200).default('Error'),
    message: z.string().default(''),
    data: z.record(z.string(), json).default({}),
  })
  .transform(({ name, message, data }) => ({ name, message, data }));

/** What a mock of any kind may say. */
const mockFields = {
  times: z.int().positive().nullish(),
  delay_ms: z.number().nonnegative().nullish(),
  never: z.boolean().nullish(),
  order: z.int().nullish(),
  error: thrown.nullish(),
};
type MockFields = z.infer<z.ZodObject<typeof mockFields>>;

type Given<Fields> = { [Name in keyof Fields]?: NonNullable<Fields[Name]> };

/** Only what is given: a test that says nothing of it stays the content that it was. */
function given<Fields extends object>(fields: Fields): Given<Fields> {
  const told: Given<Fields> = {};
  for (const name in fields) {
    const value = fields[name];
    if (value !== undefined && value !== null) told[name] = value;
  }
  return told;
}

function mockOf({ times, delay_ms: delayMs, never, order, error }: MockFields) {
  return { ...given({ times, delayMs, order, error }), ...(never === true ? { never } : {}) };
}

const headerPairs = z.array(z.tuple([z.string(), headerValue]));

const response = z
  .looseObject({
    ok: z.boolean().nullish(),
    status: z.int().min(100).max(599).nullish(),
    statusText: z.string().nullish(),
    headers: z.union([headerPairs, z.record(z.string(), headerValue)]).nullish(),
    body: json.optional(),
    bodyEncoding: z.enum(['utf8', 'base64']).nullish(),
    url: z.string().nullish(),
    redirected: z.boolean().nullish(),
  })
  .transform(({ bodyEncoding, url, redirected, ...told }): HttpMock['response'] => ({
    ok: told.ok ?? null,
    status: told.status ?? null,
    statusText: told.statusText ?? null,
    headers: told.headers ?? {},
    body: told.body ?? null,
    ...given({ bodyEncoding, url, redirected }),
  }));

const NO_RESPONSE: HttpMock['response'] = { ok: null, status: null, statusText: null, headers: {}, body: null };

const httpMock = z
  .looseObject({
    url: z.string().min(1),
    method: z.string().nullish(),
    response: response.optional(),
    ...mockFields,
  })
  .refine((mock) => mock.response !== undefined || (mock.error ?? null) !== null || mock.never === true, {
    path: ['response'],
    message: 'give a response, an error, or never: true',
  })
  .transform(
    (mock): HttpMock => ({
      url: mock.url,
      method: mock.method?.toUpperCase() ?? null,
      response: mock.response ?? NO_RESPONSE,
      ...mockOf(mock),
    }),
  );

const stepMock = z
  .looseObject({
    kind: z.enum(['sleep', 'task', 'file', 'mcp', 'llm', 'ask', 'hmac']),
    name: z.string().nullish(),
    value: json.optional(),
    ...mockFields,
  })
  .transform(
    (mock): StepMock => ({
      kind: mock.kind,
      ...given({ name: mock.name }),
      value: mock.value ?? null,
      ...mockOf(mock),
    }),
  );

const MAX_CLOCK = 8.64e15;

const clock = z.union([
  z.int().min(0).max(MAX_CLOCK),
  z.iso.datetime({ offset: true }).transform((instant) => Date.parse(instant)),
]);

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
  mock: z
    .looseObject({
      http: z.union([z.array(httpMock), httpMock.transform((one) => [one])]).nullish(),
      steps: z.array(stepMock).nullish(),
    })
    .nullish(),
  clock: clock.nullish(),
  seed: z
    .string()
    .regex(/^[0-9a-f]{64}$/i, '32 bytes in hex')
    .nullish(),
  context: z
    .object({ executionId: text, taskId: text, taskVersion: text, jobId: text, attempt: z.int().positive() })
    .partial()
    .transform((context) => given(context))
    .nullish(),
  assertions: z.array(assertion).nullish(),
});

/**
 * @param value the parsed file, or one of `test_cases`
 * @param fallbackName used when the author gave none
 * Fails with a `ZodError` that names the field.
 */
export function parseTest(value: unknown, fallbackName: string): TaskTest {
  const test = testFile.parse(value);
  const steps = test.mock?.steps ?? [];
  return {
    name: test.name?.trim() || fallbackName,
    description: test.description ?? null,
    input: test.input,
    expectation: expectationOf(test),
    mocks: test.mock?.http ?? [],
    assertions: (test.assertions ?? []).map(({ path, operator, expected }) => ({ path, operator, expected })),
    ...(steps.length === 0 ? {} : { stepMocks: steps }),
    ...given({ clock: test.clock, seed: test.seed?.toLowerCase(), context: test.context }),
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

/** @returns a reader of tests that come through an interface. */
export function openTestCases(): TestCases {
  return {
    read: (test, place) => {
      const parsed = testFile.safeParse(test);
      if (parsed.success) return parseTest(test, place);
      const problems = parsed.error.issues
        .slice(0, 20)
        .map(({ path, message }) => ({ field: [place, ...path].map(String).join('.'), message }));
      const [first] = problems;
      throw new RatchetError('invalid_request', `${first?.field}: ${first?.message}`, { details: { problems } });
    },
  };
}

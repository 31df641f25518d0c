/** A task as people write it through an interface: the forms of a new one and of a change, and the definition they describe. */
import { z } from 'zod';
import type { Json } from '../src/domain/event.ts';
import type { TaskDefinition } from '../src/ports/task-source.ts';
import type { TestCases } from '../src/ports/test-cases.ts';
import { taskName } from './task.ts';

const json: z.ZodType<Json> = z.json();
const text = (max: number) => z.string().max(max);

/** Code larger than this is refused. */
const MAX_CODE = 5 * 1024 * 1024;
const MAX_EDITS = 100;

export const codeInput: z.ZodType<string> = text(MAX_CODE).min(1);

const testCase = z.strictObject({
  name: text(256).min(1),
  description: text(4_096).optional(),
  input: json,
  expected_output: json.optional(),
  expected_error: text(4_096).optional().describe('Passes when the task throws an error that says this.'),
  should_fail: z.boolean().optional().describe('Passes when the task throws any error.'),
  mock: z
    .record(z.string(), json)
    .optional()
    .describe('Answers of the outside: {http: [{url, method, response}], steps}.'),
  assertions: z.array(json).max(100).optional().describe('{path, operator, expected} on the output.'),
  clock: json.optional().describe('Time at the start, ISO or milliseconds.'),
  seed: text(64).optional().describe('32 bytes in hex, from which all randomness comes.'),
});
type TestCase = z.infer<typeof testCase>;

const testCases = z.array(testCase).max(1_000);

const patch = z
  .array(
    z.strictObject({
      find: text(MAX_CODE).min(1).describe('Occurs exactly once in the code.'),
      replace: text(MAX_CODE),
    }),
  )
  .min(1)
  .max(MAX_EDITS);

const fields = {
  description: text(16_384).default(''),
  code: codeInput,
  input_schema: json.default(true),
  output_schema: json.default(true),
  tags: z.array(text(64)).max(64).default([]),
  category: text(64).nullable().default(null),
  label: text(256).nullable().default(null),
  version: text(64).default('0.1.0').describe("The author's own version label."),
  timeout: z.number().positive().max(86_400).nullable().default(null).describe('Seconds.'),
  memory_mb: z.int().min(16).max(65_536).nullable().default(null),
  dangerous: z.boolean().default(false),
  style: z.enum(['auto', 'blocking', 'promise']).default('auto').describe('How fetch behaves.'),
  test_cases: testCases.default([]),
  metadata: z.record(z.string(), json).default({}),
};

export const createTaskInput = z.strictObject({ name: taskName, enabled: z.boolean().default(true), ...fields });
export type CreateTaskInput = z.infer<typeof createTaskInput>;

/** Whatever is left out stays as it is. */
export const updateTaskInput = z.strictObject({
  task_id: text(256).min(1).describe('Name or id of the task.'),
  base_version: z.int().positive().optional().describe('Refuse when another version has become current.'),
  description: text(16_384).optional(),
  code: codeInput.optional().describe('The whole code; or give patch.'),
  patch: patch.optional().describe('Exact replacements in the current code, made one after the other.'),
  input_schema: json.optional(),
  output_schema: json.optional(),
  tags: z.array(text(64)).max(64).optional(),
  category: text(64).nullable().optional(),
  label: text(256).nullable().optional(),
  version: text(64).optional(),
  timeout: z.number().positive().max(86_400).nullable().optional(),
  memory_mb: z.int().min(16).max(65_536).nullable().optional(),
  dangerous: z.boolean().optional(),
  style: z.enum(['auto', 'blocking', 'promise']).optional(),
  test_cases: testCases.optional(),
  metadata: z.record(z.string(), json).optional(),
  validate_changes: z
    .boolean()
    .default(true)
    .describe('Publish only what has no errors, and whose tests pass where code, schemas or tests change.'),
});
export type UpdateTaskInput = z.infer<typeof updateTaskInput>;

/** @returns the definition that {@link createTaskInput} describes. Fails with `invalid_request` for a test that can not be read. */
export function definitionOf(reader: TestCases, input: CreateTaskInput): TaskDefinition {
  return {
    name: input.name,
    uuid: null,
    version: input.version,
    label: input.label,
    description: input.description,
    tags: input.tags,
    category: input.category,
    author: null,
    license: null,
    dangerous: input.dangerous,
    timeoutMs: input.timeout === null ? null : Math.round(input.timeout * 1000),
    memoryMb: input.memory_mb,
    style: input.style,
    code: input.code,
    file: `${input.name}/main.js`,
    inputSchema: input.input_schema,
    outputSchema: input.output_schema,
    tests: testsOf(reader, input.test_cases),
    metadata: input.metadata,
  };
}

/** Fails with `invalid_request` naming each wrong field. */
export function testsOf(reader: TestCases, tests: readonly TestCase[]): TaskDefinition['tests'] {
  return tests.map((test, index) => reader.read(JSON.parse(JSON.stringify(test)), `test_cases.${index}`));
}

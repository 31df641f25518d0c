/** What can be asked about a task while it is developed: what is wrong with it, and whether its tests pass. */
import { z } from 'zod';
import { definitionOfVersion, existingTask } from '../../commands/task-definition.ts';
import { codeInput } from '../../commands/task-input.ts';
import { RatchetError } from '../domain/errors.ts';
import type { Json } from '../domain/event.ts';
import type { TaskDefinition } from '../ports/task-source.ts';
import { type Caller, type Core, command, type Operation } from './operation.ts';
import { countTests } from './operation-limits.ts';
import { toldRun } from './told-testing.ts';

const json: z.ZodType<Json> = z.json();
const taskId = z.string().min(1).max(256).describe('Name or id of the task.');

const validateInput = z.strictObject({
  task_id: taskId.optional(),
  code: codeInput.optional().describe("Code that is stored nowhere; with task_id it stands in for the task's."),
  input_schema: json.optional(),
  output_schema: json.optional(),
  run_tests: z.boolean().default(true).describe('Run the tests of the task too, when nothing is wrong before.'),
  syntax_only: z.boolean().default(false).describe('Look at the code alone, and run nothing.'),
});
type ValidateInput = z.infer<typeof validateInput>;

const testInput = z.strictObject({
  task_id: taskId,
  test_names: z.array(z.string().max(256)).max(1_000).default([]).describe('All tests when left out.'),
  stop_on_failure: z.boolean().default(false),
  include_traces: z.boolean().default(true).describe('Tell the spans of each test.'),
  parallel: z.boolean().default(false).describe('Several at once, as many as executions run at once.'),
});

async function validate(core: Core, input: ValidateInput, caller: Caller): Promise<object> {
  const { task, version } = input.task_id === undefined ? NO_TASK : existingTask(core.execute.directory, input.task_id);
  const stored = task === null ? unstored(input) : await definitionOfVersion(core.publish, task, version);
  const definition: TaskDefinition = {
    ...stored,
    code: input.code ?? stored.code,
    inputSchema: input.syntax_only ? true : (input.input_schema ?? stored.inputSchema),
    outputSchema: input.syntax_only ? true : (input.output_schema ?? stored.outputSchema),
  };
  const all = core.testing.check(definition);
  const problems = input.syntax_only ? all.filter(({ code }) => OF_SYNTAX.has(code)) : all;
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  const isTested = input.run_tests && !input.syntax_only && errors === 0 && definition.tests.length > 0;
  const run = isTested ? await runTests(core, definition, caller) : null;
  const hasFailed = run !== null && run.failed + run.not_run.length > 0;
  return {
    valid: errors === 0 && !hasFailed,
    task_name: task?.name ?? null,
    version: task === null ? null : version.version,
    errors,
    warnings: problems.length - errors,
    problems,
    tests: run,
  };
}

const NO_TASK = { task: null, version: null } as const;
const OF_SYNTAX: ReadonlySet<string> = new Set(['syntax_error', 'invalid_task', 'no_entry_point']);

function unstored({ code }: ValidateInput): TaskDefinition {
  if (code === undefined) {
    const message = 'name a stored task, or give the code';
    throw new RatchetError('invalid_request', `task_id: ${message}`, {
      details: { problems: [{ field: 'task_id', message }] },
    });
  }
  return {
    name: 'unnamed',
    uuid: null,
    version: '',
    label: null,
    description: '',
    tags: [],
    category: null,
    author: null,
    license: null,
    dangerous: false,
    timeoutMs: null,
    memoryMb: null,
    style: 'auto',
    code,
    file: 'unnamed/main.js',
    inputSchema: true,
    outputSchema: true,
    tests: [],
    metadata: {},
  };
}

async function runTests(core: Core, definition: TaskDefinition, caller: Caller) {
  await countTests(core.rateLimits, caller, definition.tests.length);
  const wish = { names: null, stopOnFailure: false, parallel: true, tasks: caller.principal.tasks };
  return toldRun(await core.testing.test(definition, wish), false);
}

export const TESTING_OPERATIONS: readonly Operation[] = [
  command({
    name: 'validate_task',
    permission: 'manage_tasks',
    description:
      'Tell everything that is wrong with a task, or with code that is stored nowhere: syntax, entry point, names, schemas, tests. Nothing is stored.',
    input: validateInput,
    run: validate,
  }),
  command({
    name: 'run_task_tests',
    permission: 'manage_tasks',
    description:
      'Run the tests that are stored with a task, each in a sandbox of its own and without any network. Nothing is recorded.',
    input: testInput,
    run: async (core, input, caller) => {
      const { task, version } = existingTask(core.execute.directory, input.task_id);
      const definition = await definitionOfVersion(core.publish, task, version);
      const names = input.test_names.length === 0 ? null : input.test_names;
      await countTests(core.rateLimits, caller, names?.length ?? definition.tests.length);
      const { stop_on_failure: stopOnFailure, parallel } = input;
      const wish = { names, stopOnFailure, parallel, tasks: caller.principal.tasks };
      const run = toldRun(await core.testing.test(definition, wish), input.include_traces);
      return { task_id: task.taskId, task_name: task.name, version: version.version, ...run };
    },
  }),
];

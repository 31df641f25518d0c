/** Changes a task: what was changed meanwhile is told, what is wrong is refused, and nothing is stored before all is right. */
import { type Handled, handledBefore } from '../../commands/handle.ts';
import { publishDefinition } from '../../commands/publish-task.ts';
import { changedDefinition, definitionOfVersion, existingTask } from '../../commands/task-definition.ts';
import type { UpdateTaskInput } from '../../commands/task-input.ts';
import { RatchetError } from '../domain/errors.ts';
import { streamName } from '../domain/event.ts';
import { canonicalJson } from '../domain/journal.ts';
import { lineDifference } from '../domain/line-difference.ts';
import { type ExistingTask, task as evolution, type TaskState, type TaskVersion } from '../domain/task.ts';
import type { TaskProblem } from '../domain/validation/task-problem.ts';
import type { TaskDefinition } from '../ports/task-source.ts';
import type { TestedCase, TestRun } from '../ports/task-testing.ts';
import { type Caller, type Core, metaOf } from './operation.ts';
import { countTests } from './operation-limits.ts';
import { toldTask } from './told-task.ts';
import { toldRun } from './told-testing.ts';

/** Parts of a definition that can be changed, and how answers call them. */
const PARTS = {
  code: 'code',
  inputSchema: 'input_schema',
  outputSchema: 'output_schema',
  tests: 'test_cases',
  style: 'style',
  timeoutMs: 'timeout',
  memoryMb: 'memory_mb',
  description: 'description',
  tags: 'tags',
  category: 'category',
  label: 'label',
  version: 'version',
  dangerous: 'dangerous',
  metadata: 'metadata',
} as const satisfies Partial<Record<keyof TaskDefinition, string>>;

/** Of which the tests can tell the difference. */
const TESTED: ReadonlySet<string> = new Set([
  'code',
  'input_schema',
  'output_schema',
  'test_cases',
  'style',
  'timeout',
  'memory_mb',
]);

/**
 * Fails with `version_conflict` for a base that is no longer current, with `syntax_error`, `invalid_schema` or `invalid_task`
 * for what is wrong (details: problems), and with `invalid_task` for tests that fail (details: tests). The same edit under the same
 * key of the client is answered as the first time, but for the run of the tests; `idempotency_mismatch` for another one under it.
 */
export async function editTask(core: Core, input: UpdateTaskInput, caller: Caller): Promise<object> {
  const { task_id, base_version, validate_changes: isValidated, ...changes } = input;
  const { task, version } = existingTask(core.execute.directory, task_id);
  const meta = metaOf(core, caller, 'edit_task', input);
  const stream = streamName('task', task.taskId);
  const repeated = caller.idempotencyKey === null ? null : await handledBefore(core.execute, evolution, stream, meta);
  if (repeated !== null) return answeredAgain(core, repeated);
  if (base_version !== undefined && base_version !== version.version) throw await stale(core, task, base_version);
  const before = await definitionOfVersion(core.publish, task, version);
  const after = changedDefinition(core.publish.testCases, before, changes);
  const told = toldEdit(core, before, after);
  if (isValidated) assertRight(after, told.problems);
  const isTested = isValidated && told.changed_parts.some((part) => TESTED.has(part)) && after.tests.length > 0;
  const run = isTested ? await passing(core, after, caller) : null;
  // Between the look at the current version and the decision another edit may come: what was looked at is what is edited.
  const publication = { intent: 'update', enabled: true, baseVersion: version.version, source: null } as const;
  const handled = await publishDefinition(core.publish, after, publication, meta);
  return {
    ...toldTask(handled),
    previous_version: version.version,
    ...told,
    tests: run === null ? null : toldRun(run, false),
  };
}

/** The same edit under the same key: what it was made on is no longer current because of itself, and its tests have passed. */
async function answeredAgain(core: Core, handled: Handled<TaskState>): Promise<object> {
  const { state } = handled;
  const [previous, version] = state.status === 'none' ? [] : state.versions.slice(-2);
  if (state.status === 'none' || previous === undefined || version === undefined) {
    throw new RatchetError('internal', 'an edit left no version');
  }
  const [before, after] = await Promise.all([
    definitionOfVersion(core.publish, state, previous),
    definitionOfVersion(core.publish, state, version),
  ]);
  return {
    ...toldTask(handled),
    previous_version: previous.version,
    ...toldEdit(core, before, after),
    tests: null,
  };
}

function toldEdit(core: Core, before: TaskDefinition, after: TaskDefinition) {
  return {
    changed_parts: changedParts(before, after),
    code_difference: lineDifference(before.code, after.code),
    problems: core.testing.check(after),
  };
}

function changedParts(before: TaskDefinition, after: TaskDefinition): readonly string[] {
  const isSame = (part: keyof typeof PARTS): boolean =>
    canonicalJson(JSON.parse(JSON.stringify(before[part]))) === canonicalJson(JSON.parse(JSON.stringify(after[part])));
  const parts = Object.keys(PARTS).filter((part): part is keyof typeof PARTS => Object.hasOwn(PARTS, part));
  return parts.filter((part) => !isSame(part)).map((part) => PARTS[part]);
}

/** What the others have changed since is told, so that nobody has to load both versions to see it. */
async function stale(core: Core, task: ExistingTask, base: number): Promise<RatchetError> {
  const current = task.versions.at(-1);
  const old = task.versions.find(({ version }) => version === base);
  const actual = current?.version ?? 0;
  const hint = current === undefined || old === undefined ? {} : await differenceOf(core, task, old, current);
  return new RatchetError(
    'version_conflict',
    `${task.name} is at version ${actual}, the edit was made on version ${base}`,
    { details: { task: task.name, expected: base, actual, ...hint } },
  );
}

async function differenceOf(core: Core, task: ExistingTask, old: TaskVersion, current: TaskVersion) {
  const [before, after] = await Promise.all([
    definitionOfVersion(core.publish, task, old),
    definitionOfVersion(core.publish, task, current),
  ]);
  return { changed_parts: changedParts(before, after), code_difference: lineDifference(before.code, after.code) };
}

const CODES = {
  syntax_error: 'syntax_error',
  invalid_schema: 'invalid_schema',
  invalid_task: 'invalid_task',
  no_entry_point: 'invalid_task',
  forbidden_global: 'invalid_task',
  unknown_name: 'invalid_task',
  undeclared_variable: 'invalid_task',
  names_not_checked: 'invalid_task',
} as const satisfies Record<TaskProblem['code'], string>;

function assertRight({ file }: TaskDefinition, problems: readonly TaskProblem[]): void {
  const errors = problems.filter(({ severity }) => severity === 'error');
  const [first] = errors;
  if (first === undefined) return;
  const { line, column, pointer } = first;
  const place = line === null ? '' : `${file}:${line}:${column}: `;
  const more = errors.length === 1 ? '' : ` (and ${errors.length - 1} more)`;
  throw new RatchetError(CODES[first.code], `${place}${first.message}${more}`, {
    details: {
      ...(line === null ? {} : { file, line, column }),
      ...(pointer === null ? {} : { place: pointer }),
      problems,
    },
  });
}

async function passing(core: Core, definition: TaskDefinition, caller: Caller): Promise<TestRun> {
  await countTests(core.rateLimits, caller, definition.tests.length);
  const wish = { names: null, stopOnFailure: false, parallel: true, tasks: caller.principal.tasks };
  const run = await core.testing.test(definition, wish);
  const failed = run.cases.filter(({ passed }) => !passed);
  const [first] = failed;
  if (first !== undefined) {
    const more = failed.length === 1 ? '' : ` (and ${failed.length - 1} more)`;
    throw new RatchetError('invalid_task', `the test ${first.name} fails${more}: ${first.reason}`, {
      details: { test: first.name, tests: failed.slice(0, MAX_FAILED).map(toldFailure) },
    });
  }
  if (run.notRun.length > 0) {
    throw new RatchetError('invalid_task', `the tests take too long: ${run.notRun.length} did not begin in time`, {
      details: { not_run: run.notRun.slice(0, 50) },
    });
  }
  return run;
}

/** Failed tests that are told with a refusal, and places told of each. */
const MAX_FAILED = 10;
const MAX_PLACES = 5;

function toldFailure({ name, reason, error, difference }: TestedCase) {
  return { name, reason, error, difference: difference.slice(0, MAX_PLACES) };
}

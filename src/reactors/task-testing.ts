/** Checks and tests tasks that are being developed, within the bounds of executions; nothing of it is stored. */
import { currentDefinition } from '../../commands/task-definition.ts';
import { isAllowedTask } from '../domain/access.ts';
import { failingFrame } from '../domain/diagnosis/failing-line.ts';
import { nearNames } from '../domain/diagnosis/near-names.ts';
import { RatchetError } from '../domain/errors.ts';
import type { TaskErrorData } from '../domain/journal.ts';
import { jsonDifferences } from '../domain/json-difference.ts';
import { NumberedText } from '../domain/validation/numbered-text.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { TaskDirectory } from '../ports/task-directory.ts';
import type { TaskDefinition, TaskTest } from '../ports/task-source.ts';
import type { TaskTesting, TestedCase, TestedError, TestedSpan, TestRun, TestWish } from '../ports/task-testing.ts';
import { type CheckDeps, checkTask } from './check-task.ts';
import { runTest, type TestDeps, type TestResult } from './run-tests.ts';

export interface TaskTestingDeps extends CheckDeps, Omit<TestDeps, 'world' | 'find' | 'sandbox'> {
  readonly sandbox: TestDeps['sandbox'];
  readonly bounds: { readonly maxTimeoutMs: number; readonly defaultMemoryMb: number; readonly maxMemoryMb: number };
  /** Tests that run at once in one call, at most. */
  readonly places: number;
  readonly directory: TaskDirectory;
  readonly blobs: Blobs;
}

/** Longest time of one test, and of all tests of one call; those that have not begun by then are not run. */
const MAX_TEST_MS = 30_000;
const MAX_RUN_MS = 120_000;
/** Log lines and spans that are told of one test. */
const MAX_LOGS = 200;
const MAX_SPANS = 500;

export function taskTestingOf(deps: TaskTestingDeps): TaskTesting {
  return {
    check: (definition) => checkTask(deps, definition),
    test: (definition, wish) => run(deps, definition, wish),
  };
}

async function run(deps: TaskTestingDeps, definition: TaskDefinition, wish: TestWish): Promise<TestRun> {
  const began = deps.runtime.now();
  const tests = wanted(definition, wish.names);
  const task = bounded(deps, definition);
  const own: TestDeps = {
    ...deps,
    world: null,
    find: async (name) => {
      if (name === definition.name) return task;
      // Tasks have ids too, and patterns speak of names.
      const found = await currentDefinition(deps, name);
      if (found?.name === definition.name) return task;
      return found !== null && isAllowedTask(wish.tasks, found.name) ? bounded(deps, found) : undefined;
    },
  };
  const code = { file: definition.file, text: new NumberedText(definition.code) };
  const cases: (TestedCase | undefined)[] = [];
  const rest = tests.entries();
  let isOver = false;
  const worker = async (): Promise<void> => {
    for (const [index, test] of rest) {
      if (isOver || deps.runtime.now() - began > MAX_RUN_MS) return;
      const tested = told(test, await runTest(own, task, test), code);
      cases[index] = tested;
      if (wish.stopOnFailure && !tested.passed) isOver = true;
    }
  };
  const atOnce = wish.parallel ? Math.min(deps.places, tests.length) : 1;
  await Promise.all(Array.from({ length: atOnce }, worker));
  return {
    cases: cases.filter((one) => one !== undefined),
    notRun: tests.filter((_, index) => cases[index] === undefined).map(({ name }) => name),
    durationMs: deps.runtime.now() - began,
  };
}

/** What a task asks for, at most as much as an execution of it would get. */
function bounded({ bounds }: TaskTestingDeps, definition: TaskDefinition): TaskDefinition {
  const { timeoutMs, memoryMb } = definition;
  return {
    ...definition,
    timeoutMs: Math.min(timeoutMs ?? MAX_TEST_MS, bounds.maxTimeoutMs, MAX_TEST_MS),
    memoryMb: Math.min(memoryMb ?? bounds.defaultMemoryMb, bounds.maxMemoryMb),
  };
}

function wanted({ tests, name: task }: TaskDefinition, names: readonly string[] | null): readonly TaskTest[] {
  if (names === null) return tests;
  const known = tests.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return tests.filter(({ name }) => names.includes(name));
  const [near] = nearNames(unknown, known);
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  const message = `${task} has no test named ${unknown}${hint}`;
  throw new RatchetError('invalid_request', `test_names: ${message}`, {
    details: { problems: [{ field: 'test_names', message }], known: known.slice(0, 50) },
  });
}

interface TestedCode {
  readonly file: string;
  readonly text: NumberedText;
}

function told(test: TaskTest, { spans, output, error, ...result }: TestResult, code: TestedCode): TestedCase {
  const { expectation } = test;
  const isCompared = expectation.kind === 'output' && error === null;
  return {
    name: result.name,
    passed: result.passed,
    reason: result.reason,
    durationMs: result.durationMs,
    expected: expectedOf(expectation),
    actual: output,
    difference: isCompared ? jsonDifferences(expectation.value, output) : [],
    error: error === null ? null : thrown(error, code),
    logs: result.logs.slice(-MAX_LOGS),
    spans: spanned(spans),
  };
}

function expectedOf(expectation: TaskTest['expectation']): TestedCase['expected'] {
  switch (expectation.kind) {
    case 'output':
      return { output: expectation.value };
    case 'error':
      return { error: expectation.contains };
    case 'any-error':
      return { error: true };
    case 'none':
      return null;
    default:
      return expectation satisfies never;
  }
}

function thrown(error: TaskErrorData, { file, text }: TestedCode): TestedError {
  const { frame } = failingFrame(error) ?? { frame: null };
  const { name, message } = error;
  if (frame?.file !== file) return { name, message, line: null, column: null, source: null };
  const { line, column } = frame;
  return { name, message, line, column, source: text.excerpt(line, column) };
}

function spanned(spans: TestResult['spans']): readonly TestedSpan[] {
  const start = spans.reduce((first, { startedAt }) => Math.min(first, startedAt), Number.POSITIVE_INFINITY);
  return spans
    .slice(0, MAX_SPANS)
    .map(({ ref, parent, name, startedAt, endedAt, ok, attributes }) => ({
      ref,
      parent,
      name,
      startedAt: startedAt - start,
      endedAt: endedAt - start,
      ok,
      attributes,
    }))
    .sort((one, other) => one.startedAt - other.startedAt);
}

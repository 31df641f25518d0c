/** Runs the tests that stand beside a task: the real sandbox, the real driver, and mocks where the network would be. */
import { RatchetError } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/event.ts';
import { canonicalJson, type LogLevel, type Outcome, type TaskErrorData, type Telemetry } from '../domain/journal.ts';
import type { PatternCheck } from '../ports/pattern-check.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { Sandbox, SandboxLimits, TaskStart } from '../ports/sandbox.ts';
import type { SchemaCheck } from '../ports/schema-check.ts';
import type { TaskDefinition, TaskTest, TestAssertion } from '../ports/task-source.ts';
import { runAttempt } from './attempt.ts';
import type { AttemptResult, OpenCall, World } from './attempt-plan.ts';
import { type Span, stepSpan } from './attempt-spans.ts';
import { type Answer, type Answers, type PatchedEnd, runPatched } from './patched-attempt.ts';
import { plainError } from './perform-steps.ts';
import { inReplaySession } from './replay-session.ts';
import { Mocks } from './test-mocks.ts';

export interface TestDeps {
  readonly sandbox: Sandbox;
  readonly runtime: Runtime;
  readonly schemas: SchemaCheck;
  readonly patterns: PatternCheck;
  readonly limits: Omit<SandboxLimits, 'memoryMb'>;
  /** The outside, for calls that no mock stands for; only asked in tests without mocks. Null: nothing goes out of any test. */
  readonly world: ((definition: TaskDefinition) => World) | null;
  /** A task that `runTask` may name. */
  readonly find: (name: string) => TaskDefinition | undefined | Promise<TaskDefinition | undefined>;
}

export interface TestResult {
  readonly name: string;
  readonly passed: boolean;
  /** Why it failed. */
  readonly reason: string | null;
  readonly output: Json;
  readonly error: TaskErrorData | null;
  readonly logs: readonly { readonly level: LogLevel; readonly message: string }[];
  /** Of the tested task itself, by its own clock. */
  readonly spans: readonly Span[];
  readonly durationMs: number;
}

type Ran = { readonly output: Json; readonly error: TaskErrorData | null };

const TEST_TIMEOUT_MS = 30_000;

/** What a definition is run with in a test, also those that it runs through `runTask`. */
interface Setting {
  /** Null: calls go to the world. */
  readonly mocks: Mocks | null;
  readonly world: World;
  readonly logs: { level: LogLevel; message: string }[];
  readonly spans: Span[];
  /** Logical clock at the start; null: real time. */
  readonly clock: number | null;
  readonly seed: string | null;
  readonly context: TaskTest['context'];
}

/** Runs one test. Never throws for what the task does; a fault of ours rises. */
export async function runTest(deps: TestDeps, definition: TaskDefinition, test: TaskTest): Promise<TestResult> {
  const began = deps.runtime.now();
  const logs: { level: LogLevel; message: string }[] = [];
  const spans: Span[] = [];
  const isMocked = test.mocks.length > 0 || (test.stepMocks ?? []).length > 0 || test.clock !== undefined;
  const outside = isMocked ? null : (deps.world?.(definition) ?? null);
  const mocks = new Mocks(test);
  const asked = { mocks: outside === null ? mocks : null, world: outside ?? mockedWorld(mocks) };
  const { clock = null, seed = null, context } = test;
  const ran = await runDefinition(deps, definition, test.input, { ...asked, logs, spans, clock, seed, context });
  const reason = mocks.unmatched[0] ?? verdict(deps.patterns, test, ran);
  const durationMs = deps.runtime.now() - began;
  return { name: test.name, passed: reason === null, reason, ...ran, logs, spans, durationMs };
}

async function runDefinition(deps: TestDeps, definition: TaskDefinition, input: Json, setting: Setting): Promise<Ran> {
  const problem = deps.schemas.compile(definition.inputSchema).check(input)[0];
  if (problem !== undefined) return failed('ValidationError', `input${problem.path}: ${problem.message}`);
  try {
    const result = await attempt(deps, definition, input, setting);
    if (result.kind === 'threw') return { output: null, error: result.error };
    if (result.kind !== 'returned') return failed('TimeoutError', `the task did not end: it is ${result.kind}`);
    const output: Json = JSON.parse(result.output);
    const wrong = deps.schemas.compile(definition.outputSchema).check(output)[0];
    return wrong === undefined
      ? { output, error: null }
      : failed('ValidationError', `output${wrong.path}: ${wrong.message}`);
  } catch (error) {
    if (error instanceof RatchetError) return failed('SandboxError', error.message);
    throw error;
  }
}

function failed(name: string, message: string): Ran {
  return { output: null, error: plainError(name, message) };
}

function attempt(
  deps: TestDeps,
  definition: TaskDefinition,
  input: Json,
  setting: Setting,
): Promise<AttemptResult | PatchedEnd> {
  const { sandbox, runtime } = deps;
  const limits = { ...deps.limits, memoryMb: definition.memoryMb ?? 128 };
  const executionId = runtime.newId();
  const { name, version, style } = definition;
  const start: TaskStart = {
    code: sandbox.prepare(definition.code, definition.file),
    input: JSON.stringify(input),
    context: { executionId, taskId: name, taskVersion: version, jobId: executionId, attempt: 1, ...setting.context },
    clock: setting.clock ?? runtime.now(),
    seed: setting.seed ?? runtime.randomHex(32),
    style,
  };
  const telemetry = (records: readonly Telemetry[]): void => {
    for (const record of records) {
      if (record.kind === 'log') setting.logs.push({ level: record.level, message: record.message });
      if (record.kind === 'span') setting.spans.push(record);
    }
  };
  const bounds = { limits, timeoutMs: definition.timeoutMs ?? TEST_TIMEOUT_MS, what: 'the test' };
  return inReplaySession<AttemptResult | PatchedEnd>(sandbox, bounds, (session, abort) => {
    if (setting.clock !== null) {
      return runPatched({ session, start, runtime, answers: clockedAnswers(deps, setting), telemetry, abort });
    }
    return runAttempt({
      session,
      start,
      journal: [],
      runtime,
      recorder: { stepCompleted: async () => undefined, telemetry },
      // Nobody goes on with a test later: it waits until its deadline.
      then: { kind: 'live', world: withSubtasks(deps, setting), parks: false },
      cancel: new AbortController().signal,
      abort,
      onIdle: () => undefined,
    });
  });
}

/** `runTask` runs the named task's own definition, under the same mocks, unless one stands for it. */
function withSubtasks(deps: TestDeps, setting: Setting): World {
  const { world, mocks } = setting;
  return {
    asked: (path) => world.asked(path),
    perform: async (call, signal) => {
      if (call.kind !== 'task') return world.perform(call, signal);
      const mocked = mocks?.take(call) ?? null;
      return mocked === null ? subtask(deps, call, setting) : (mocked.outcome ?? unanswered(signal));
    },
  };
}

async function subtask(deps: TestDeps, call: OpenCall, setting: Setting): Promise<Outcome> {
  const name = String(call.request['task']);
  const definition = await deps.find(name);
  if (definition === undefined) {
    return { ok: false, error: plainError('ConfigurationError', `there is no task ${name}`) };
  }
  const clock = setting.clock === null ? null : call.startedAt;
  const inner: Setting = { ...setting, spans: [], clock, context: undefined };
  const ran = await runDefinition(deps, definition, call.request['input'] ?? null, inner);
  return ran.error === null ? { ok: true, value: ran.output } : { ok: false, error: ran.error };
}

function mockedWorld(mocks: Mocks): World {
  return {
    asked: async () => undefined,
    perform: async (call, signal) => {
      const mocked = mocks.take(call);
      return mocked === null ? mocks.refuse(call) : (mocked.outcome ?? unanswered(signal));
    },
  };
}

function unanswered(signal: AbortSignal): Promise<Outcome> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** Mocks by the clock of the task: nothing is waited for, so a race ends in a test as it did when it was recorded. */
function clockedAnswers(deps: TestDeps, setting: Setting): Answers {
  let calls = 0;
  const told = (call: OpenCall, answer: Extract<Answer, { kind: 'outcome' }>): Answer => {
    setting.spans.push(stepSpan(call, call.startedAt, call.startedAt + answer.afterMs, answer.outcome));
    return answer;
  };
  return {
    answer: (call): Answer => {
      calls += 1;
      const mocked = setting.mocks?.take(call) ?? null;
      const order = mocked?.order ?? calls;
      if (call.kind === 'sleep') {
        const afterMs = Number(call.request['ms']);
        return told(call, { kind: 'outcome', outcome: { ok: true, value: null }, afterMs, order });
      }
      if (mocked === null && call.kind === 'task') {
        return { kind: 'live', perform: () => subtask(deps, call, setting) };
      }
      if (mocked === null && setting.mocks !== null) {
        return told(call, { kind: 'outcome', outcome: setting.mocks.refuse(call), afterMs: 0, order });
      }
      if (mocked === null || mocked.outcome === null) return { kind: 'none' };
      return told(call, { kind: 'outcome', outcome: mocked.outcome, afterMs: mocked.delayMs, order });
    },
    memo: () => undefined,
    delivered: () => undefined,
  };
}

/** @returns why the test failed; null when it passed. */
function verdict(patterns: PatternCheck, { expectation, assertions }: TaskTest, { output, error }: Ran): string | null {
  switch (expectation.kind) {
    case 'any-error':
      if (error === null) return `an error was expected, it returned ${short(output)}`;
      break;
    case 'error':
      if (error === null) return `an error with "${expectation.contains}" was expected, it returned ${short(output)}`;
      if (!`${error.name}: ${error.message}`.includes(expectation.contains)) {
        return `an error with "${expectation.contains}" was expected, it threw ${error.name}: ${error.message}`;
      }
      break;
    case 'output':
      if (error !== null) return `it threw ${error.name}: ${error.message}`;
      if (canonicalJson(output) !== canonicalJson(expectation.value)) {
        return `expected ${short(expectation.value)}, it returned ${short(output)}`;
      }
      break;
    case 'none':
      if (error !== null && assertions.length === 0) return `it threw ${error.name}: ${error.message}`;
      break;
    default:
      return expectation satisfies never;
  }
  const subject: Json = error === null ? output : { name: error.name, message: error.message, ...error.data };
  return assertions.map((assertion) => broken(patterns, assertion, subject)).find((reason) => reason !== null) ?? null;
}

function broken(patterns: PatternCheck, assertion: TestAssertion, subject: Json): string | null {
  const actual = at(subject, assertion.path);
  const said = `${assertion.path || '(all)'} ${assertion.operator} ${short(assertion.expected)}`;
  try {
    if (holds(patterns, assertion, actual)) return null;
  } catch (error) {
    if (error instanceof RatchetError) return `${said} can not be checked: ${error.message}`;
    throw error;
  }
  return `${said} does not hold: it is ${short(actual ?? null)}`;
}

function at(value: Json, path: string): Json | undefined {
  const segments = path
    .replaceAll(/\[(\d+)\]/g, '.$1')
    .replace(/^\$?\.?/, '')
    .split('.')
    .filter((part) => part !== '');
  const start = segments[0] === 'output' || segments[0] === 'error' ? segments.slice(1) : segments;
  return start.reduce<Json | undefined>((inner, key) => {
    if (inner === null || typeof inner !== 'object') return undefined;
    return Object.hasOwn(inner, key) ? (inner as JsonObject)[key] : undefined;
  }, value);
}

function holds(patterns: PatternCheck, { operator, expected }: TestAssertion, actual: Json | undefined): boolean {
  switch (operator) {
    case 'exists':
      return (actual !== undefined) === (expected !== false);
    case 'equals':
      return actual !== undefined && canonicalJson(actual) === canonicalJson(expected);
    case 'contains':
      if (typeof actual === 'string') return actual.includes(String(expected));
      return Array.isArray(actual) && actual.some((item: Json) => canonicalJson(item) === canonicalJson(expected));
    case 'matches':
      return typeof actual === 'string' && patterns.matches(String(expected), actual);
    case 'gt':
      return Number(actual) > Number(expected);
    case 'gte':
      return Number(actual) >= Number(expected);
    case 'lt':
      return Number(actual) < Number(expected);
    case 'lte':
      return Number(actual) <= Number(expected);
    case 'type':
      return (actual === null ? 'null' : Array.isArray(actual) ? 'array' : typeof actual) === expected;
    default:
      return operator satisfies never;
  }
}

function short(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

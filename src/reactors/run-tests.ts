/** Runs the tests that stand beside a task: the real sandbox, the real driver, and mocks where the network would be. */
import { RatchetError } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/event.ts';
import { canonicalJson, type LogLevel, type Outcome, type TaskErrorData } from '../domain/journal.ts';
import type { PatternCheck } from '../ports/pattern-check.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { Sandbox, SandboxLimits } from '../ports/sandbox.ts';
import type { SchemaCheck } from '../ports/schema-check.ts';
import type { HttpMock, TaskDefinition, TaskTest, TestAssertion } from '../ports/task-source.ts';
import { runAttempt } from './attempt.ts';
import type { OpenCall, World } from './attempt-plan.ts';
import { plainError } from './perform-steps.ts';

export interface TestDeps {
  readonly sandbox: Sandbox;
  readonly runtime: Runtime;
  readonly schemas: SchemaCheck;
  readonly patterns: PatternCheck;
  readonly limits: Omit<SandboxLimits, 'memoryMb'>;
  /** The outside, for calls that no mock stands for; only asked in tests without mocks. */
  readonly world: (definition: TaskDefinition) => World;
  /** A task that `runTask` may name. */
  readonly find: (name: string) => TaskDefinition | undefined;
}

export interface TestResult {
  readonly name: string;
  readonly passed: boolean;
  /** Why it failed. */
  readonly reason: string | null;
  readonly output: Json;
  readonly error: TaskErrorData | null;
  readonly logs: readonly { readonly level: LogLevel; readonly message: string }[];
  readonly durationMs: number;
}

type Ran = { readonly output: Json; readonly error: TaskErrorData | null };

const TEST_TIMEOUT_MS = 30_000;

/** Runs one test. Never throws for what the task does; a fault of ours rises. */
export async function runTest(deps: TestDeps, definition: TaskDefinition, test: TaskTest): Promise<TestResult> {
  const began = deps.runtime.now();
  const logs: { level: LogLevel; message: string }[] = [];
  const unmatched: string[] = [];
  const world = test.mocks.length === 0 ? deps.world(definition) : mockedWorld(test.mocks, unmatched);
  const ran = await runDefinition(deps, definition, test.input, { world, logs });
  const reason = unmatched[0] ?? verdict(deps.patterns, test, ran);
  const durationMs = deps.runtime.now() - began;
  return { name: test.name, passed: reason === null, reason, ...ran, logs, durationMs };
}

async function runDefinition(
  deps: TestDeps,
  definition: TaskDefinition,
  input: Json,
  told: { readonly world: World; readonly logs: { level: LogLevel; message: string }[] },
): Promise<Ran> {
  const problem = deps.schemas.compile(definition.inputSchema).check(input)[0];
  if (problem !== undefined) return failed('ValidationError', `input${problem.path}: ${problem.message}`);
  try {
    const result = await attempt(deps, definition, input, told);
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

async function attempt(
  deps: TestDeps,
  definition: TaskDefinition,
  input: Json,
  { world, logs }: { readonly world: World; readonly logs: { level: LogLevel; message: string }[] },
) {
  const { sandbox, runtime, limits } = deps;
  const session = await sandbox.open({ ...limits, memoryMb: definition.memoryMb ?? 128 });
  const abort = new AbortController();
  const deadline = setTimeout(() => {
    const error = new RatchetError('execution_timeout', 'the test did not end in time');
    abort.abort(error);
    session.kill(error);
  }, definition.timeoutMs ?? TEST_TIMEOUT_MS);
  const executionId = runtime.newId();
  try {
    return await runAttempt({
      session,
      start: {
        code: sandbox.prepare(definition.code, definition.file),
        input: JSON.stringify(input),
        context: {
          executionId,
          taskId: definition.name,
          taskVersion: definition.version,
          jobId: executionId,
          attempt: 1,
        },
        clock: runtime.now(),
        seed: runtime.randomHex(32),
        style: definition.style,
      },
      journal: [],
      runtime,
      recorder: {
        stepCompleted: async () => undefined,
        telemetry: (records) => {
          for (const record of records)
            if (record.kind === 'log') logs.push({ level: record.level, message: record.message });
        },
      },
      then: { kind: 'live', world: withSubtasks(deps, world, logs) },
      cancel: new AbortController().signal,
      abort: abort.signal,
      onIdle: () => undefined,
    });
  } finally {
    clearTimeout(deadline);
    session.release();
  }
}

/** `runTask` runs the named task's own definition, under the same mocks. */
function withSubtasks(deps: TestDeps, world: World, logs: { level: LogLevel; message: string }[]): World {
  return {
    asked: (path) => world.asked(path),
    perform: async (call, signal) => {
      if (call.kind !== 'task') return world.perform(call, signal);
      const name = String(call.request['task']);
      const definition = deps.find(name);
      if (definition === undefined)
        return { ok: false, error: plainError('ConfigurationError', `there is no task ${name}`) };
      const ran = await runDefinition(deps, definition, call.request['input'] ?? null, { world, logs });
      return ran.error === null ? { ok: true, value: ran.output } : { ok: false, error: ran.error };
    },
  };
}

function mockedWorld(mocks: readonly HttpMock[], unmatched: string[]): World {
  return {
    asked: async () => undefined,
    perform: async (call) => {
      if (call.kind !== 'http') {
        unmatched.push(`a ${call.kind} step (${call.name}) was made while the test mocks the outside`);
        return { ok: false, error: plainError('ConfigurationError', `no mock for ${call.name}`) };
      }
      const mock = mocks.find((candidate) => matches(candidate, call));
      if (mock !== undefined) return mocked(mock, call);
      const said = `no mock matches ${String(call.request['method'])} ${String(call.request['url'])}`;
      unmatched.push(said);
      return { ok: false, error: plainError('NetworkError', said) };
    },
  };
}

function matches(mock: HttpMock, call: OpenCall): boolean {
  const url = String(call.request['url']);
  const method = String(call.request['method'] ?? 'GET').toUpperCase();
  if (mock.method !== null && mock.method.toUpperCase() !== method) return false;
  return mock.url === `${method}:${url}` || url.includes(mock.url);
}

function mocked(mock: HttpMock, call: OpenCall): Outcome {
  const { response } = mock;
  const status = response.status ?? (response.ok === false ? 500 : 200);
  const isText = typeof response.body === 'string';
  const headers = Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), value]);
  const hasType = headers.some(([name]) => name === 'content-type');
  const type = hasType || isText ? [] : [['content-type', 'application/json']];
  const value: JsonObject = {
    status,
    statusText: response.statusText ?? '',
    headers: [...headers, ...type],
    body: isText ? String(response.body) : JSON.stringify(response.body),
    bodyEncoding: 'utf8',
    url: String(call.request['url']),
    redirected: false,
  };
  return { ok: true, value };
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

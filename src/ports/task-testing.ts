/** What interfaces ask about a task that is being developed: whether it is right, and whether its tests pass. */
import type { TaskPatterns } from '../domain/access.ts';
import type { Json, JsonObject } from '../domain/event.ts';
import type { LogLevel } from '../domain/journal.ts';
import type { JsonDifference } from '../domain/replay.ts';
import type { TaskProblem } from '../domain/validation/task-problem.ts';
import type { TaskDefinition } from './task-source.ts';

/** A span of a test. Times are milliseconds of the task's clock since its start. */
export interface TestedSpan {
  readonly ref: string;
  readonly parent: string;
  readonly name: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly ok: boolean;
  readonly attributes: JsonObject;
}

/** What a test threw; line and column from 1, null where no line of the task threw it. */
export interface TestedError {
  readonly name: string;
  readonly message: string;
  readonly line: number | null;
  readonly column: number | null;
  /** The line, cut around the column, with a mark below it. */
  readonly source: string | null;
}

export interface TestedCase {
  readonly name: string;
  readonly passed: boolean;
  /** Why it failed. */
  readonly reason: string | null;
  readonly durationMs: number;
  /** What it expects: an output, an error that says something, or any error; null: only its assertions. */
  readonly expected: { readonly output: Json } | { readonly error: string | true } | null;
  /** Null when it threw. */
  readonly actual: Json;
  /** Places in which the output is not as expected. */
  readonly difference: readonly JsonDifference[];
  readonly error: TestedError | null;
  readonly logs: readonly { readonly level: LogLevel; readonly message: string }[];
  readonly spans: readonly TestedSpan[];
}

export interface TestRun {
  readonly cases: readonly TestedCase[];
  /** Names of tests that were not run: one before them had failed, or the time was up. */
  readonly notRun: readonly string[];
  readonly durationMs: number;
}

export interface TestWish {
  /** Names of the tests to run; null: all. */
  readonly names: readonly string[] | null;
  readonly stopOnFailure: boolean;
  /** Several at once, at most as many as executions run here at once. */
  readonly parallel: boolean;
  /** Tasks that the tests may run by `runTask`. */
  readonly tasks: TaskPatterns;
}

export interface TaskTesting {
  /** @returns everything that is wrong, without running anything; empty when it can be published and uses what is there. */
  check(definition: Pick<TaskDefinition, 'code' | 'file' | 'inputSchema' | 'outputSchema'>): readonly TaskProblem[];
  /**
   * Runs tests of a definition, each in a sandbox of its own; nothing is stored, and no call goes out: what no mock answers
   * fails the test. Fails with `invalid_request` for a name that no test has.
   */
  test(definition: TaskDefinition, wish: TestWish): Promise<TestRun>;
}

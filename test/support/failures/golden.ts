/** Small tasks that fail, each in its own way, with what an analysis must find. */
import type { FailureKind } from '../../../src/domain/diagnosis/failure-kinds.ts';

export interface GoldenFailure {
  /** Also the name of the task, so that stacks name it. */
  readonly name: string;
  readonly code: string;
  /** `api` is the address of the loopback server. */
  readonly input?: (api: string) => unknown;
  readonly task?: object;
  /** Options of the request. */
  readonly options?: object;
  readonly expected: ExpectedAnalysis;
}

export interface ExpectedAnalysis {
  readonly kind: FailureKind;
  /** Line and function of the failing line; null where nothing tells it. */
  readonly line: readonly [line: number, fn: string | null] | null;
  /** Path and relation of the failing step. */
  readonly step?: readonly [path: string, relation: string] | undefined;
  /** `API` stands for host and port of the loopback server, `ID` for the id of a subtask. */
  readonly summary: string;
  /** The first one. */
  readonly suggestion: string;
  /** Operations of the next calls, in order, those of the debugger left out. */
  readonly next: readonly string[];
  /** Types of the events behind each statement, in order. */
  readonly evidence: readonly (readonly string[])[];
}

export const REQUESTED = 'ExecutionRequested';
export const STARTED = 'ExecutionStarted';
export const ASKED = 'StepStarted';
export const STEP = 'StepCompleted';
export const FAILED = 'ExecutionFailed';
/** Gives a task the address of the loopback server. */
export const url = (api: string) => ({ url: api });

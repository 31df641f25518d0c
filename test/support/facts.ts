/** Facts with sensible contents, so that tests name only what they are about. */
import type { VersionDefinition } from '../../commands/task.ts';
import {
  type AttemptStart,
  type ExecutionEvent,
  type ExecutionRequest,
  NO_RETRY,
  type StepEnd,
} from '../../src/domain/execution.ts';
import { plainError } from '../../src/reactors/perform-steps.ts';
import { NOW } from './given.ts';

export const DEFINITION: VersionDefinition & { tags: string[] } = {
  contentHash: 'hash-1',
  versionLabel: '1.0.0',
  label: null,
  description: 'A task',
  tags: [],
  category: null,
  author: null,
  license: null,
  dangerous: false,
  timeoutMs: null,
  memoryMb: null,
  style: 'auto',
  code: { value: 'function main() {}' },
  file: 'a/main.js',
  inputSchema: { value: true },
  outputSchema: { value: true },
  tests: { value: [] },
  metadata: {},
  source: null,
};

export function request(changes: Partial<ExecutionRequest> = {}): ExecutionRequest {
  return {
    executionId: 'e1',
    task: { id: 't1', name: 'a', version: 1, contentHash: 'hash-1' },
    input: { value: {} },
    source: { kind: 'rest', sessionId: null, clientInfo: null },
    options: {
      trace: true,
      logLevel: 'debug',
      timeoutMs: 1_000,
      memoryMb: 128,
      priority: 0,
      runAt: null,
      retry: NO_RETRY,
      unknownSteps: 'fail',
    },
    parent: null,
    lineage: { originalExecution: null, retryReason: null },
    metadata: {},
    traceId: 'f'.repeat(32),
    parentSpanId: null,
    requestHash: 'request-1',
    ...changes,
  };
}

export function start(changes: Partial<AttemptStart> = {}): AttemptStart {
  return {
    attempt: 1,
    mode: 'fresh',
    worker: 'w1',
    journalFrom: null,
    keep: null,
    node: 'v26.10.0',
    journalVersion: 1,
    clock: NOW,
    seed: '00',
    ...changes,
  };
}

export function stepEnd(changes: Partial<StepEnd> = {}): StepEnd {
  return {
    attempt: 1,
    path: '1',
    kind: 'http',
    name: 'GET https://example.com',
    argsHash: 'args-1',
    request: { value: {} },
    outcome: { ok: true, value: { value: null } },
    startedAt: NOW,
    turn: 2,
    clock: NOW + 1,
    ...changes,
  };
}

export const requested: ExecutionEvent = { type: 'ExecutionRequested', data: request() };
export const started: ExecutionEvent = { type: 'ExecutionStarted', data: start() };
export const completed: ExecutionEvent = {
  type: 'ExecutionCompleted',
  data: { attempt: 1, turn: 1, clock: NOW, durationMs: 5, output: { value: 1 } },
};
export const attemptFailed: ExecutionEvent = {
  type: 'AttemptFailed',
  data: {
    attempt: 1,
    turn: 2,
    clock: NOW,
    durationMs: 5,
    code: 'task_failed',
    error: plainError('NetworkError', 'gone'),
    retryAt: new Date(NOW + 1_000).toISOString(),
  },
};

/** Runs a test file as `ratchet test` does, with a world that fails whatever is asked of it. */
import { openPatternCheck } from '../../infra/pattern-check.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import { openSchemaCheck } from '../../infra/schema-check.ts';
import { parseTest } from '../../infra/task-tests.ts';
import type { Sandbox } from '../../src/ports/sandbox.ts';
import type { TaskDefinition } from '../../src/ports/task-source.ts';
import { runTest, type TestResult } from '../../src/reactors/run-tests.ts';
import { TEST_SETTINGS } from './app.ts';

const BARE: Omit<TaskDefinition, 'code'> = {
  name: 'saved',
  uuid: null,
  version: '1',
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
  file: 'saved/main.js',
  inputSchema: true,
  outputSchema: true,
  tests: [],
  metadata: {},
};

/** @param file the content of the test file, which is parsed first */
export function runSavedTest(sandbox: Sandbox, code: string, file: unknown): Promise<TestResult> {
  const deps = {
    sandbox,
    runtime: systemRuntime(),
    schemas: openSchemaCheck(),
    patterns: openPatternCheck(),
    limits: TEST_SETTINGS.limits,
    world: () => ({
      asked: async () => undefined,
      perform: () => Promise.reject(new Error('a saved test went out')),
    }),
    find: () => undefined,
  };
  return runTest(deps, { ...BARE, code }, parseTest(JSON.parse(JSON.stringify(file)), 'saved'));
}

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPatternCheck } from '../../infra/pattern-check.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import { openSandbox } from '../../infra/sandbox/pool.ts';
import { openSchemaCheck } from '../../infra/schema-check.ts';
import type { Sandbox } from '../../src/ports/sandbox.ts';
import type { TaskDefinition } from '../../src/ports/task-source.ts';
import { runTest } from '../../src/reactors/run-tests.ts';
import { TEST_SETTINGS } from '../support/app.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await openSandbox({ size: 1, warm: 1 });
});
afterAll(() => sandbox.close());

const ECHO: TaskDefinition = {
  name: 'echo',
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
  code: 'function main(input) { return input; }',
  file: 'echo/main.js',
  inputSchema: true,
  outputSchema: true,
  tests: [],
  metadata: {},
};

const asked = async () => undefined;
const perform = () => Promise.reject(new Error('nothing is called'));

function deps() {
  return {
    sandbox,
    runtime: systemRuntime(),
    schemas: openSchemaCheck(),
    patterns: openPatternCheck(50),
    limits: TEST_SETTINGS.limits,
    world: () => ({ asked, perform }),
    find: () => undefined,
  };
}

async function matched(pattern: string, text: string): Promise<string | null> {
  const assertions = [{ path: 'text', operator: 'matches', expected: pattern }] as const;
  const test = {
    name: 'matches',
    description: null,
    input: { text },
    mocks: [],
    expectation: { kind: 'none' },
    assertions,
  } as const;
  return (await runTest(deps(), ECHO, test)).reason;
}

describe('an assertion with a pattern', () => {
  it('holds or not', async () => {
    expect(await matched('^a+$', 'aaa')).toBeNull();
    expect(await matched('^a+$', 'aab')).toContain('does not hold: it is "aab"');
  });

  it('fails when the pattern is none', async () => {
    expect(await matched('(', 'a')).toMatch(/^text matches "\(" can not be checked: Invalid regular expression/);
  });

  it('fails when the pattern takes too long', async () => {
    expect(await matched('^(a+)+$', `${'a'.repeat(40)}!`)).toContain('longer than 50 ms');
  });
});

describe('a test that waits for longer than an execution would hold its process', () => {
  it('waits until its deadline, and says so', async () => {
    const code = 'async function main() { await sleep(60_000); return 1; }';
    const expectation = { kind: 'output', value: 1 } as const;
    const test = { name: 'waits', description: null, input: {}, mocks: [], expectation, assertions: [] };
    const { reason } = await runTest(deps(), { ...ECHO, code, timeoutMs: 300 }, test);
    expect(reason).toContain('the test did not end in time');
  });
});

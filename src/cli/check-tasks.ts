/** `ratchet validate` and `ratchet test`: what is wrong with tasks in files, and whether their tests pass. */

import { dirname, resolve } from 'node:path';
import { openFiles } from '../../infra/files.ts';
import { openModels } from '../../infra/models.ts';
import { openOutbound } from '../../infra/outbound.ts';
import { openPatternCheck } from '../../infra/pattern-check.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import { openSandbox } from '../../infra/sandbox/pool.ts';
import { openSchemaCheck } from '../../infra/schema-check.ts';
import { configuredSecrets } from '../../infra/secrets.ts';
import type { AppSettings } from '../app.ts';
import { asRatchetError, RatchetError } from '../domain/errors.ts';
import type { TaskDefinition } from '../ports/task-source.ts';
import type { World } from '../reactors/attempt-plan.ts';
import { performAlone } from '../reactors/perform-steps.ts';
import { runTest, type TestDeps, type TestResult } from '../reactors/run-tests.ts';
import type { ExitCode } from './exit.ts';
import { listFrom } from './from-fs.ts';
import type { Output } from './output.ts';

/** Checks code, schemas and test files; answers 1 when anything is wrong. */
export async function validate(path: string, output: Output): Promise<ExitCode> {
  const { tasks, broken } = await listFrom(path);
  const schemas = openSchemaCheck();
  const sandbox = await openSandbox({ size: 1, warm: 1 });
  const results = tasks.map((task) => ({ name: task.name, problems: problemsOf(task, schemas, sandbox) }));
  await sandbox.close();
  const all = [...results, ...broken.map(({ path: name, reason }) => ({ name, problems: [reason] }))];
  const isValid = all.length > 0 && all.every(({ problems }) => problems.length === 0);
  output.result({ valid: isValid, tasks: all }, () =>
    all.length === 0
      ? `no task found in ${path}`
      : all
          .map(({ name, problems }) =>
            problems.length === 0 ? `ok    ${name}` : `WRONG ${name}\n      ${problems.join('\n      ')}`,
          )
          .join('\n'),
  );
  return isValid ? 0 : 1;
}

/** @returns what is wrong with a task's code and schemas. */
export function problemsOf(
  task: TaskDefinition,
  schemas: TestDeps['schemas'],
  sandbox: Pick<TestDeps['sandbox'], 'prepare'>,
): readonly string[] {
  const checks = [
    () => sandbox.prepare(task.code, task.file),
    () => schemas.compile(task.inputSchema),
    () => schemas.compile(task.outputSchema),
  ];
  return checks.flatMap((check) => {
    try {
      check();
      return [];
    } catch (error) {
      return [asRatchetError(error).message];
    }
  });
}

/** Runs all tests below a folder; answers 1 when one fails. */
export async function testTasks(settings: AppSettings, path: string, output: Output): Promise<ExitCode> {
  const { tasks, broken } = await listFrom(path);
  if (tasks.length + broken.length === 0) throw new RatchetError('not_found', `no task found in ${path}`);
  const runtime = systemRuntime();
  const sandbox = await openSandbox({ size: 4, warm: 1 });
  const outbound = openOutbound({ allow: settings.outboundAllow });
  const secrets = configuredSecrets(settings.secrets);
  const neighbours = await listFrom(dirname(resolve(path))).catch(() => ({ tasks: [] }));
  const find = (name: string) => [...tasks, ...neighbours.tasks].find((task) => task.name === name);
  const files = openFiles([...settings.fileRoots, resolve(path)]);
  const { mcpServers, languageModel, close: closeModels } = openModels(settings.models);
  const outside = { outbound, secrets, files, mcpServers, languageModel, stepLimits: settings.stepLimits };
  const added = { traceparent: null, idempotencyKey: null };
  const world = (): World => ({
    asked: async () => undefined,
    perform: (call, signal) => performAlone(outside, call, added, signal),
  });
  const deps: TestDeps = {
    sandbox,
    runtime,
    schemas: openSchemaCheck(),
    patterns: openPatternCheck(),
    limits: settings.limits,
    world,
    find,
  };
  const results: (Omit<TestResult, 'spans'> & { task: string })[] = [];
  try {
    const all = tasks.flatMap((task) => task.tests.map((test) => ({ task, test })));
    for (const [index, { task, test }] of all.entries()) {
      output.progress((index + 1) / all.length, `${task.name}: ${test.name}`);
      const { spans: _, ...told } = await runTest(deps, task, test);
      results.push({ task: task.name, ...told });
    }
  } finally {
    await Promise.all([sandbox.close(), outbound.close(), closeModels()]);
  }
  const failed = results.filter((result) => !result.passed).length + broken.length;
  const summary = { passed: results.length - failed + broken.length, failed, broken, results };
  output.result(summary, () => {
    const lines = results.map(({ task, name, passed, reason }) =>
      passed ? `ok    ${task}: ${name}` : `FAIL  ${task}: ${name}\n      ${reason}`,
    );
    const wrong = broken.map(({ path: place, reason }) => `WRONG ${place}\n      ${reason}`);
    return [...lines, ...wrong, `${summary.passed} passed, ${summary.failed} failed`].join('\n');
  });
  return failed === 0 ? 0 : 1;
}

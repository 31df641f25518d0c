import { afterAll, beforeAll, expect, it } from 'vitest';
import { ABSENT_GLOBALS, REFUSED_GLOBALS, TASK_GLOBALS } from '../../src/domain/task-globals.ts';
import { openTestApp, type TestApp } from '../support/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await openTestApp();
});
afterAll(() => app[Symbol.asyncDispose]());

it('the table of names is what the sandbox has: nothing is missing in it, and nothing is there that it calls absent', async () => {
  await app.task('globals', 'function main() { return Object.getOwnPropertyNames(globalThis); }');
  const { output } = await app.run('globals');
  const names = (Array.isArray(output) ? output.map(String) : []).filter((name) => name !== 'main');
  expect([...names].sort()).toEqual([...TASK_GLOBALS].sort());
  expect(names.filter((name) => ABSENT_GLOBALS.has(name))).toEqual([]);
});

it('the names that the table calls refused throw when they are called', async () => {
  const calls = [...REFUSED_GLOBALS.keys()].map((name) => `() => ${name}('1')`);
  const code = `function main() { return [${calls.join(', ')}].map((call) => { try { return String(call()); } catch { return 'threw'; } }); }`;
  await app.task('refused', code);
  expect((await app.run('refused'))['output']).toEqual(calls.map(() => 'threw'));
});

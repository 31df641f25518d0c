import { expect, it } from 'vitest';
import { openCodeSyntax } from '../../infra/code-syntax.ts';
import { prepareCode } from '../../infra/sandbox/prepare.ts';
import { openSchemaCheck } from '../../infra/schema-check.ts';
import { checkTask } from '../../src/reactors/check-task.ts';

const deps = { sandbox: { prepare: prepareCode }, syntax: openCodeSyntax(), schemas: openSchemaCheck() };
const problemsOf = (code: string) =>
  checkTask(deps, { code, file: 'a/main.js', inputSchema: true, outputSchema: true });

it('a task that is right has no problems, in any form of entry', () => {
  for (const code of [
    '(function (input, context) { return context.attempt; });',
    'async function main(input) { const { a = 1 } = await (await fetch(input.url)).json(); return a; }',
    'const helper = (x) => x;\nmodule.exports = { main: (input) => helper(input) };',
    'export default async ({ n }) => { for await (const x of [n]) reportProgress({ progress: x }); }',
  ]) {
    expect(problemsOf(code), code).toEqual([]);
  }
});

it('problems stand in the order of the text, an import among unknown names', () => {
  const code = "const a = nope;\nimport fs from 'fs';\nexport default () => fs.readFileSync(a + other);";
  expect(problemsOf(code).map((problem) => [problem.code, problem.line])).toEqual([
    ['unknown_name', 1],
    ['invalid_task', 2],
    ['unknown_name', 3],
  ]);
});

it('code of megabytes is checked for its syntax only, and that is said', () => {
  const code = `function main() { return nope; } // ${'x'.repeat(1024 * 1024)}`;
  expect(problemsOf(code)).toMatchObject([{ severity: 'warning', code: 'names_not_checked' }]);
});

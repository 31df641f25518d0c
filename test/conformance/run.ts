/** Runs the official conformance suite against our own transport stack, with tools that only the tests have. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Toolbox } from '../../src/interfaces/mcp/toolbox.ts';
import { openTestApp } from '../support/app.ts';
import { serveMcp, TOOL_SETTINGS } from '../support/mcp.ts';
import { ASKING_TOOLS } from '../support/mcp-fixtures/asking-tools.ts';
import { changingTools } from '../support/mcp-fixtures/changing-tools.ts';
import { addOffers } from '../support/mcp-fixtures/offers.ts';
import { addTasks, otherTask, TASK_TOOLS } from '../support/mcp-fixtures/task-tools.ts';
import { TELLING_TOOLS } from '../support/mcp-fixtures/telling-tools.ts';

const SUITE = fileURLToPath(
  new URL('../../node_modules/@modelcontextprotocol/conformance/dist/index.js', import.meta.url),
);

/** Of the Tasks extension; the tenth, of its notices, the suite skips. */
export const TASK_SCENARIOS = [
  'lifecycle',
  'capability-negotiation',
  'wire-fields',
  'request-state-removal',
  'mrtr-input',
  'request-headers',
  'dispatch-and-envelope',
  'required-task-error',
  'mrtr-composition',
].map((name) => ['--scenario', `tasks-${name}`]);

export interface Verdict {
  readonly passed: boolean;
  readonly report: string;
}

/** @param selection flags of the suite, such as `--requirements 2026-07-28` */
export async function conformance(selections: readonly (readonly string[])[]): Promise<readonly Verdict[]> {
  await using app = await openTestApp();
  await addTasks(app);
  const { store, directory } = app.app;
  const { changes, tools } = changingTools({ store, directory, onTrouble: () => undefined });
  const toolbox = new Toolbox([...TELLING_TOOLS, ...ASKING_TOOLS, ...TASK_TOOLS, ...tools], TOOL_SETTINGS);
  await using served = await serveMcp(app, { mount: { toolbox, extend: addOffers, otherTask, changes } });
  const url = `${served.url.replace('127.0.0.1', 'localhost')}/mcp`;
  const verdicts: Verdict[] = [];
  for (const selection of selections) verdicts.push(await run(url, selection));
  return verdicts;
}

function run(url: string, selection: readonly string[]): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-conformance-'));
  const args = [SUITE, 'server', '--url', url, ...selection, '-o', folder];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: folder, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      rmSync(folder, { recursive: true, force: true });
      resolve({ passed: error === null, report: `${stdout}${stderr}` });
    });
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const given = process.argv.slice(2);
  const selections =
    given.length > 0
      ? [given]
      : [['--requirements', '2025-11-25'], ['--requirements', '2026-07-28'], ...TASK_SCENARIOS];
  const verdicts = await conformance(selections);
  for (const { report } of verdicts) process.stdout.write(report);
  process.exitCode = verdicts.every(({ passed }) => passed) ? 0 : 1;
}

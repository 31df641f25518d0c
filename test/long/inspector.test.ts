/** The inspector of the protocol's authors drives every tool, in both eras: too slow for every run, since each call is a process. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TOOLS } from '../../src/interfaces/mcp/tools.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { type Era, type McpServed, serveMcp } from '../support/mcp.ts';

const INSPECTOR = fileURLToPath(
  new URL('../../node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js', import.meta.url),
);
const CODE = 'function main({ n }) { if (n < 0) throw new Error("too small"); return { n: n * 2 }; }';
const ANY = { type: 'object' };

let app: TestApp;
let served: McpServed;
/** Good arguments for each tool, given an execution that failed and one that runs. */
let args: Readonly<Record<string, object>>;

beforeAll(async () => {
  app = await openTestApp();
  await app.task('double', CODE);
  await app.task('patient', 'async function main() { await sleep(600000); }');
  await app.run('double', { n: 1 });
  const failed = String((await app.run('double', { n: -1 }))['execution_id']);
  served = await serveMcp(app);
  args = {
    list_available_tasks: {},
    execute_task: { task_id: 'double', input: { n: 2 } },
    batch_execute: { tasks: [{ task_id: 'double', input: { n: 3 } }] },
    list_executions: {},
    get_execution_status: { execution_id: failed },
    get_execution_logs: { execution_id: failed },
    get_execution_trace: { execution_id: failed },
    analyze_execution_error: { execution_id: failed },
    replay_execution: { execution_id: failed },
    compare_executions: { execution_id: failed },
    validate_task: { task_id: 'double' },
    run_task_tests: { task_id: 'double' },
    debug_task_execution: { execution_id: failed, breakpoints: [1] },
    get_audit_trail: {},
    network_interfaces: {},
  };
});

afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

const answered = z.looseObject({ result: z.looseObject({ isError: z.boolean().optional() }) });

function inspect(era: Era, name: string, given: object): Promise<z.infer<typeof answered>> {
  const call = ['--method', 'tools/call', '--tool-name', name, '--tool-args-json', JSON.stringify(given)];
  const how = ['--transport', 'http', '--protocol-era', era, '--format', 'json', '-q'];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [INSPECTOR, '--cli', `${served.url}/mcp`, ...call, ...how], (error, stdout, stderr) => {
      if (error !== null) reject(new Error(`${name}: ${stdout}${stderr}`));
      else resolve(answered.parse(JSON.parse(stdout)));
    });
  });
}

describe.each<Era>(['legacy', 'modern'])('the inspector in the %s era', (era) => {
  it.each(TOOLS.map(({ listed }) => listed.name))('drives %s', { timeout: 60_000 }, async (name) => {
    const known = args[name];
    const given = known ?? (await madeFor(name, era));
    const { result } = await inspect(era, name, given);
    expect(result.isError, JSON.stringify(result)).not.toBe(true);
  });
});

/** Tools that need something of their own to change. */
async function madeFor(name: string, era: Era): Promise<object> {
  const task = `${name}-${era}`;
  switch (name) {
    case 'cancel_execution': {
      const { execution_id } = await app.call('create_execution', { task_id: 'patient', input: {} });
      return { execution_id };
    }
    case 'create_task':
      return { name: task, description: 'Made by the inspector.', code: CODE, input_schema: ANY, output_schema: ANY };
    case 'edit_task':
      await app.task(task, CODE);
      return { task_id: task, patch: [{ find: 'n * 2', replace: 'n * 3' }] };
    case 'delete_task':
      await app.task(task, CODE);
      return { task_id: task };
    default:
      throw new Error(`there are no arguments for ${name}`);
  }
}

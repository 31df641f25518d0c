/** Fixtures that take long: most are executions of our own, told by our own extension; two end as no execution does. */
import {
  inputRequired,
  MissingRequiredClientCapabilityError,
  ProtocolError,
  ProtocolErrorCode,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { statusOf } from '../../../src/interfaces/mcp/await-execution.ts';
import { TASKS_EXTENSION } from '../../../src/interfaces/mcp/client-view.ts';
import { taskHandle } from '../../../src/interfaces/mcp/task-handle.ts';
import type { Tool, ToolCall, ToolOutcome } from '../../../src/interfaces/mcp/tool.ts';
import { record } from '../../../src/interfaces/rest-request.ts';
import type { TestApp } from '../app.ts';
import { ask, said } from './contents.ts';
import { fixture } from './fixture-tool.ts';

/** The tasks of Ratchet that these tools run. */
const TASKS: Readonly<Record<string, string>> = {
  'slow-compute': 'async function main({ seconds, label }) { await sleep(seconds * 1000); return { seconds, label }; }',
  'confirm-delete':
    'async function main({ filename }) { const { confirm } = await ask(`Delete ${filename}?`, { type: "object", properties: { confirm: { type: "boolean" } }, required: ["confirm"] }); return { filename, deleted: confirm }; }',
  'multi-input':
    'async function main() { const form = (field) => ({ type: "object", properties: { [field]: { type: "string" } } }); const [a, b] = await Promise.all([ask("First?", form("first")), ask("Second?", form("second"))]); return { ...a, ...b }; }',
  greeting: 'async function main({ name }) { return `Hello, ${name}!`; }',
};

/** Publishes what the tools run. */
export async function addTasks(app: TestApp): Promise<void> {
  for (const [name, code] of Object.entries(TASKS)) await app.task(name, code);
}

const requested = z.object({ execution_id: z.string() });

/** Waits for the end where the client takes no handles. */
async function execution(call: ToolCall, task: string, input: object, isQuick: boolean): Promise<ToolOutcome> {
  if (!call.client.takesTasks || isQuick) {
    const told = record(await call.ask('execute_task', { task_id: task, input }));
    return said(JSON.stringify(told['output']));
  }
  const { execution_id } = requested.parse(await call.ask('create_execution', { task_id: task, input }));
  const status = await statusOf(call, execution_id, null);
  return { ...taskHandle(execution_id, status), resultType: 'task', content: [] };
}

/** Tasks that end as no execution does. */
const others = new Map<string, { readonly task: object; readonly end: object; readonly at: number }>();

/** As `tasks/get` tells it. */
export function otherTask(taskId: string): object | null {
  const other = others.get(taskId);
  if (other === undefined) return null;
  return { ...other.task, ...(Date.now() < other.at ? {} : other.end) };
}

function other(call: ToolCall, name: string, end: object): ToolOutcome {
  if (!call.client.takesTasks) {
    throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } });
  }
  const at = new Date().toISOString();
  const taskId = `${name}-${call.core.execute.runtime.newId()}`;
  const times = { createdAt: at, lastUpdatedAt: at, ttlMs: null, pollIntervalMs: 200 };
  const task = { taskId, status: 'working', ...times };
  others.set(taskId, { task, end, at: Date.now() + 500 });
  return { ...task, resultType: 'task', content: [] };
}

const object = (properties: Record<string, { type: string }>) => ({ type: 'object' as const, properties });
const STRING = { type: 'string' };

function nameGiven({ context }: ToolCall): string | null {
  const { content } = record(record(context.mcpReq.inputResponses)['user_name']);
  const { name } = record(content);
  return typeof name === 'string' ? name : null;
}

export const TASK_TOOLS: readonly Tool[] = [
  fixture('greet', (_context, { name }) => said(`Hello, ${String(name)}!`), object({ name: STRING })),
  fixture(
    'slow_compute',
    (_context, args, call) => execution(call, 'slow-compute', args, args['seconds'] === 0),
    object({ seconds: { type: 'number' }, label: STRING }),
  ),
  fixture('failing_job', (_context, _args, call) =>
    other(call, 'failing', { status: 'completed', result: { ...said('it failed'), isError: true } }),
  ),
  fixture('protocol_error_job', (_context, _args, call) =>
    other(call, 'panicking', { status: 'failed', error: { code: -32_603, message: 'it panicked' } }),
  ),
  fixture(
    'confirm_delete',
    (_context, args, call) => execution(call, 'confirm-delete', args, false),
    object({ filename: STRING }),
  ),
  fixture('multi_input', (_context, _args, call) => execution(call, 'multi-input', {}, false)),
  fixture('test_tool_with_task', (_context, _args, call) => {
    const name = nameGiven(call);
    if (name !== null) return execution(call, 'greeting', { name }, false);
    if (!call.client.elicits) throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'a name is needed');
    const user_name = ask('What is your name?', { name: { type: 'string' } }, ['name']);
    return inputRequired({ inputRequests: { user_name } });
  }),
];

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { EVERY_TASK, LOCAL_ADMIN, type Permission, type Principal } from '../../../src/domain/access.ts';
import type { Authenticate } from '../../../src/interfaces/identity.ts';
import { TOOLS } from '../../../src/interfaces/mcp/tools.ts';
import { openTestApp, type TestApp } from '../../support/app.ts';
import { type Era, type McpServed, serveMcp } from '../../support/mcp.ts';
import { Agent } from '../../support/mcp-agent.ts';

let app: TestApp;
let served: McpServed;
let executionId: string;

const COMMON: readonly Permission[] = ['read'];
const RIGHTS: Readonly<Record<string, readonly Permission[]>> = {
  reader: COMMON,
  runner: [...COMMON, 'execute_tasks'],
  logs: [...COMMON, 'read_logs'],
  traces: [...COMMON, 'read_traces'],
  system: [...COMMON, 'access_system_info'],
  author: [...COMMON, 'manage_tasks'],
};

function principal(name: string): Principal {
  const bound = name === 'bound' ? { allowed: ['ci_*'], denied: ['ci_secret'] } : EVERY_TASK;
  const permissions = new Set(RIGHTS[name] ?? LOCAL_ADMIN.permissions);
  return { ...LOCAL_ADMIN, id: `key:${name}`, kind: 'key', name, permissions, tasks: bound };
}

const byHeader: Authenticate = async ({ headers }) => principal(String(headers['x-name'] ?? 'admin'));

/** What each call needs; written down by hand, so that a change of a permission is noticed. */
const ALL = ['list_available_tasks', 'list_executions', 'get_execution_status'];
const MAY: Readonly<Record<string, readonly string[]>> = {
  reader: [],
  runner: ['execute_task', 'cancel_execution'],
  logs: ['get_execution_logs', 'get_audit_trail'],
  traces: [
    'get_execution_trace',
    'analyze_execution_error',
    'replay_execution',
    'compare_executions',
    'debug_task_execution',
  ],
  system: ['network_interfaces'],
};
/** Proven elsewhere: tools for who develops tasks, and batches. */
const OTHERS = ['create_task', 'edit_task', 'delete_task', 'validate_task', 'run_task_tests', 'batch_execute'];

beforeAll(async () => {
  app = await openTestApp();
  for (const name of ['ci_build', 'ci_secret', 'other']) {
    await app.task(name, 'export default () => { console.log("secret of the task"); return 1; };');
  }
  executionId = String((await app.run('other'))['execution_id']);
  await app.run('ci_build');
  served = await serveMcp(app, { authenticate: byHeader });
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

describe.each<Era>(['legacy', 'modern'])('in the %s era', (era) => {
  const as = async (name: string) => served.client(era, { 'x-name': name });

  it.each(Object.keys(MAY))('%s sees the tools it may call, and no other', async (name) => {
    const { tools } = await (await as(name)).listTools();
    const told = tools.map((tool) => tool.name).filter((tool) => !OTHERS.includes(tool));
    const may = new Set([...ALL, ...(MAY[name] ?? [])]);
    expect(told).toEqual(TOOLS.map(({ listed }) => listed.name).filter((tool) => may.has(tool)));
  });

  it.each(Object.keys(MAY))('%s is refused what it does not see', async (name) => {
    const agent = new Agent(await as(name));
    const may = [...ALL, ...(MAY[name] ?? []), ...OTHERS];
    for (const { listed } of TOOLS.filter((tool) => !may.includes(tool.listed.name))) {
      expect(await agent.refused(listed.name, { execution_id: executionId })).toMatchObject({
        code: 'permission_denied',
      });
    }
  });

  it('a caller bound to tasks finds, names and reads only those', async () => {
    const agent = new Agent(await as('bound'));
    const { tasks } = await agent.ask('list_available_tasks', {});
    expect(tasks.map(({ name }: { name: string }) => name)).toEqual(['ci_build']);
    const latest = await agent.ask('get_execution_status', { execution_id: 'latest' });
    expect(latest.task_name).toBe('ci_build');
    for (const tool of ['get_execution_status', 'get_execution_logs', 'get_execution_trace', 'compare_executions']) {
      const error = await agent.refused(tool, { execution_id: executionId });
      expect(error).toMatchObject({ code: 'permission_denied' });
      expect(JSON.stringify(error)).not.toMatch(/other|secret/);
    }
    // A name that is near to one that it may not see is not told.
    for (const filter of ['ci_secre', 'othe']) {
      const { hints } = await agent.ask('list_available_tasks', { filter: `${filter} x` });
      expect(JSON.stringify(hints)).not.toMatch(/ci_secret|other'/);
    }
  });

  it('logs that were kept for one caller are not told to another who may not read them', async () => {
    const args = { execution_id: executionId };
    expect((await new Agent(await as('logs')).ask('get_execution_logs', args)).total).toBe(1);
    expect((await new Agent(await as('logs')).ask('get_execution_logs', args)).total).toBe(1);
    for (const name of ['reader', 'bound']) {
      expect(await new Agent(await as(name)).refused('get_execution_logs', args)).toMatchObject({
        code: 'permission_denied',
      });
    }
  });
});

it('refusals stand in the audit trail', async () => {
  await new Agent(await served.client('modern', { 'x-name': 'reader' })).refused('get_audit_trail');
  await vi.waitFor(async () => {
    const { entries } = await app.call('get_audit_trail', { action: 'AccessRefused' });
    expect(entries).toContainEqual(
      expect.objectContaining({
        details: expect.objectContaining({
          principal: 'key:reader',
          operation: 'tools/call get_audit_trail',
          reason: 'permission_denied',
        }),
      }),
    );
  }, 10_000);
});

describe('what the configuration switches off', () => {
  async function withSettings(settings: object, look: (agent: Agent, names: readonly string[]) => Promise<void>) {
    await using here = await serveMcp(app, { authenticate: byHeader, settings });
    const client = await here.client('modern');
    const { tools } = await client.listTools();
    await look(
      new Agent(client),
      tools.map(({ name }) => name),
    );
  }
  const ON = { execution: true, logging: true, monitoring: true, debugging: true, batch: true };
  const ARGS = { execution_id: 'latest' };

  it.each([
    ['logging', ['get_execution_logs']],
    ['monitoring', ['list_executions', 'get_execution_status', 'get_execution_trace', 'get_audit_trail']],
    ['debugging', ['analyze_execution_error', 'compare_executions', 'debug_task_execution']],
    ['execution', ['execute_task', 'cancel_execution', 'replay_execution']],
  ])('%s is neither listed nor called', async (toolset, off) => {
    await withSettings({ toolsets: { ...ON, [toolset]: false } }, async (agent, names) => {
      for (const name of off) {
        expect(names).not.toContain(name);
        const error = await agent.refused(name, ARGS);
        expect(error).toMatchObject({ code: 'permission_denied', what: expect.stringContaining(toolset) });
      }
      expect(names).toContain('list_available_tasks');
    });
  });

  it('a server that only reads offers only tools that change nothing', async () => {
    await withSettings({ readOnly: true }, async (agent, names) => {
      const reading = TOOLS.filter(({ listed }) => listed.annotations?.readOnlyHint === true);
      expect(names).toEqual(reading.map(({ listed }) => listed.name));
      for (const name of ['cancel_execution', 'replay_execution', 'debug_task_execution', 'execute_task']) {
        expect(await agent.refused(name, ARGS)).toMatchObject({ code: 'permission_denied' });
      }
    });
  });

  it('nothing is run for the debugger where executions are switched off; what is recorded is debugged', async () => {
    await withSettings({ toolsets: { ...ON, execution: false } }, async (agent) => {
      const error = await agent.refused('debug_task_execution', { task_id: 'other', input: {} });
      expect(error).toMatchObject({ code: 'permission_denied' });
      await agent.ask('debug_task_execution', { execution_id: executionId });
    });
  });

  it('an answer has at most max_log_entries entries', async () => {
    await app.task('talker', 'export default () => { for (let i = 0; i < 50; i += 1) console.log(`line ${i}`); };');
    await app.run('talker');
    await withSettings({ maxLogEntries: 7 }, async (agent) => {
      const { logs, total, omitted } = await agent.ask('get_execution_logs', { ...ARGS, task_id: 'talker', limit: 40 });
      expect([logs.length, total, omitted.count]).toEqual([7, 50, 43]);
    });
  });

  it('an answer larger than max_output_size is refused, and says so', async () => {
    await withSettings({ maxOutputBytes: 100 }, async (agent) => {
      expect(await agent.refused('get_execution_status', ARGS)).toMatchObject({
        code: 'response_too_large',
        what: expect.stringMatching(/\d+ bytes, more than the 100 of mcp.security.max_output_size/),
      });
    });
  });
});

it('answers about logs of what has ended are kept for as long as configured, those of what goes on are not', async () => {
  await app.task(
    'asker',
    'export default async function main() { console.log("asking"); await ask("go?"); console.log("went on"); }',
  );
  const read = vi.spyOn(app.app.core.query.db, 'selectFrom');
  const scans = () => read.mock.calls.filter(([table]) => table === 'log_lines').length;
  const agent = new Agent(await served.client('modern'));
  const { execution_id } = await app.call('create_execution', { task_id: 'asker', input: {} });
  const logs = () => agent.ask('get_execution_logs', { execution_id });
  await vi.waitFor(async () => expect((await logs()).total).toBe(1), 10_000);
  await vi.waitFor(() => app.call('answer_question', { execution_id, answer: true }), 10_000);
  await vi.waitFor(async () => expect((await logs()).total).toBe(2), 10_000);
  await app.app.core.awaitEnd(String(execution_id), 10_000, false);
  await vi.waitFor(
    async () => expect((await agent.ask('get_execution_status', { execution_id })).status).toBe('completed'),
    10_000,
  );
  const first = await logs();
  const before = scans();
  expect(await logs()).toEqual(first);
  // The operation itself is asked each time, for rights and limits: that is one reading.
  expect(scans() - before).toBe(1);
  const now = vi.spyOn(app.app.core.execute.runtime, 'now').mockReturnValue(Date.now() + 300_001);
  const kept = scans();
  await logs();
  expect(scans() - kept).toBeGreaterThan(1);
  now.mockRestore();
  read.mockRestore();
});

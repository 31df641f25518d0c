/** A caller bound to task patterns: what it may touch, and what lists show it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { LOCAL_ADMIN, type Principal } from '../../src/domain/access.ts';
import { OPERATIONS } from '../../src/interfaces/operations.ts';
import { SUBJECT_FIELDS } from '../../src/interfaces/task-access.ts';
import { openTestApp, type TestApp } from '../support/app.ts';

const BOUND: Principal = { ...LOCAL_ADMIN, id: 'key:ci', tasks: { allowed: ['ci_*'], denied: ['ci_secret*'] } };

let app: TestApp;
const executions: Record<string, string> = {};
const replays: Record<string, string> = {};

beforeAll(async () => {
  app = await openTestApp();
  for (const name of ['ci_build', 'ci_secret', 'deploy']) {
    await app.task(
      name,
      `function main({ fail }) { console.log("${name}"); if (fail) throw new Error("${name}"); return 1; }`,
    );
    await app.run(name, { fail: true });
    const { execution_id } = await app.run(name);
    executions[name] = String(execution_id);
    const { replayId } = await app.call('replay_execution', { execution_id });
    replays[name] = String(replayId);
  }
  await app.app.core.progress.reach(await app.app.store.head(), 10_000);
});
afterAll(() => app[Symbol.asyncDispose]());

const call = (operation: string, input: object) => app.call(operation, input, { principal: BOUND });
const refused = { code: 'permission_denied', message: 'Permission denied: Task not allowed' };

describe.each(['deploy', 'ci_secret'])('about %s', (name) => {
  const id = async (): Promise<string> => String((await app.call('get_task', { task_id: name }))['id']);

  it.each([
    ['execute_task', () => ({ task_id: name, input: {} })],
    ['create_execution', () => ({ task_id: name, input: {} })],
    ['get_task', () => ({ task_id: name })],
    ['edit_task', () => ({ task_id: name, description: 'mine' })],
    ['delete_task', () => ({ task_id: name })],
    ['create_task', () => ({ name, code: 'function main() {}' })],
    ['list_executions', () => ({ task_id: name })],
    ['get_execution_status', () => ({ execution_id: executions[name] })],
    ['get_execution_logs', () => ({ execution_id: executions[name] })],
    ['list_execution_events', () => ({ execution_id: executions[name] })],
    ['retry_execution', () => ({ execution_id: executions[name] })],
    ['open_debug_session', () => ({ execution_id: executions[name] })],
    ['compare_executions', () => ({ execution_id: executions['ci_build'], other_id: executions[name] })],
    ['get_replay', () => ({ replay_id: replays[name] })],
    ['replay_failures', () => ({ task_id: 'ci_build', execution_id: executions[name] })],
  ])('%s is refused', async (operation, input) => {
    await expect(call(operation, input())).rejects.toMatchObject(refused);
  });

  it('it is refused by its id too', async () => {
    await expect(call('execute_task', { task_id: await id(), input: {} })).rejects.toMatchObject(refused);
    await expect(call('get_task', { task_id: await id() })).rejects.toMatchObject(refused);
  });
});

describe('about an allowed task', () => {
  it('everything goes', async () => {
    expect(await call('execute_task', { task_id: 'ci_build', input: {} })).toMatchObject({ status: 'completed' });
    expect(await call('get_replay', { replay_id: replays['ci_build'] })).toMatchObject({ task_name: 'ci_build' });
    expect(await call('get_execution_logs', { execution_id: executions['ci_build'] })).toMatchObject({
      logs: [{ message: 'ci_build' }],
    });
  });

  it('a task may be made whose name is allowed, and no other', async () => {
    const code = 'function main() {}';
    await call('create_task', { name: 'ci_new', code });
    await expect(call('create_task', { name: 'new', code })).rejects.toMatchObject(refused);
  });

  it('what does not exist is told as missing only where it would be allowed', async () => {
    await expect(call('get_task', { task_id: 'ci_none' })).rejects.toMatchObject({ code: 'task_not_found' });
    await expect(call('get_task', { task_id: 'none' })).rejects.toMatchObject(refused);
    await expect(call('get_execution_status', { execution_id: 'none' })).rejects.toMatchObject({
      code: 'execution_not_found',
    });
  });
});

describe('lists show allowed tasks only', () => {
  const namesIn = (rows: unknown, field: string): Set<unknown> =>
    new Set((rows as Record<string, unknown>[]).map((row) => row[field]));

  it('of tasks, executions and replays', async () => {
    expect(namesIn((await call('list_available_tasks', {}))['tasks'], 'name')).not.toContain('deploy');
    expect(namesIn((await call('list_available_tasks', {}))['tasks'], 'name')).toContain('ci_build');
    expect(namesIn((await call('list_executions', {}))['executions'], 'task_name')).toEqual(new Set(['ci_build']));
    expect(namesIn((await call('list_replays', {}))['replays'], 'task_name')).toEqual(new Set(['ci_build']));
  });

  it('of failures', async () => {
    const { failures } = await call('list_failures', {});
    const samples = (failures as { sample: { task_name: string } }[]).map(({ sample }) => sample.task_name);
    expect(samples).toEqual(['ci_build']);
  });

  it('of the audit trail', async () => {
    const all = (await app.call('get_audit_trail', { limit: 1000 }))['entries'] as { subject_id: string }[];
    const seen = (await call('get_audit_trail', { limit: 1000 }))['entries'] as {
      subject_id: string;
      subject: string;
    }[];
    expect(all.map((entry) => entry.subject_id)).toContain(executions['deploy']);
    const ids = seen.map((entry) => entry.subject_id);
    expect(ids).toContain(executions['ci_build']);
    expect(ids).toContain(replays['ci_build']);
    expect(ids).not.toContain(executions['deploy']);
    expect(ids).not.toContain(replays['ci_secret']);
    expect(new Set(seen.map((entry) => entry.subject))).toEqual(new Set(['task', 'execution', 'replay']));
  });

  it('of events', async () => {
    const { events } = await call('list_events', { limit: 1000 });
    const text = JSON.stringify(events);
    expect(text).toContain(executions['ci_build']);
    expect(text).not.toContain(executions['deploy']);
    expect(text).not.toContain('ci_secret');
  });

  it('of debug sessions, also to who administers', async () => {
    const opened = await app.call('open_debug_session', { execution_id: executions['deploy'] });
    const session_id = String(opened['session_id']);
    expect((await app.call('list_debug_sessions', {}))['sessions']).toHaveLength(1);
    expect((await call('list_debug_sessions', {}))['sessions']).toEqual([]);
    await expect(call('get_debug_session', { session_id })).rejects.toMatchObject(refused);
    await app.call('close_debug_session', { session_id });
  });
});

/** Ids that lead to no task, and those that the operations on schedules look up themselves. */
const OTHER_IDS = new Set(['subject_id', 'key_id', 'schedule_id']);
/** Operations whose input names tasks further inside, and that tell them by `about`. */
const TOLD_BY_ABOUT = new Set(['batch_execute']);

it.each(OPERATIONS.map(({ name, input }) => ({ name, input })))(
  'each field of $name that ends in _id is known to lead to a task, or to none',
  ({ name, input }) => {
    const { properties = {}, ...rest } = z.toJSONSchema(input, { unrepresentable: 'any', io: 'input' }) as {
      properties?: Record<string, unknown>;
    };
    const ids = Object.keys(properties).filter((field) => field.endsWith('_id'));
    expect(ids.filter((field) => !(field in SUBJECT_FIELDS) && !OTHER_IDS.has(field))).toEqual([]);
    // Deeper inside nothing looks for them: an operation with such an input must tell by `about`, and then be left out here.
    const deeper = JSON.stringify([Object.values(properties), rest]).match(/"\w+_id":\{/g) ?? [];
    expect(TOLD_BY_ABOUT.has(name)).toBe(deeper.length > 0);
  },
);

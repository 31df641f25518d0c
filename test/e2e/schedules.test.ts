import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { handle } from '../../commands/handle.ts';
import { fireDue } from '../../commands/schedule.ts';
import { LOCAL_ADMIN } from '../../src/domain/access.ts';
import { idOf, START, type StoredEvent, streamName } from '../../src/domain/event.ts';
import { decode } from '../../src/domain/history.ts';
import type { ScheduleEvent } from '../../src/domain/schedule.ts';
import { Schedules } from '../../src/reactors/schedules.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { META } from '../support/given.ts';
import { call, eventually, openHome, startServerProcess } from '../support/server.ts';

const HOUR = 3_600_000;
const CODE = 'function main(input) { return input; }';

async function eventsOf({ app }: TestApp, scheduleId: string): Promise<readonly StoredEvent[]> {
  return app.store.readStream(streamName('schedule', scheduleId));
}

async function firingsOf(test: TestApp, scheduleId: string) {
  const facts = (await eventsOf(test, scheduleId)).map((stored) => decode<ScheduleEvent>(stored));
  return facts.filter((fact) => fact.type === 'ScheduleFired').map(({ data }) => data);
}

/** How often each execution was asked for, and how. */
async function requestsOf({ app }: TestApp, scheduleId: string) {
  const { events } = await app.store.readAll(START, { types: ['ExecutionRequested'] }, 1_000);
  return events
    .map((stored) => ({ id: idOf(stored.stream), principal: stored.principal, data: JSON.parse(stored.payload) }))
    .filter(({ data }) => data.metadata.schedule_id === scheduleId);
}

describe('a schedule on a server', () => {
  let test: TestApp;
  beforeAll(async () => {
    test = await openTestApp();
    await test.task('report', CODE, { input_schema: { type: 'object' } });
  });
  afterAll(() => test[Symbol.asyncDispose]());

  const wish = { name: 'often', task_id: 'report', cron: '* * * * * *', input: { day: 1 } };

  it('executes its task at each time, and tells what came of it', async () => {
    const made = await test.call('create_schedule', wish);
    const id = String(made['id']);
    const executionId = await eventually('it has fired', async () => (await firingsOf(test, id))[0]?.executionId);
    const end = await test.app.core.awaitEnd(executionId, 10_000, false);
    const seen = { minPosition: end?.position ?? START };
    const execution = await test.call('get_execution_status', { execution_id: executionId }, seen);
    expect(execution).toMatchObject({
      status: 'completed',
      output: { day: 1 },
      source: 'schedule',
      principal: `schedule:${id}`,
      metadata: { schedule_id: id, schedule_name: 'often', trigger: 'due', scheduled_for: expect.any(String) },
    });
    const switched = await test.call('disable_schedule', { schedule_id: id });
    expect(switched).toMatchObject({ status: 'disabled', next_run_at: null, version: 2 });
    const told = await test.call('get_schedule', { schedule_id: id });
    const firings = await firingsOf(test, id);
    expect(told).toMatchObject({
      status: 'disabled',
      fired: firings.length,
      last_run_at: firings.at(-1)?.dueAt,
      last_execution_id: firings.at(-1)?.executionId,
      input: { day: 1 },
      created_by: 'local:admin',
    });
    const { executions } = await test.call('list_executions', { principal: `schedule:${id}` });
    expect(executions).toHaveLength(firings.length);
  });

  it('that was changed never fires the old way', async () => {
    const { id } = await test.call('create_schedule', wish);
    await eventually('it has fired', async () => (await firingsOf(test, String(id)))[0]);
    await test.call('edit_schedule', { schedule_id: id, cron: '0 0 1 1 *', input: { day: 2 } });
    // Another one fires meanwhile, so that the time of the old pattern comes.
    const { id: other } = await test.call('create_schedule', wish);
    await eventually('another has fired twice', async () => (await firingsOf(test, String(other)))[1]);
    await test.call('delete_schedule', { schedule_id: other });
    const types = (await eventsOf(test, String(id))).map(({ type }) => type);
    expect(types.at(-1)).toBe('ScheduleChanged');
    const { execution_id } = await test.call('trigger_schedule', { schedule_id: id });
    const { events } = await test.call('list_execution_events', { execution_id });
    expect(events).toContainEqual(
      expect.objectContaining({ data: expect.objectContaining({ input: { value: { day: 2 } } }) }),
    );
  });

  it('is fired by hand as often as it is asked, and once under one key', async () => {
    const { id } = await test.call('create_schedule', { ...wish, cron: '0 0 1 1 *' });
    const key = { idempotencyKey: 'once' };
    const first = await test.call('trigger_schedule', { schedule_id: id }, key);
    const again = await test.call('trigger_schedule', { schedule_id: id }, key);
    const other = await test.call('trigger_schedule', { schedule_id: id });
    expect(again['execution_id']).toBe(first['execution_id']);
    expect(other['execution_id']).not.toBe(first['execution_id']);
    expect(await requestsOf(test, String(id))).toHaveLength(2);
    expect((await test.call('get_schedule', { schedule_id: id }))['last_run_at']).not.toBeNull();
  });

  it('records what was refused, and goes on', async () => {
    await test.task('sometimes', CODE);
    const { id } = await test.call('create_schedule', { ...wish, task_id: 'sometimes', input: 1 });
    await test.call('disable_task', { task_id: 'sometimes' });
    const skip = await eventually('one was refused', async () => {
      const { last_skip } = await test.call('get_schedule', { schedule_id: id });
      return last_skip ?? undefined;
    });
    expect(skip).toMatchObject({ reason: 'task_disabled', executionId: expect.any(String) });
    await expect(test.call('trigger_schedule', { schedule_id: id })).rejects.toMatchObject({ code: 'task_disabled' });
    await test.call('enable_task', { task_id: 'sometimes' });
    await eventually('it was executed', async () => (await requestsOf(test, String(id)))[0]);
    await test.call('delete_schedule', { schedule_id: id });
  });

  it.each([
    [{ cron: '* * *' }, 'invalid_schedule'],
    [{ timezone: 'Nowhere/Land' }, 'invalid_schedule'],
    [{ input: 'no object' }, 'input_schema_violation'],
    [{ task_id: 'nobody' }, 'task_not_found'],
    [{ version: 9 }, 'task_not_found'],
    [{ end_at: '2020-01-01T00:00:00Z' }, 'invalid_schedule'],
    [{ catch_up: 'most' }, 'invalid_request'],
    [{ cron: undefined }, 'invalid_request'],
  ])('is refused with %j', async (more, code) => {
    await expect(test.call('create_schedule', { ...wish, ...more })).rejects.toMatchObject({ code });
    const { id } = await test.call('create_schedule', { ...wish, cron: '0 0 1 1 *' });
    if (!('task_id' in more) && !('cron' in more && more.cron === undefined)) {
      await expect(test.call('edit_schedule', { schedule_id: id, ...more })).rejects.toMatchObject({ code });
    }
  });

  it('is one under one key, and another request with it is refused', async () => {
    const key = { idempotencyKey: 'nightly' };
    const nightly = { ...wish, cron: '@daily' };
    const first = await test.call('create_schedule', nightly, key);
    expect(await test.call('create_schedule', nightly, key)).toMatchObject({ id: first['id'], changed: false });
    await expect(test.call('create_schedule', { ...nightly, cron: '@hourly' }, key)).rejects.toMatchObject({
      code: 'idempotency_mismatch',
    });
  });

  it('belongs to its task: whoever may not touch the task may not touch it', async () => {
    const { id } = await test.call('create_schedule', { ...wish, cron: '@daily' });
    const stranger = { principal: { ...LOCAL_ADMIN, id: 'key:x', tasks: { allowed: ['other-*'], denied: [] } } };
    for (const name of ['trigger_schedule', 'edit_schedule', 'delete_schedule', 'disable_schedule']) {
      await expect(test.call(name, { schedule_id: id }, stranger), name).rejects.toMatchObject({
        code: 'permission_denied',
      });
    }
    await expect(test.call('create_schedule', wish, stranger)).rejects.toMatchObject({ code: 'permission_denied' });
    await expect(test.call('get_schedule', { schedule_id: id }, stranger)).rejects.toMatchObject({
      code: 'schedule_not_found',
    });
    expect((await test.call('list_schedules', {}, stranger))['schedules']).toEqual([]);
  });

  it('stands in the audit trail', async () => {
    const { id } = await test.call('create_schedule', { ...wish, cron: '@daily' });
    await test.call('trigger_schedule', { schedule_id: id });
    const { entries } = await test.call('get_audit_trail', { subject_id: id });
    expect((entries as readonly { action: string }[]).map(({ action }) => action)).toEqual([
      'ScheduleFired',
      'ScheduleCreated',
    ]);
  });
});

describe('several processes, by a clock of the test', () => {
  let test: TestApp;
  const stop = new AbortController();
  let now = Date.parse('2030-01-01T00:00:30Z');
  const troubles: unknown[] = [];
  const opened: Schedules[] = [];

  beforeAll(async () => {
    test = await openTestApp({ runs: false });
    await test.task('report', CODE);
  });
  afterAll(async () => {
    stop.abort();
    for (const schedules of opened) await schedules.close();
    await test[Symbol.asyncDispose]();
  });

  const deps = () => {
    const { schedules } = test.app.core;
    return { ...schedules, runtime: { ...schedules.runtime, now: () => now } };
  };

  async function process(): Promise<Schedules> {
    const schedules = new Schedules({ ...deps(), isElected: () => true }, (error) => troubles.push(error));
    opened.push(schedules);
    await schedules.start(stop.signal);
    return schedules;
  }

  it('fire once for each time, whoever is first', async () => {
    const one = await process();
    const other = await process();
    const { id } = await test.call('create_schedule', {
      name: 'each minute',
      task_id: 'report',
      cron: '* * * * *',
      input: {},
      start_at: '2030-01-01T00:00:00Z',
    });
    await eventually('the first was fired', async () => (await firingsOf(test, String(id)))[0]);
    for (let minute = 1; minute <= 20; minute += 1) {
      now += 60_000;
      await eventually(`minute ${minute} was fired`, async () => {
        one.look();
        other.look();
        return (await firingsOf(test, String(id)))[minute];
      });
    }
    const due = (await firingsOf(test, String(id))).map(({ dueAt }) => dueAt);
    expect(due).toEqual(
      due.map((_, index) => new Date(Date.parse('2030-01-01T00:00:00Z') + index * 60_000).toISOString()),
    );
    await one.close();
    await other.close();
    const requests = await requestsOf(test, String(id));
    expect(requests.map((request) => request.data.metadata.scheduled_for)).toEqual(due);
    expect(troubles).toEqual([]);
    await test.call('delete_schedule', { schedule_id: id });
  });

  it.each([
    ['skip', 0],
    ['last', 1],
    ['all', 6],
  ])(
    'of an hour in which none ran, the policy %s makes %i executions of a time every ten minutes',
    async (catch_up, count) => {
      now = Date.parse('2030-01-02T00:00:30Z');
      const { id } = await test.call('create_schedule', {
        name: 'caught up',
        task_id: 'report',
        cron: '*/10 * * * *',
        input: {},
        catch_up,
        start_at: '2030-01-02T00:10:00Z',
      });
      now += HOUR;
      const late = await process();
      await eventually('it stands at the next time', async () =>
        (await test.call('get_schedule', { schedule_id: id }))['next_run_at'] === '2030-01-02T01:10:00.000Z'
          ? true
          : undefined,
      );
      await late.close();
      expect(await requestsOf(test, String(id))).toHaveLength(count);
      expect(await test.call('get_schedule', { schedule_id: id })).toMatchObject({ fired: count, skipped: 6 - count });
      await test.call('delete_schedule', { schedule_id: id });
    },
  );

  it('make the execution of a firing that was decided by one that is gone', async () => {
    now = Date.parse('2030-01-03T00:00:00Z');
    const { id } = await test.call('create_schedule', {
      name: 'left behind',
      task_id: 'report',
      cron: '@daily',
      input: 'as it was decided',
      start_at: '2030-01-03T00:00:00Z',
    });
    const given = { scheduleId: String(id), settled: null, cron: deps().cron, executionIdOf: () => 'left' };
    await handle(deps(), fireDue, given, { ...META, now });
    expect(await requestsOf(test, String(id))).toEqual([]);
    // What is changed afterwards changes nothing about what was decided.
    await test.call('edit_schedule', { schedule_id: id, input: 'as it is now' });
    const next = await process();
    const [request] = await eventually('it was asked for', async () => {
      const requests = await requestsOf(test, String(id));
      return requests.length > 0 ? requests : undefined;
    });
    await next.close();
    expect(request).toMatchObject({ id: 'left', data: { input: { value: 'as it was decided' } } });
    await test.call('delete_schedule', { schedule_id: id });
  });
});

it('a server that is killed again and again fires once for each second', async () => {
  using home = openHome();
  home.file('tasks/tick/main.js', CODE);
  home.file('tasks/tick/metadata.json', JSON.stringify({ name: 'tick', version: '1.0.0' }));
  const options = { more: 'registry:\n  sources:\n    - name: own\n      uri: "file://./tasks"\n' };
  const events = async (url: string) => {
    const { body } = await call(url, 'GET', '/api/v1/events?category=schedule,execution&limit=1000');
    return body['events'] as readonly { type: string; stream: string; data: Record<string, unknown> }[];
  };
  const firings = async (url: string) => (await events(url)).filter(({ type }) => type === 'ScheduleFired');

  const first = await startServerProcess(home, options);
  const wish = { name: 'tick', task_id: 'tick', cron: '* * * * * *', input: {}, catch_up: 'all' };
  const made = await call(first.url, 'POST', '/api/v1/schedules', wish);
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  await eventually('it has fired', async () => ((await firings(first.url)).length >= 1 ? true : undefined));
  await first.kill();

  let seen = 0;
  for (let round = 0; round < 2; round += 1) {
    const server = await startServerProcess(home, options);
    const before = (await firings(server.url)).length;
    seen = await eventually('it has fired again', async () => {
      const now = (await firings(server.url)).length;
      return now > Math.max(before, seen) ? now : undefined;
    });
    await server.kill();
  }

  await using last = await startServerProcess(home, options);
  await call(last.url, 'DELETE', `/api/v1/schedules/${String(made.body['id'])}`);
  const fired = await firings(last.url);
  const due = fired.map(({ data }) => Date.parse(String(data['dueAt'])));
  expect(due).toEqual(due.map((_, index) => (due[0] ?? 0) + index * 1_000));
  const wanted = fired.map(({ data }) => String(data['executionId'])).toSorted();
  await eventually('each has become an execution', async () => {
    const requested = (await events(last.url)).filter(({ type }) => type === 'ExecutionRequested');
    const ids = requested.map(({ data }) => String(data['executionId'])).toSorted();
    return JSON.stringify(ids) === JSON.stringify(wanted) ? true : undefined;
  });
}, 60_000);

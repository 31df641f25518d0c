import { describe, expect, it } from 'vitest';
import {
  changeSchedule,
  createSchedule,
  deleteSchedule,
  disableSchedule,
  enableSchedule,
  fireDue,
  refuseFiring,
  triggerSchedule,
} from '../../commands/schedule.ts';
import { cronerCron } from '../../infra/cron.ts';
import { MAX_CAUGHT_UP, type ScheduleDefinition, type ScheduleEvent } from '../../src/domain/schedule.ts';
import { given, META } from '../support/given.ts';

const cron = cronerCron();
/** NOW is 03:04:05.678 UTC. */
const DEFINITION: ScheduleDefinition = {
  name: 'every minute',
  description: '',
  task: { id: 't1', name: 'report' },
  version: null,
  cron: '* * * * *',
  timezone: 'UTC',
  input: { value: {} },
  options: { priority: 0, timeout: null, retry: null, trace: true },
  catchUp: 'last',
  startAt: null,
  endAt: null,
};
const at = (time: string): string => `2026-01-02T${time}.000Z`;
const created = (more: Partial<ScheduleDefinition> = {}, nextAt: string | null = at('03:05:00')): ScheduleEvent => ({
  type: 'ScheduleCreated',
  data: { scheduleId: 's1', ...DEFINITION, ...more, enabled: true, nextAt },
});
const fired = (
  dueAt: string,
  nextAt: string | null,
  cause: 'due' | 'missed' | 'manual' = 'due',
  executionId = `e-${dueAt}`,
): ScheduleEvent => ({ type: 'ScheduleFired', data: { dueAt, executionId, cause, nextAt } });
const disabled: ScheduleEvent = { type: 'ScheduleDisabled', data: { reason: null } };
const deleted: ScheduleEvent = { type: 'ScheduleDeleted', data: { reason: null } };
const create = { scheduleId: 's1', definition: DEFINITION, enabled: true, cron };
const switched = { scheduleId: 's1', reason: null, baseVersion: null, cron };
const fire = { scheduleId: 's1', settled: null, cron, executionIdOf: (dueAt: string) => `e-${dueAt}` };

describe('creating a schedule', () => {
  it('names the time at which it fires next', () => {
    given(createSchedule).when(create).then(created());
  });
  it('names none while it is disabled', () => {
    given(createSchedule)
      .when({ ...create, enabled: false })
      .then({ type: 'ScheduleCreated', data: { scheduleId: 's1', ...DEFINITION, enabled: false, nextAt: null } });
  });
  it('keeps to its first and last time, both included', () => {
    const bounded = { ...DEFINITION, startAt: at('05:00:00'), endAt: at('05:00:00') };
    given(createSchedule)
      .when({ ...create, definition: bounded })
      .then(created(bounded, at('05:00:00')));
  });
  it.each([
    ['a day that does not exist', { cron: '0 0 30 2 *' }],
    ['an end in the past', { endAt: at('03:04:00') }],
    ['an end before its next time', { cron: '0 0 * * *', endAt: at('23:00:00') }],
  ])('is refused for %s', (_, more) => {
    given(createSchedule)
      .when({ ...create, definition: { ...DEFINITION, ...more } })
      .thenFails('invalid_schedule');
  });
});

describe('changing a schedule', () => {
  const hourly = { ...DEFINITION, cron: '0 * * * *' };
  const change = { scheduleId: 's1', definition: hourly, baseVersion: 1, cron };
  it('moves its next time to that of the new pattern', () => {
    given(changeSchedule, [created()])
      .when(change)
      .then({ type: 'ScheduleChanged', data: { ...hourly, nextAt: at('04:00:00') } });
  });
  it('is refused when it was made on a version that is no longer current', () => {
    given(changeSchedule, [created(), disabled]).when(change).thenFails('version_conflict');
  });
  it('is not refused because it fired meanwhile', () => {
    given(changeSchedule, [created({}, at('03:04:00')), fired(at('03:04:00'), at('03:05:00'))])
      .when(change)
      .thenTypes('ScheduleChanged');
  });
  it('never comes back to a time that it has fired for, even when the clock went back', () => {
    const again = { ...change, definition: DEFINITION };
    given(changeSchedule, [created({}, at('03:06:00')), fired(at('03:06:00'), at('03:07:00'))])
      .when(again)
      .then({ type: 'ScheduleChanged', data: { ...DEFINITION, nextAt: at('03:07:00') } });
  });
  it('leaves a disabled one without a next time', () => {
    given(changeSchedule, [created(), disabled])
      .when({ ...change, baseVersion: 2 })
      .then({ type: 'ScheduleChanged', data: { ...hourly, nextAt: null } });
  });
  it('fails for one that does not exist, or was deleted', () => {
    given(changeSchedule).when(change).thenFails('schedule_not_found');
    given(changeSchedule, [created(), deleted]).when(change).thenFails('schedule_not_found');
  });
});

describe('switching a schedule', () => {
  it('disables once, and enables from the next time on', () => {
    given(disableSchedule, [created()]).when(switched).then(disabled);
    given(disableSchedule, [created(), disabled]).when(switched).thenNothing();
    given(enableSchedule, [created({}, at('01:00:00')), disabled])
      .when(switched)
      .then({ type: 'ScheduleEnabled', data: { nextAt: at('03:05:00') } });
    given(enableSchedule, [created()]).when(switched).thenNothing();
  });
  it('deletes once, and then knows it no more', () => {
    given(deleteSchedule, [created()]).when(switched).then(deleted);
    given(deleteSchedule, [created(), deleted]).when(switched).thenFails('schedule_not_found');
  });
  it('is refused on a version that is no longer current', () => {
    for (const command of [enableSchedule, disableSchedule, deleteSchedule]) {
      given(command, [created(), disabled])
        .when({ ...switched, baseVersion: 1 })
        .thenFails('version_conflict');
    }
  });
});

describe('firing', () => {
  it('does nothing before its time, while disabled, or when deleted', () => {
    given(fireDue, [created()]).when(fire).thenNothing();
    given(fireDue, [created({}, at('03:04:00')), disabled])
      .when(fire)
      .thenNothing();
    given(fireDue, [created({}, at('03:04:00')), deleted])
      .when(fire)
      .thenNothing();
    given(fireDue).when(fire).thenNothing();
  });
  it('is for the time that is due, and names the next', () => {
    given(fireDue, [created({}, at('03:04:00'))])
      .when(fire)
      .then(fired(at('03:04:00'), at('03:05:00')));
  });
  it('waits until the last firing has become an execution', () => {
    const past = [created({}, at('03:03:00')), fired(at('03:03:00'), at('03:04:00'))];
    given(fireDue, past).when(fire).thenNothing();
    given(fireDue, past)
      .when({ ...fire, settled: `e-${at('03:03:00')}` })
      .thenTypes('ScheduleFired');
  });
  it('comes to an end with the last time', () => {
    const endAt = at('03:04:30');
    given(fireDue, [created({ endAt }, at('03:04:00'))])
      .when(fire)
      .then(fired(at('03:04:00'), null));
  });

  const skipped = (from: string, to: string, count: number | null, nextAt: string | null): ScheduleEvent => ({
    type: 'ScheduleSkipped',
    data: { from, to, count, reason: 'missed', message: null, executionId: null, nextAt },
  });
  const tenMinutes = { cron: '*/10 * * * *' };
  it('of missed times passes all over by the policy skip', () => {
    given(fireDue, [created({ ...tenMinutes, catchUp: 'skip' }, at('02:10:00'))])
      .when(fire)
      .then(skipped(at('02:10:00'), at('03:00:00'), 6, at('03:10:00')));
  });
  it('of missed times takes the last by the policy last', () => {
    given(fireDue, [created({ ...tenMinutes, catchUp: 'last' }, at('02:10:00'))])
      .when(fire)
      .then(
        skipped(at('02:10:00'), at('02:50:00'), 5, at('03:00:00')),
        fired(at('03:00:00'), at('03:10:00'), 'missed'),
      );
  });
  it('takes one that is merely late for the last, whatever was missed before', () => {
    const late = { cron: '*/2 * * * *', catchUp: 'last' } as const;
    given(fireDue, [created(late, at('03:00:00'))])
      .when(fire)
      .then(skipped(at('03:00:00'), at('03:02:00'), 2, at('03:04:00')), fired(at('03:04:00'), at('03:06:00')));
  });
  it('of missed times takes the earliest first by the policy all', () => {
    given(fireDue, [created({ ...tenMinutes, catchUp: 'all' }, at('02:10:00'))])
      .when(fire)
      .then(fired(at('02:10:00'), at('02:20:00'), 'missed'));
  });
  it('takes no more than the last hundred, however many were missed', () => {
    const past: ScheduleEvent[] = [created({ cron: '* * * * * *', catchUp: 'all' }, '2019-01-01T00:00:00.000Z')];
    let facts = fireDue.decide(past.reduce(fireDue.evolution.evolve, fireDue.evolution.initial), fire, META);
    expect(facts[0]).toMatchObject({
      type: 'ScheduleSkipped',
      data: { from: '2019-01-01T00:00:00.000Z', count: null },
    });
    let firings = 0;
    for (let settled: string | null = null; facts.length > 0; firings += 1) {
      past.push(...facts);
      const last = facts.at(-1);
      settled = last?.type === 'ScheduleFired' ? last.data.executionId : null;
      const state = past.reduce(fireDue.evolution.evolve, fireDue.evolution.initial);
      facts = fireDue.decide(state, { ...fire, settled }, META);
    }
    // Ten are merely late.
    expect(firings).toBe(MAX_CAUGHT_UP + 10);
    expect(past.at(-1)).toMatchObject({ data: { dueAt: at('03:04:05'), nextAt: at('03:04:06'), cause: 'due' } });
  });
});

describe('firing by hand', () => {
  const trigger = { scheduleId: 's1', settled: null, executionId: 'mine' };
  it('leaves the next time as it is, also while disabled', () => {
    const now = '2026-01-02T03:04:05.678Z';
    given(triggerSchedule, [created()])
      .when(trigger)
      .then(fired(now, at('03:05:00'), 'manual', 'mine'));
    given(triggerSchedule, [created(), disabled])
      .when(trigger)
      .then(fired(now, null, 'manual', 'mine'));
  });
  it('waits until the last firing has become an execution', () => {
    given(triggerSchedule, [created({}, at('03:04:00')), fired(at('03:04:00'), at('03:05:00'))])
      .when(trigger)
      .thenFails('version_conflict');
  });
});

it('a firing that is refused is recorded once', () => {
  const refused = { scheduleId: 's1', executionId: 'e', reason: 'task_disabled', message: 'no' };
  const past = [created({}, at('03:04:00')), fired(at('03:04:00'), at('03:05:00'), 'due', 'e')];
  const from = at('03:04:00');
  const fact: ScheduleEvent = {
    type: 'ScheduleSkipped',
    data: {
      from,
      to: from,
      count: 1,
      reason: 'task_disabled',
      message: 'no',
      executionId: 'e',
      nextAt: at('03:05:00'),
    },
  };
  given(refuseFiring, past).when(refused).then(fact);
  given(refuseFiring, [...past, fact])
    .when(refused)
    .thenNothing();
});

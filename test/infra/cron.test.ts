import { describe, expect, it } from 'vitest';
import { cronerCron } from '../../infra/cron.ts';

const cron = cronerCron();
const at = (time: string): number => Date.parse(time);

/** The next `count` times after `after`, in UTC. */
function coming(pattern: string, timezone: string, after: string, count: number): readonly string[] {
  const times: string[] = [];
  for (let last = at(after); times.length < count; ) {
    const next = cron.next({ cron: pattern, timezone }, last);
    if (next === null) break;
    times.push(new Date(next).toISOString().replace('.000Z', 'Z'));
    last = next;
  }
  return times;
}

describe('a pattern with a time zone', () => {
  it('means the local time in it, before and after clocks change', () => {
    expect(coming('0 9 * * *', 'America/New_York', '2026-03-07T00:00:00Z', 3)).toEqual([
      '2026-03-07T14:00:00Z',
      '2026-03-08T13:00:00Z',
      '2026-03-09T13:00:00Z',
    ]);
  });
  it('comes once on the day on which its time does not exist', () => {
    const times = coming('30 2 * * *', 'Europe/Berlin', '2026-03-28T00:00:00Z', 3);
    expect(times.map((time) => time.slice(0, 10))).toEqual(['2026-03-28', '2026-03-29', '2026-03-30']);
  });
  it('comes once on the day on which its time exists twice', () => {
    expect(coming('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30:00Z',
      '2026-10-26T01:30:00Z',
    ]);
  });
  it('goes on through both hours when it is an interval', () => {
    expect(coming('*/30 * * * *', 'Europe/Berlin', '2026-10-24T23:59:00Z', 5)).toEqual([
      '2026-10-25T00:00:00Z',
      '2026-10-25T00:30:00Z',
      '2026-10-25T01:00:00Z',
      '2026-10-25T01:30:00Z',
      '2026-10-25T02:00:00Z',
    ]);
  });
  it('may have seconds, or a name', () => {
    expect(coming('*/20 * * * * *', 'UTC', '2026-01-01T00:00:00Z', 2)).toEqual([
      '2026-01-01T00:00:20Z',
      '2026-01-01T00:00:40Z',
    ]);
    expect(coming('@daily', 'UTC', '2026-01-01T00:00:00Z', 1)).toEqual(['2026-01-02T00:00:00Z']);
  });
});

it('looking back finds the same times as looking ahead', () => {
  for (const pattern of ['*/30 * * * *', '30 2 * * *', '0 9 * * 1-5', '15 10 1 * *']) {
    for (const timezone of ['UTC', 'Europe/Berlin', 'Australia/Lord_Howe']) {
      const when = { cron: pattern, timezone };
      for (const start of ['2026-03-27T00:00:00Z', '2026-10-23T00:00:00Z', '2026-04-03T00:00:00Z']) {
        const ahead = coming(pattern, timezone, start, 60).map((time) => at(time));
        const until = ahead.at(-1) ?? 0;
        expect(cron.between(when, at(start) + 1, until, 1_000), `${pattern} ${timezone} ${start}`).toEqual(
          ahead.reverse(),
        );
      }
    }
  }
});

it.each([
  ['', 'UTC'],
  ['* * * *', 'UTC'],
  ['* * * * * * *', 'UTC'],
  ['61 * * * *', 'UTC'],
  ['x * * * *', 'UTC'],
  ['2026-01-01T00:00:00', 'UTC'],
  ['@sometimes', 'UTC'],
  ['* * * * *', 'Nowhere/Land'],
  ['* * * * *', ''],
])('%j in %j is refused', (pattern, timezone) => {
  expect(() => cron.check({ cron: pattern, timezone })).toThrow(expect.objectContaining({ code: 'invalid_schedule' }));
});

it('a pattern that never comes has no next time', () => {
  expect(cron.next({ cron: '0 0 30 2 *', timezone: 'UTC' }, at('2026-01-01T00:00:00Z'))).toBeNull();
});

import { expect, test } from 'vitest';
import { checkClock, clockDifference } from '../../../infra/postgres/clock.ts';

/** A database whose clock stands away from ours by so many milliseconds. */
function database(aheadMs: number) {
  return { place: 'host:5432/db', query: async () => [[String(Date.now() + aheadMs)]] };
}

test('clocks that agree, or differ by less than two seconds, are nothing to speak of', async () => {
  for (const ms of [0, 1_900, -1_900]) expect(await checkClock(database(ms))).toBeNull();
});

test('what an answer takes to come is not taken for a difference', async () => {
  let passed = 0;
  const slow = {
    place: 'host:5432/db',
    query: async () => {
      const answered = Date.now();
      await expect.poll(() => Date.now() - answered).toBeGreaterThan(5);
      passed = Date.now() - answered;
      return [[String(answered)]];
    },
  };
  expect(await clockDifference(slow)).toBe(0);
  expect(passed).toBeGreaterThan(5);
});

test('two seconds are a warning that says which clock is ahead', async () => {
  expect(await checkClock(database(2_500))).toMatch(
    /^the clock of this machine is 2\.\d s behind that of the database host:5432\/db: let both set their clocks over NTP$/,
  );
  expect(await checkClock(database(-299_000))).toMatch(/^the clock of this machine is 299\.\d s ahead of that/);
});

test('five minutes are refused', async () => {
  await expect(checkClock(database(300_100))).rejects.toMatchObject({
    code: 'clock_differs',
    message: 'the clock of this machine is 5 min behind that of the database host:5432/db',
  });
  await expect(checkClock(database(-7_200_000))).rejects.toThrow('120 min ahead of that of the database');
});

test('a database that does not answer is told as everywhere', async () => {
  const away = { place: 'host:5432/db', query: () => Promise.reject(new Error('gone')) };
  await expect(checkClock(away)).rejects.toMatchObject({ code: 'store_unavailable' });
});

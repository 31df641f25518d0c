import { expect, it } from 'vitest';
import { type Death, surviveDeath, undisturbed } from '../support/survive-deaths.ts';

/** Those in between are tried too by `npm run test:long`. */
const EVERY = 4;

it('an execution of 20 steps whose process is killed at an append, before or after it is durable, ends as it would have', {
  timeout: 120_000,
}, async () => {
  const expected = await undisturbed();
  expect(expected).toMatchObject({ status: 'completed', attempt: 1, identical: true });
  expect(expected.steps).toHaveLength(20);
  const deaths = Array.from({ length: Math.floor(expected.appends / EVERY) }, (_, index): Death => {
    const at = 1 + index * EVERY + (index % EVERY);
    return { at, when: index % 2 === 0 ? 'before' : 'after', policy: index % 3 === 0 ? 'fail' : 'resend' };
  }).filter(({ at }) => at <= expected.appends);
  expect(deaths.length).toBeGreaterThan(5);
  const half = Math.ceil(deaths.length / 2);
  await Promise.all(
    [deaths.slice(0, half), deaths.slice(half)].map(async (some) => {
      for (const death of some) await surviveDeath(death, expected);
    }),
  );
});

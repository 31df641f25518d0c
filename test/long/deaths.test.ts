import { it } from 'vitest';
import { type Death, surviveDeath, undisturbed } from '../support/survive-deaths.ts';

it('an execution of 20 steps survives kill -9 at each of its appends, before and after it is durable, under both policies', async () => {
  const expected = await undisturbed();
  for (let at = 1; at <= expected.appends; at += 1) {
    for (const when of ['before', 'after'] as const satisfies readonly Death['when'][]) {
      for (const policy of ['fail', 'resend'] as const) await surviveDeath({ at, when, policy }, expected);
    }
  }
});

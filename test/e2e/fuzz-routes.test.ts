/** A short run of what `test/long/fuzz-routes.test.ts` does at length. FUZZ_SEED and FUZZ_REQUESTS choose another one. */
import { it } from 'vitest';
import { survivesFuzz } from '../support/fuzz-survival.ts';

it('no request, however hostile, breaks the server, hangs it, fills it up, or is told of its inside', {
  timeout: 120_000,
}, async () => {
  await survivesFuzz({ requests: 2_500, seed: 20_261_121, rounds: 2 });
});

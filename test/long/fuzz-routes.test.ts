import { it } from 'vitest';
import { survivesFuzz } from '../support/fuzz-survival.ts';

it('40,000 requests to every route, from good to hostile: no defect, no hang, no leak', async () => {
  await survivesFuzz({ requests: 40_000, seed: Date.now() % 2 ** 31, rounds: 10 });
});

import { expect, it } from 'vitest';
import { openTestApp, TEST_SETTINGS } from '../support/app.ts';

const TWO_DAYS_MS = 172_800_000;

it('an execution whose timeout is longer than a caller may ask for is retried with the same options', async () => {
  await using app = await openTestApp({ bounds: { ...TEST_SETTINGS.bounds, maxTimeoutMs: TWO_DAYS_MS } });
  await app.task('patient', 'function main(input) { return input; }');
  const retry = { max_attempts: 3, initial_ms: 5, factor: 2, max_ms: 50, jitter: 0, from: 'start', on: ['Error'] };
  const { execution_id } = await app.run('patient', { a: 1 }, { priority: 7, trace: false, retry });
  const { execution_id: again } = await app.call('retry_execution', { execution_id });
  const options = async (id: unknown) => (await app.call('get_execution_status', { execution_id: id }))['options'];
  expect(await options(again)).toMatchObject({ timeoutMs: TWO_DAYS_MS, priority: 7 });
  expect(await options(again)).toEqual(await options(execution_id));
});

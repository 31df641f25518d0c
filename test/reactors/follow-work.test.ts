import { expect, it } from 'vitest';
import { START } from '../../src/domain/event.ts';
import { followWork } from '../../src/reactors/follow-work.ts';
import { openTestApp } from '../support/app.ts';
import { eventually } from '../support/server.ts';

it('tells of what came to wait and of what left its place, but not of what was started with its request', async () => {
  await using test = await openTestApp();
  const told: { came: boolean; left: boolean }[] = [];
  const stop = new AbortController();
  const { store } = test.app;
  await test.task('echo', 'function main(input) { return input; }');
  const seen = () =>
    told.splice(0).reduce((all, { came, left }) => ({ came: all.came || came, left: all.left || left }), {
      came: false,
      left: false,
    });
  const following = followWork(
    store,
    START,
    { follow: (_, news) => void told.push(news) },
    () => undefined,
    stop.signal,
  );
  await test.run('echo', { n: 1 });
  await eventually('its end is told', () => (told.some(({ left }) => left) ? true : undefined));
  expect(seen()).toEqual({ came: false, left: true });
  await test.call('create_execution', { task_id: 'echo', input: {}, delay_ms: 60_000 });
  await eventually('it is told', () => (told.length > 0 ? true : undefined));
  expect(seen()).toEqual({ came: true, left: false });
  stop.abort();
  await following;
});

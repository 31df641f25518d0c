import { describe, expect, it } from 'vitest';
import type { PublishDeps } from '../../commands/publish-task.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import type { SourceListing, TaskSource } from '../../src/ports/task-source.ts';
import { TaskSources } from '../../src/reactors/task-sources.ts';

const EMPTY: SourceListing = { tasks: [], broken: [], revision: 'r1', branch: 'main', stale: null };
// Sources without tasks publish nothing.
const deps = { runtime: systemRuntime() } as PublishDeps;

/** A source that is read when the test says so. */
function held(name: string) {
  const readings: { finish: () => void; fail: (error: Error) => void }[] = [];
  const source: TaskSource = {
    name,
    address: `/${name}`,
    ref: null,
    isRemote: true,
    list: () => {
      const { promise, resolve, reject } = Promise.withResolvers<SourceListing>();
      readings.push({ finish: () => resolve(EMPTY), fail: reject });
      return promise;
    },
    watch: async () => undefined,
  };
  return { source, readings };
}

const told = { onSync: () => undefined, onTrouble: () => undefined };
const { signal } = new AbortController();

describe('the sources of a server', () => {
  it('are waited for at the start no longer than they are given, and told when they have been read', async () => {
    const sources = new TaskSources();
    const { source, readings } = held('slow');
    await sources.follow(deps, [{ source, watch: false, patienceMs: 1 }], told, signal);
    expect(sources.list()).toEqual([]);
    const synced = sources.sync('slow');
    readings[0]?.finish();
    await expect.poll(() => readings.length).toBe(2);
    expect(sources.list()).toMatchObject([
      { source: 'slow', uri: '/slow', branch: 'main', revision: 'r1', error: null },
    ]);
    readings[1]?.fail(new Error('gone'));
    expect(await synced).toMatchObject({ revision: null, error: 'an unexpected error happened' });
  });

  it('are read one at a time, and all who ask meanwhile share the next reading', async () => {
    const sources = new TaskSources();
    const { source, readings } = held('one');
    await sources.follow(deps, [{ source, watch: false, patienceMs: 1 }], told, signal);
    const asked = [sources.sync('one'), sources.sync('one'), sources.sync('one')];
    sources.request('one');
    expect(readings).toHaveLength(1);
    readings[0]?.finish();
    await expect.poll(() => readings.length).toBe(2);
    const later = sources.sync('one');
    readings[1]?.finish();
    await Promise.all(asked);
    await expect.poll(() => readings.length).toBe(3);
    readings[2]?.finish();
    await later;
    expect(readings).toHaveLength(3);
    await expect(sources.sync('other')).rejects.toMatchObject({ code: 'not_found', details: { known: ['one'] } });
    expect(() => sources.request('other')).toThrow('there is no source other');
  });
});

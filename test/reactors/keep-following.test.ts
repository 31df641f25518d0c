import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { memoryEventStore } from '../../infra/event-store/memory.ts';
import { RatchetError } from '../../src/domain/errors.ts';
import { START, type StoredEvent } from '../../src/domain/event.ts';
import type { EventStore } from '../../src/ports/event-store.ts';
import { Completions } from '../../src/reactors/completions.ts';
import { FollowedTasks } from '../../src/reactors/follow-tasks.ts';
import { followWishes } from '../../src/reactors/follow-wishes.ts';
import { keepFollowing } from '../../src/reactors/keep-following.ts';
import { newEvent } from '../support/store-events.ts';

/** A store whose subscriptions break off, with an error, after each page that holds events. */
function breakingStore(): { store: EventStore; broken: () => number } {
  const events = memoryEventStore();
  let broken = 0;
  const store: EventStore = {
    ...events,
    async *subscribe(after, filter, signal) {
      for await (const page of events.subscribe(after, filter, signal)) {
        yield page;
        if (page.events.length === 0) continue;
        broken += 1;
        throw new RatchetError('store_unavailable', 'a read failed');
      }
    },
  };
  return { store, broken: () => broken };
}

function until(): AbortSignal {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  return stop.signal;
}

describe('following the log', () => {
  it('goes on after each error where it was, and tells each', async () => {
    const { store } = breakingStore();
    const seen: string[] = [];
    const troubles: unknown[] = [];
    const onPage = (page: { events: readonly StoredEvent[] }) => void seen.push(...page.events.map((e) => e.stream));
    const onTrouble = (error: unknown) => void troubles.push(error);
    const following = { from: START, filter: {}, onPage, onTrouble };
    const stop = new AbortController();
    const ended = keepFollowing(store, following, stop.signal);
    for (const name of ['a', 'b', 'c']) {
      await store.append(`thing-${name}`, 'any', [newEvent()]);
      await vi.waitFor(() => expect(seen).toContain(`thing-${name}`), { timeout: 5_000, interval: 5 });
    }
    expect(seen).toEqual(['thing-a', 'thing-b', 'thing-c']);
    await vi.waitFor(() => expect(troubles).toHaveLength(3));
    stop.abort();
    await ended;
  });

  it('brings a page again that could not be taken', async () => {
    const store = memoryEventStore();
    await store.append('thing-a', 'any', [newEvent()]);
    let calls = 0;
    const seen: string[] = [];
    const onPage = (page: { events: readonly StoredEvent[] }) => {
      calls += 1;
      if (calls === 1) throw new Error('not now');
      seen.push(...page.events.map((event) => event.stream));
    };
    void keepFollowing(store, { from: START, filter: {}, onPage, onTrouble: () => undefined }, until());
    await vi.waitFor(() => expect(seen).toEqual(['thing-a']), { timeout: 5_000, interval: 5 });
  });

  it('ends with the store', async () => {
    const store = memoryEventStore();
    const troubles: unknown[] = [];
    const onTrouble = (error: unknown) => void troubles.push(error);
    const ended = keepFollowing(store, { from: START, filter: {}, onPage: () => undefined, onTrouble }, until());
    await store.close();
    await ended;
    expect(troubles).toEqual([]);
  });
});

describe('a store that fails in between', () => {
  it('costs no request to cancel', async () => {
    const { store, broken } = breakingStore();
    const cancelled: string[] = [];
    void followWishes(
      store,
      START,
      { cancel: (id) => cancelled.push(id), answer: () => undefined },
      () => undefined,
      until(),
    );
    for (const id of ['one', 'two']) {
      const payload = JSON.stringify({ reason: null, by: 'me' });
      await store.append(`execution-${id}`, 'any', [newEvent({ type: 'ExecutionCancelRequested', payload })]);
      await vi.waitFor(() => expect(cancelled).toContain(id), { timeout: 5_000, interval: 5 });
    }
    expect(broken()).toBeGreaterThan(0);
    expect(cancelled).toEqual(['one', 'two']);
  });

  it('costs nobody the end that he waits for', async () => {
    const { store } = breakingStore();
    const completions = new Completions(store);
    void completions.follow(START, () => undefined, until());
    for (const id of ['one', 'two']) {
      const { promise } = completions.next(id);
      const payload = JSON.stringify({ reason: null, durationMs: 1 });
      await store.append(`execution-${id}`, 'any', [newEvent({ type: 'ExecutionCancelled', payload })]);
      expect((await promise).event.type).toBe('ExecutionCancelled');
    }
  });

  it('keeps nobody from learning of tasks', async () => {
    const { store, broken } = breakingStore();
    const tasks = new FollowedTasks(store);
    void tasks.follow(() => undefined, until());
    for (const name of ['one', 'two']) {
      const { position } = await store.append(`task-${name}`, 'any', [
        newEvent({ type: 'TaskEnabled', payload: '{}' }),
      ]);
      await tasks.reach(position);
    }
    expect(broken()).toBeGreaterThan(0);
  });
});

describe('waiting for the tasks up to a position', () => {
  it('ends with timeout', async () => {
    const tasks = new FollowedTasks(memoryEventStore());
    await expect(tasks.reach('ffffffffffffffff', 10)).rejects.toMatchObject({ code: 'timeout' });
  });

  it('ends with the following', async () => {
    const store = memoryEventStore();
    const tasks = new FollowedTasks(store);
    const stop = new AbortController();
    const followed = tasks.follow(() => undefined, stop.signal);
    const waiting = expect(tasks.reach('ffffffffffffffff')).rejects.toMatchObject({ code: 'shutting_down' });
    stop.abort();
    await followed;
    await waiting;
  });
});

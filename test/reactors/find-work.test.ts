import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RatchetError } from '../../src/domain/errors.ts';
import type { Due, SharedWork } from '../../src/ports/dispatch-table.ts';
import type { ProjectionProgress } from '../../src/ports/read-store.ts';
import { WorkFinder } from '../../src/reactors/find-work.ts';

const SCAN_MS = 500;
const due = (executionId: string): Due => ({ executionId, client: 'a', priority: 0 });

/** Shared work in memory, and what was asked of it. */
function sharedWork(limitsClients = false) {
  const waiting: string[] = [];
  const delayed = new Set<string>();
  const asked = { picks: 0, woken: [] as string[] };
  const work: SharedWork = {
    claimMs: 5_000,
    limitsClients,
    pick: async (_session, limit) => {
      asked.picks += 1;
      return waiting.splice(0, limit).map(due);
    },
    wake: async (_session, ids) => {
      asked.woken.push(...ids);
      const found = ids.filter((id) => delayed.delete(id));
      waiting.push(...found);
      return found;
    },
    waiting: async (atMost) => Math.min(atMost, waiting.length),
  };
  return { work, waiting, delayed, asked };
}

describe('a node that looks for shared work', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  async function open(
    shared: ReturnType<typeof sharedWork>,
    { room = 4, reach = async () => undefined }: { room?: number; reach?: ProjectionProgress['reach'] } = {},
  ) {
    const node = { room, taken: [] as string[], troubles: [] as unknown[] };
    const finder: WorkFinder = new WorkFinder(
      {
        work: shared.work,
        progress: { reach },
        session: () => 'own',
        onTrouble: (error) => void node.troubles.push(error),
      },
      { scanMs: SCAN_MS, countUpTo: 100 },
      {
        room: () => node.room,
        take: ({ executionId }) => {
          node.room -= 1;
          node.taken.push(executionId);
          return true;
        },
      },
    );
    await finder.start();
    return { finder, node };
  }

  it('takes what there is room for, the rest when there is room again, and none passes them meanwhile', async () => {
    const shared = sharedWork();
    const { finder, node } = await open(shared, { room: 2 });
    expect(finder.mayPass).toBe(true);
    shared.waiting.push('one', 'two', 'three');
    finder.follow('1', { came: true, left: false });
    await vi.advanceTimersByTimeAsync(20);
    expect(node.taken).toEqual(['one', 'two']);
    expect(finder.mayPass).toBe(false);
    await vi.advanceTimersByTimeAsync(SCAN_MS);
    expect(finder.waiting).toBe(1);
    node.room = 1;
    finder.freed();
    await vi.advanceTimersByTimeAsync(20);
    expect(node.taken).toEqual(['one', 'two', 'three']);
    node.room = 4;
    finder.freed();
    await vi.advanceTimersByTimeAsync(20);
    expect(finder.mayPass).toBe(true);
    await finder.close();
  });

  it('asks once for a flood that comes in a moment, and not at all while it has no room', async () => {
    const shared = sharedWork();
    const { finder, node } = await open(shared, { room: 0 });
    for (let n = 0; n < 100; n += 1) finder.follow(String(n), { came: true, left: false });
    await vi.advanceTimersByTimeAsync(100);
    expect(shared.asked.picks).toBe(0);
    node.room = 4;
    for (let n = 0; n < 100; n += 1) finder.freed();
    await vi.advanceTimersByTimeAsync(100);
    expect(shared.asked.picks).toBe(1);
    await finder.close();
  });

  it('looks again soon when others were just picking what waits', async () => {
    const shared = sharedWork();
    const { finder, node } = await open(shared);
    shared.waiting.push('one');
    const pick = vi.spyOn(shared.work, 'pick').mockResolvedValueOnce([]);
    finder.follow('1', { came: true, left: false });
    await vi.advanceTimersByTimeAsync(50);
    expect(node.taken).toEqual(['one']);
    pick.mockClear();
    await vi.advanceTimersByTimeAsync(SCAN_MS / 2);
    expect(pick).not.toHaveBeenCalled();
    await finder.close();
  });

  it('looks again for what comes while it waits for the read models', async () => {
    const shared = sharedWork();
    const reached = Promise.withResolvers<void>();
    const projected = new Set<string>();
    const { finder, node } = await open(shared, {
      reach: async (position) => {
        if (position === '1') await reached.promise;
        if (position === '2' && !projected.has(position)) shared.waiting.push('two');
        projected.add(position);
      },
    });
    finder.follow('1', { came: true, left: false });
    await vi.advanceTimersByTimeAsync(20);
    finder.follow('2', { came: true, left: false });
    reached.resolve();
    await vi.advanceTimersByTimeAsync(50);
    expect(node.taken).toEqual(['two']);
    await finder.close();
  });

  it('wakes an execution until it has come to wait', async () => {
    const shared = sharedWork();
    const { finder, node } = await open(shared);
    finder.wakeFor('parked');
    await vi.advanceTimersByTimeAsync(100);
    expect(node.taken).toEqual([]);
    shared.delayed.add('parked');
    await vi.advanceTimersByTimeAsync(100);
    expect(node.taken).toEqual(['parked']);
    const times = shared.asked.woken.length;
    await vi.advanceTimersByTimeAsync(100);
    expect(shared.asked.woken).toHaveLength(times);
    await finder.close();
  });

  it('does not claim what it picked too long ago', async () => {
    const shared = sharedWork();
    shared.waiting.push('one');
    const { finder } = await open(shared);
    expect(finder.mayClaim('one')).toBe(true);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(finder.mayClaim('one')).toBe(false);
    expect(finder.mayClaim('taken over from a dead node')).toBe(true);
    await finder.close();
  });

  it('gives back at its end what it picked and did not claim', async () => {
    const shared = sharedWork();
    shared.waiting.push('claimed', 'left');
    const { finder } = await open(shared);
    finder.settled('claimed');
    await finder.close();
    expect(shared.asked.woken).toEqual(['left']);
    shared.waiting.push('later');
    finder.wake();
    await vi.advanceTimersByTimeAsync(SCAN_MS);
    expect(shared.waiting).toEqual(['later']);
  });

  it('where places are counted: looks again when one was left, and not before the read models know of it', async () => {
    const shared = sharedWork(true);
    const reached = { upTo: '2' };
    const reach = async (position: string): Promise<undefined> => {
      if (position > reached.upTo) throw new RatchetError('projection_behind', 'not yet');
      return undefined;
    };
    const { finder, node } = await open(shared, { reach });
    expect(finder.mayPass).toBe(false);
    // Its client has all the places it may have.
    shared.work.waiting = async () => 1;
    finder.follow('1', { came: true, left: false });
    await vi.advanceTimersByTimeAsync(20);
    const { picks } = shared.asked;
    shared.waiting.push('one');
    finder.follow('3', { came: false, left: true });
    await vi.advanceTimersByTimeAsync(20);
    expect(shared.asked.picks).toBe(picks);
    reached.upTo = '3';
    await vi.advanceTimersByTimeAsync(SCAN_MS);
    expect(node.taken).toEqual(['one']);
    await finder.close();
  });

  it('goes on after an error of the store', async () => {
    const shared = sharedWork();
    const { finder, node } = await open(shared);
    const { pick } = shared.work;
    shared.work.pick = async () => {
      throw new RatchetError('store_unavailable', 'away');
    };
    shared.waiting.push('one');
    finder.wake();
    await vi.advanceTimersByTimeAsync(20);
    expect(node.troubles).toHaveLength(1);
    shared.work.pick = pick;
    await vi.advanceTimersByTimeAsync(SCAN_MS);
    expect(node.taken).toEqual(['one']);
    await finder.close();
  });
});

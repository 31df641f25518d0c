import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { memoryEventStore } from '../../infra/event-store/memory.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import { RatchetError } from '../../src/domain/errors.ts';
import { START, streamName } from '../../src/domain/event.ts';
import type { EventStore } from '../../src/ports/event-store.ts';
import { type WorkerSessionsDeps, WorkerSessions } from '../../src/reactors/worker-sessions.ts';

const LEASE_MS = 6_000;
const STEP_MS = LEASE_MS / 12;
const FACTS = { host: 'here', pid: 1, node: 'v26', capacity: 2, isolation: 'process' };

/** One process: its sessions, and what became of them. */
interface Member {
  readonly sessions: WorkerSessions;
  readonly lapses: string[];
  readonly troubles: unknown[];
  /** Sessions of others that it has ended. */
  readonly found: unknown[];
  start(): Promise<void>;
  /** From then on what it asks of the log waits until it is thawed, as all of a frozen process does. */
  freeze(): void;
  thaw(): void;
}

let store: EventStore;
let stop: AbortController;
let now = 0;
let died: Set<string>;
let left: string[];
let members: Member[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  store = memoryEventStore();
  stop = new AbortController();
  died = new Set();
  left = [];
  members = [];
});

afterEach(async () => {
  vi.restoreAllMocks();
  stop.abort();
  vi.useRealTimers();
  await store.close();
});

function join(capacity = FACTS.capacity): Member {
  const presence = {
    enter: () => undefined,
    leave: (session: string) => void left.push(session),
    hasDied: (session: string) => died.has(session),
  };
  const troubles: unknown[] = [];
  const lapses: string[] = [];
  const found: unknown[] = [];
  const runtime = systemRuntime();
  let frozen = Promise.withResolvers<void>();
  frozen.resolve();
  const shared = store;
  const own: EventStore = {
    append: async (...asked) => {
      await frozen.promise;
      return shared.append(...asked);
    },
    readStream: (...asked) => shared.readStream(...asked),
    readAt: (position) => shared.readAt(position),
    readAll: (...asked) => shared.readAll(...asked),
    subscribe: (...asked) => shared.subscribe(...asked),
    head: () => shared.head(),
    close: () => shared.close(),
  };
  const deps: WorkerSessionsDeps = {
    store: own,
    runtime,
    presence,
    elapsed: () => now,
    onTrouble: (e) => troubles.push(e),
    onGone: (gone) => found.push(gone),
  };
  const sessions = new WorkerSessions(deps, LEASE_MS);
  const member: Member = {
    sessions,
    lapses,
    troubles,
    found,
    freeze: () => {
      frozen = Promise.withResolvers();
    },
    thaw: () => frozen.resolve(),
    start: () =>
      sessions.start(
        {
          facts: { ...FACTS, capacity },
          known: async () => members.map((one) => one.sessions.own),
          running: () => 0,
          onLapsed: () => lapses.push(sessions.own),
        },
        stop.signal,
      ),
  };
  members.push(member);
  return member;
}

async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += STEP_MS) {
    now += STEP_MS;
    await vi.advanceTimersByTimeAsync(STEP_MS);
    for (let n = 0; n < 5; n += 1) await turn();
  }
}

const endsOf = async (session: string): Promise<readonly unknown[]> =>
  (await store.readStream(streamName('worker', session)))
    .filter(({ type }) => type === 'WorkerSessionEnded')
    .map(({ payload }): unknown => JSON.parse(payload));

test('sessions that give signs hold, and each knows of the others', async () => {
  const [one, other] = [join(), join()];
  await one.start();
  await other.start();
  await pass(LEASE_MS * 4);
  for (const { sessions, lapses } of members) {
    expect([...(await sessions.alive())].sort()).toEqual([one.sessions.own, other.sessions.own].sort());
    expect([sessions.isHeld(), lapses]).toEqual([true, []]);
  }
  expect(await one.sessions.isGone(other.sessions.own)).toBe(false);
});

test('of a silent session one other records the end, when its lease has passed and not before', async () => {
  const [silent, one, other] = [join(), join(), join()];
  for (const member of members) await member.start();
  await pass(LEASE_MS);
  silent.freeze();
  await pass(LEASE_MS / 2);
  expect(await one.sessions.isGone(silent.sessions.own)).toBe(false);
  await pass(LEASE_MS);
  expect(await one.sessions.isGone(silent.sessions.own)).toBe(true);
  expect(await other.sessions.isGone(silent.sessions.own)).toBe(true);
  expect(await endsOf(silent.sessions.own)).toEqual([{ sessionId: silent.sessions.own, reason: 'lapsed' }]);
  const { host, pid } = FACTS;
  expect([...one.found, ...other.found]).toEqual([{ sessionId: silent.sessions.own, host, pid }]);
});

test('who was taken for dead learns so, leaves what it ran, and begins a new session', async () => {
  const [silent, one] = [join(), join()];
  await silent.start();
  await one.start();
  const before = silent.sessions.own;
  // The other ends it, as it would after a frozen lease.
  const history = await store.readStream(streamName('worker', before));
  const ended = { type: 'WorkerSessionEnded', payload: JSON.stringify({ sessionId: before, reason: 'lapsed' }) };
  const [first] = history;
  if (first === undefined) throw new Error('the session has begun');
  await store.append(streamName('worker', before), history.length - 1, [
    { ...first, ...ended, eventId: systemRuntime().uuidOf('ended') },
  ]);
  await pass(LEASE_MS);
  expect(silent.lapses).toHaveLength(1);
  expect(silent.sessions.own).not.toBe(before);
  expect(silent.sessions.isHeld()).toBe(true);
  expect(await silent.sessions.isGone(before)).toBe(true);
  expect(await one.sessions.alive()).toContain(silent.sessions.own);
});

test('who could not reach the log for longer than a lease takes nobody for dead', async () => {
  const [one, other] = [join(), join()];
  await one.start();
  await other.start();
  const down = vi.spyOn(store, 'append').mockRejectedValue(new RatchetError('store_unavailable', 'down'));
  await pass(LEASE_MS * 3);
  expect(members.map(({ sessions }) => sessions.isHeld())).toEqual([false, false]);
  down.mockRestore();
  await pass(LEASE_MS * 2);
  expect(members.map(({ sessions, lapses }) => [sessions.isHeld(), lapses])).toEqual([
    [true, []],
    [true, []],
  ]);
  expect(await endsOf(one.sessions.own)).toEqual([]);
});

test('a heartbeat whose answer was lost is no end', async () => {
  const member = join();
  await member.start();
  const own = store.append.bind(store);
  const lost = vi.spyOn(store, 'append').mockImplementation(async (...asked) => {
    await own(...asked);
    lost.mockRestore();
    throw new RatchetError('store_unavailable', 'the answer is lost');
  });
  await pass(LEASE_MS * 2);
  expect([member.sessions.isHeld(), member.lapses, member.troubles.length]).toEqual([true, [], 1]);
});

test('a session that can not begin at once after the one before has lapsed begins when the log is there again', async () => {
  const [silent, one] = [join(), join()];
  await silent.start();
  await one.start();
  const before = silent.sessions.own;
  silent.freeze();
  await pass(LEASE_MS * 2);
  const shared = store.append.bind(store);
  vi.spyOn(store, 'append').mockImplementation((...asked) =>
    asked[2].some(({ type }) => type === 'WorkerSessionStarted')
      ? Promise.reject(new RatchetError('store_unavailable', 'down'))
      : shared(...asked),
  );
  silent.thaw();
  await pass(LEASE_MS);
  expect(silent.sessions.own).not.toBe(before);
  expect(silent.sessions.isHeld()).toBe(false);
  vi.restoreAllMocks();
  await pass(LEASE_MS * 2);
  expect([silent.sessions.isHeld(), silent.sessions.isElected(), one.sessions.isElected()]).toEqual([
    true,
    false,
    true,
  ]);
  expect(one.sessions.isAlone()).toBe(false);
  const [first] = await store.readStream(streamName('worker', silent.sessions.own), { limit: 1 });
  expect(first?.type).toBe('WorkerSessionStarted');
});

test('a close during an outage tells so, and shows the session no more', async () => {
  const member = join();
  await member.start();
  member.freeze();
  vi.spyOn(store, 'append').mockRejectedValue(new RatchetError('store_unavailable', 'down'));
  // A heartbeat is under way.
  await pass(LEASE_MS / 2);
  const closed = member.sessions.close();
  member.thaw();
  await expect(closed).rejects.toMatchObject({ code: 'store_unavailable' });
  expect(left).toEqual([member.sessions.own]);
});

test('a session whose process is known to have died is gone at once, and its end is recorded', async () => {
  const [dead, one] = [join(), join()];
  await dead.start();
  await one.start();
  dead.freeze();
  died.add(dead.sessions.own);
  expect(await one.sessions.isGone(dead.sessions.own)).toBe(true);
  expect(await endsOf(dead.sessions.own)).toEqual([{ sessionId: dead.sessions.own, reason: 'lapsed' }]);
  expect(await one.sessions.alive()).toEqual([one.sessions.own]);
});

test('a session of which nothing is known counts as alive until it was silent for a lease', async () => {
  const one = join();
  await one.start();
  expect(await one.sessions.isGone('stranger')).toBe(false);
  expect(await one.sessions.alive()).toEqual([one.sessions.own, 'stranger']);
  await pass(LEASE_MS * 2);
  expect(await one.sessions.isGone('stranger')).toBe(true);
});

test('a closed session is gone, and closes once', async () => {
  const [closed, one] = [join(), join()];
  await closed.start();
  await one.start();
  await closed.sessions.close();
  await closed.sessions.close();
  expect(await one.sessions.isGone(closed.sessions.own)).toBe(true);
  expect(await endsOf(closed.sessions.own)).toEqual([{ sessionId: closed.sessions.own, reason: 'closed' }]);
  expect(closed.sessions.isHeld()).toBe(false);
});

test('the one that began first is elected, then the next; one that runs nothing never is', async () => {
  const [idle, one, other] = [join(0), join(), join()];
  for (const member of members) {
    await member.start();
    const startedAt = Date.now();
    while (Date.now() === startedAt) await turn();
  }
  await pass(LEASE_MS);
  const elected = () => [idle, one, other].map(({ sessions }) => sessions.isElected());
  expect(elected()).toEqual([false, true, false]);
  one.freeze();
  await pass(LEASE_MS * 2);
  expect(elected()).toEqual([false, false, true]);
  one.thaw();
  await pass(LEASE_MS);
  expect(elected()).toEqual([false, false, true]);
  await other.sessions.close();
  await pass(LEASE_MS);
  expect(elected()).toEqual([false, true, false]);
});

test('the stream of a session tells who it is, and its heartbeats', async () => {
  const member = join();
  await member.start();
  await pass(LEASE_MS);
  const { events } = await store.readAll(START, { categories: ['worker'] }, 100);
  expect(events.map(({ type }) => type).slice(0, 3)).toEqual([
    'WorkerSessionStarted',
    'WorkerHeartbeat',
    'WorkerHeartbeat',
  ]);
});

test('a process that slept for a lease confirms its session by a heartbeat before it acts', async () => {
  const [one, other] = [join(), join()];
  for (const member of [one, other]) await member.start();
  const { signal } = new AbortController();
  const { own } = one.sessions;
  await one.sessions.confirm(own, signal);

  // Nobody has noticed: it holds on.
  now += 2 * LEASE_MS;
  expect(one.sessions.isHeld()).toBe(false);
  await one.sessions.confirm(own, signal);
  expect(one.sessions.isHeld()).toBe(true);

  one.freeze();
  await pass(2 * LEASE_MS);
  expect(await other.sessions.isGone(own)).toBe(true);
  const confirmed = one.sessions.confirm(own, signal);
  one.thaw();
  await expect(confirmed).rejects.toMatchObject({ code: 'version_conflict' });
  expect(one.lapses).toEqual([own]);
  await one.sessions.confirm(one.sessions.own, signal);

  await one.sessions.close();
  await expect(one.sessions.confirm(one.sessions.own, signal)).rejects.toMatchObject({ code: 'shutting_down' });
});

test('a session does not hold for sure when the machine has slept, though its own clock stood still meanwhile', async () => {
  const one = join();
  await one.start();
  expect(one.sessions.isHeld()).toBe(true);
  const woken = Date.now() + LEASE_MS;
  vi.spyOn(Date, 'now').mockImplementation(() => woken);
  expect(one.sessions.isHeld()).toBe(false);
  await one.sessions.confirm(one.sessions.own, new AbortController().signal);
  expect(one.sessions.isHeld()).toBe(true);
});

test('who waits for a confirmation can stop waiting', async () => {
  const one = join();
  await one.start();
  one.freeze();
  await pass(2 * LEASE_MS);
  const stopped = new AbortController();
  const confirmed = one.sessions.confirm(one.sessions.own, stopped.signal);
  stopped.abort(new Error('enough'));
  one.thaw();
  await expect(confirmed).rejects.toThrow('enough');
});

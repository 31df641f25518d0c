import { describe, expect, it } from 'vitest';
import { handle } from '../../commands/handle.ts';
import { logIn, logOut } from '../../commands/login.ts';
import { credentials } from '../../infra/credentials.ts';
import { memoryEventStore } from '../../infra/event-store/memory.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import { LOCAL_ADMIN, type Principal } from '../../src/domain/access.ts';
import { FollowedLogins } from '../../src/reactors/follow-logins.ts';
import { META, NOW } from '../support/given.ts';

const MINUTE = 60_000;
const TIMES = { idleMs: 30 * MINUTE, maxAgeMs: 12 * 60 * MINUTE };

function opened() {
  const clock = { now: NOW };
  const runtime = { ...systemRuntime(), now: () => clock.now };
  const store = memoryEventStore();
  const node = () =>
    new FollowedLogins({ store, runtime, credentials, onTrouble: (error) => expect.unreachable(String(error)) }, TIMES);
  const one = node();
  const deps = { store, runtime };
  const begin = async () => {
    const { cookie, facts } = one.begin(LOCAL_ADMIN, 'local');
    const meta = { ...META, commandId: runtime.newId(), now: clock.now };
    await handle(deps, logIn, { ...facts, basis: { kind: 'entrance' } }, meta);
    return { cookie, ...facts };
  };
  return { clock, runtime, store, deps, one, node, begin };
}

/** Uses a session as a request does. */
async function use(logins: FollowedLogins, cookie: string): Promise<Principal | null> {
  const found = await logins.find(cookie);
  if ('refused' in found) return null;
  const principal = { ...LOCAL_ADMIN };
  logins.admitted(principal, found.login);
  await logins.settled();
  return principal;
}

describe('a session that is used all the time', () => {
  it('goes on beyond its idle time-out, to its last moment, and tells the log five times in a time-out at most', async () => {
    const { clock, store, one, begin } = opened();
    const { cookie, loginId } = await begin();
    for (let minute = 0; minute < 12 * 60; minute += 1) {
      expect(await use(one, cookie), `minute ${minute}`).not.toBeNull();
      clock.now += MINUTE;
    }
    expect(await use(one, cookie)).toBeNull();
    const told = await store.readStream(`access-${loginId}`);
    expect(told.every(({ type }) => type === 'LoginSeen')).toBe(true);
    expect(told.length).toBeGreaterThan(100);
    expect(told.length).toBeLessThanOrEqual(120);
  });

  it('goes on at a node that sees it for the first time', async () => {
    const { clock, one, node, begin } = opened();
    const { cookie } = await begin();
    for (let minute = 0; minute < 45; minute += 1) {
      await use(one, cookie);
      clock.now += MINUTE;
    }
    expect(await use(node(), cookie)).not.toBeNull();
  });
});

describe('a session that is not used', () => {
  it('ends with its idle time-out at every node, and is not taken for a guess', async () => {
    const { clock, one, node, begin } = opened();
    const { cookie } = await begin();
    clock.now += TIMES.idleMs - 1;
    expect('login' in (await one.find(cookie))).toBe(true);
    clock.now += 1;
    expect(await one.find(cookie)).toMatchObject({ isGuess: false });
    expect(await node().find(cookie)).toMatchObject({ isGuess: false });
  });
});

describe('a cookie', () => {
  it('of a session that was ended is known; one with another secret, or of no session, is a guess', async () => {
    const { one, deps, runtime, clock, begin } = opened();
    const { cookie, accountId, loginId } = await begin();
    const forged = `${accountId}.${loginId}.${'0'.repeat(64)}`;
    expect(await one.find(forged)).toMatchObject({ isGuess: true });
    await handle(deps, logOut, { accountId, loginId }, { ...META, commandId: runtime.newId(), now: clock.now });
    await one.refresh(accountId);
    expect(await one.find(cookie)).toMatchObject({ isGuess: false });
    for (const other of [forged, `${loginId}.${accountId}.${'0'.repeat(64)}`, `${cookie}0`, '', 'x.y.z'])
      expect(await one.find(other), other).toMatchObject({ isGuess: true });
  });

  it('stands on what it was opened with, and on nothing else', async () => {
    const { one, begin } = opened();
    const { cookie } = await begin();
    const found = await one.find(cookie);
    if ('refused' in found) throw new Error(found.refused);
    expect([found.login.standsOn('local'), found.login.standsOn('open')]).toEqual([true, false]);
    expect([found.login.isCsrfToken(found.login.csrfToken), found.login.isCsrfToken('')]).toEqual([true, false]);
  });
});

describe('who stays with a session', () => {
  it('is told once when it ends elsewhere', async () => {
    const { one, node, deps, runtime, clock, begin } = opened();
    const { cookie, accountId, loginId } = await begin();
    const other = node();
    const stop = new AbortController();
    const following = other.follow('', stop.signal);
    const principal = await use(other, cookie);
    if (principal === null) throw new Error('the session was just opened');
    const { promise, resolve } = Promise.withResolvers<void>();
    let ended = 0;
    other.watch(principal, () => {
      ended += 1;
      resolve();
    });
    expect(ended).toBe(0);
    await handle(deps, logOut, { accountId, loginId }, { ...META, commandId: runtime.newId(), now: clock.now });
    await promise;
    await one.refresh(accountId);
    expect(ended).toBe(1);
    stop.abort();
    await following;
  });
});

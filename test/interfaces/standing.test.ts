/** What outlives its request ends with the key or token of its caller. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { envelopes } from '../../commands/handle.ts';
import { credentials } from '../../infra/credentials.ts';
import { memoryEventStore } from '../../infra/event-store/memory.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import { EVERY_TASK, LOCAL_ADMIN, NO_LIMITS, type Principal } from '../../src/domain/access.ts';
import type { KeyEvent } from '../../src/domain/access-key.ts';
import { whileStanding } from '../../src/interfaces/standing.ts';
import { FollowedKeys } from '../../src/reactors/follow-keys.ts';
import { FollowedLogins } from '../../src/reactors/follow-logins.ts';
import { META } from '../support/given.ts';

const runtime = systemRuntime();
const grant = { name: 'ci', permissions: ['read' as const], tasks: EVERY_TASK, limits: NO_LIMITS, allowedIps: [] };
const print = (key: string) => ({ hash: runtime.sha256(key), prefix: key.slice(0, 11) });

function opened() {
  const store = memoryEventStore();
  const keys = new FollowedKeys({ store, runtime, credentials }, [
    { ...grant, ...print('set'), name: 'set', active: true },
  ]);
  const times = { idleMs: 60_000, maxAgeMs: 3_600_000 };
  const logins = new FollowedLogins(
    { store, runtime, credentials, onTrouble: (error) => expect.unreachable(String(error)) },
    times,
  );
  let count = 0;
  return {
    keys,
    logins,
    tell: async (...facts: readonly KeyEvent[]): Promise<void> => {
      count += 1;
      await store.append('access-k1', 'any', envelopes(runtime, facts, { ...META, commandId: `c${count}` }));
      await keys.refresh();
    },
    holder: (key: string): Principal => {
      const admission = keys.admit(key, '10.0.0.1');
      if ('principal' in admission) return admission.principal;
      throw new Error(admission.refused);
    },
  };
}

const created = (expiresAt: string | null = null): KeyEvent => ({
  type: 'KeyCreated',
  data: { ...grant, ...print('one'), keyId: 'k1', description: null, expiresAt },
});
const rotated = (previousUntil: string | null): KeyEvent => ({
  type: 'KeyRotated',
  data: { ...print('two'), previousUntil },
});
const revoked: KeyEvent = { type: 'KeyRevoked', data: { reason: null } };

describe('a caller with a key', () => {
  it('stays until the key is revoked, and is told once', async () => {
    const { keys, logins, tell, holder } = opened();
    await tell(created());
    let ended = 0;
    whileStanding({ keys, logins }, holder('one'), () => (ended += 1));
    await keys.refresh();
    expect(ended).toBe(0);
    await tell(revoked);
    await tell(created());
    await tell(revoked);
    expect(ended).toBe(1);
  });

  it('stays no longer when the key is replaced, even where the old one still counts for a while', async () => {
    const { keys, logins, tell, holder } = opened();
    await tell(created());
    let ended = 0;
    whileStanding({ keys, logins }, holder('one'), () => (ended += 1));
    await tell(rotated('2999-01-01T00:00:00.000Z'));
    expect(ended).toBe(1);
    whileStanding({ keys, logins }, holder('one'), () => (ended += 1));
    whileStanding({ keys, logins }, holder('two'), () => (ended += 1));
    expect(ended).toBe(1);
  });

  it('that leaves is told nothing', async () => {
    const { keys, logins, tell, holder } = opened();
    await tell(created());
    let ended = 0;
    whileStanding({ keys, logins }, holder('one'), () => (ended += 1))();
    await tell(revoked);
    expect(ended).toBe(0);
  });

  it('whose key was revoked meanwhile does not stay at all', async () => {
    const { keys, logins, tell, holder } = opened();
    await tell(created());
    const late = holder('one');
    await tell(revoked);
    let ended = 0;
    whileStanding({ keys, logins }, late, () => (ended += 1));
    expect(ended).toBe(1);
  });

  it('of the configuration is not touched by others', async () => {
    const { keys, logins, tell, holder } = opened();
    let ended = 0;
    whileStanding({ keys, logins }, holder('set'), () => (ended += 1));
    await tell(created(), revoked);
    expect(ended).toBe(0);
  });
});

describe('a caller whose time is over', () => {
  beforeEach(() => void vi.useFakeTimers({ now: Date.parse('2026-01-01T00:00:00.000Z') }));
  afterEach(() => void vi.useRealTimers());

  it('is told then, also where that is far away', () => {
    const { keys, logins } = opened();
    const days = 86_400_000;
    const until = Date.now() + 60 * days;
    let ended = 0;
    whileStanding({ keys, logins }, { ...LOCAL_ADMIN, until }, () => (ended += 1));
    vi.advanceTimersByTime(60 * days - 1);
    expect(ended).toBe(0);
    vi.advanceTimersByTime(1);
    expect(ended).toBe(1);
    whileStanding({ keys, logins }, { ...LOCAL_ADMIN, until }, () => (ended += 1));
    expect(ended).toBe(2);
  });
});

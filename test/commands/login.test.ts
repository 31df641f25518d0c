import { describe, it } from 'vitest';
import { logIn, logOut } from '../../commands/login.ts';
import { type LoginEvent, MAX_LOGINS, type OpenLogin } from '../../src/domain/login.ts';
import { isoTime } from '../../src/domain/time.ts';
import { given, NOW } from '../support/given.ts';

const login = (loginId: string, endsAt = NOW + 60_000): OpenLogin => ({
  loginId,
  hash: 'a'.repeat(64),
  bond: 'b'.repeat(64),
  basis: { kind: 'key', name: 'ci' },
  openedAt: isoTime(NOW - 60_000),
  endsAt: isoTime(endsAt),
});
const opened = (one: OpenLogin): LoginEvent => ({ type: 'LoggedIn', data: one });
const ended = (loginId: string, reason: 'caller' | 'displaced' | 'expired'): LoginEvent => ({
  type: 'LoggedOut',
  data: { loginId, reason },
});
const many = Array.from({ length: MAX_LOGINS }, (_, index) => login(`l${index}`));

describe('opening a session', () => {
  it('tells what it stands on and how long, and hashes only', () => {
    given(logIn)
      .when({ accountId: 'a', ...login('one') })
      .then(opened(login('one')));
  });
  it('lets the oldest make room where a caller has as many as it may', () => {
    given(logIn, many.map(opened))
      .when({ accountId: 'a', ...login('more') })
      .then(ended('l0', 'displaced'), opened(login('more')));
  });
  it('tells one that had ended by itself apart from one that had to leave', () => {
    given(logIn, [login('old', NOW), ...many.slice(1)].map(opened))
      .when({ accountId: 'a', ...login('more') })
      .then(ended('old', 'expired'), opened(login('more')));
  });
});

describe('ending a session', () => {
  const one = { accountId: 'a', loginId: 'one' };
  it('is told once', () => {
    given(logOut, [opened(login('one'))])
      .when(one)
      .then(ended('one', 'caller'));
    given(logOut, [opened(login('one')), ended('one', 'caller')])
      .when(one)
      .thenNothing();
  });
  it('leaves the others open', () => {
    given(logOut, [opened(login('other'))])
      .when(one)
      .thenNothing();
  });
});

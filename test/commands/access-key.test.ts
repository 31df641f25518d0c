import { describe, expect, it } from 'vitest';
import { createKey, noteToken, revokeKey, rotateKey } from '../../commands/access-key.ts';
import { EVERY_TASK, LOCAL_ADMIN, NO_LIMITS, ROLE_PERMISSIONS } from '../../src/domain/access.ts';
import { accessKey, type KeyEvent } from '../../src/domain/access-key.ts';
import { given } from '../support/given.ts';

const facts = {
  keyId: 'k1',
  name: 'ci',
  description: null,
  hash: 'a'.repeat(64),
  prefix: 'rk_aaaaaaaa',
  permissions: ['read' as const],
  tasks: { allowed: ['*'], denied: [] },
  limits: NO_LIMITS,
  allowedIps: [],
  expiresAt: null,
};
const created: KeyEvent = { type: 'KeyCreated', data: facts };
const revoked: KeyEvent = { type: 'KeyRevoked', data: { reason: null } };
const rotation = { hash: 'b'.repeat(64), prefix: 'rk_bbbbbbbb', previousUntil: null };
const rotated: KeyEvent = { type: 'KeyRotated', data: rotation };
const reader = { ...LOCAL_ADMIN, permissions: new Set([...ROLE_PERMISSIONS.reader, 'administer' as const]) };
const bound = { ...LOCAL_ADMIN, tasks: { allowed: ['ci_*'], denied: [] } };

describe('making a key', () => {
  it('tells everything but the key', () => {
    given(createKey).when(facts).then(created);
  });
  it('is refused under a name that is taken', () => {
    given(createKey, [created]).when(facts).thenFails('already_exists');
  });
  it('gives a name anew that was revoked', () => {
    given(createKey, [created, revoked]).when(facts).then(created);
  });
  it('is refused when it would have expired already', () => {
    given(createKey)
      .when({ ...facts, expiresAt: '2020-01-01T00:00:00.000Z' })
      .thenFails('invalid_request');
  });
  it('hands on no right that its maker has not', () => {
    given(createKey)
      .when({ ...facts, permissions: ['execute_tasks'] }, { principal: reader })
      .thenFails('permission_denied');
    given(createKey).when(facts, { principal: reader }).then(created);
  });
  it('is refused to a maker with task patterns', () => {
    given(createKey).when(facts, { principal: bound }).thenFails('permission_denied');
  });
});

describe('replacing a key', () => {
  it('puts the new one in the place of the old one', () => {
    given(rotateKey, [created])
      .when({ keyId: 'k1', ...rotation })
      .then(rotated);
    expect(accessKey.evolve(accessKey.evolve(accessKey.initial, created), rotated)).toMatchObject({
      hash: rotation.hash,
      previous: null,
    });
  });
  it('may leave the old one its time', () => {
    const until = '2026-01-02T04:00:00.000Z';
    const soft: KeyEvent = { type: 'KeyRotated', data: { ...rotation, previousUntil: until } };
    const state = [created, soft].reduce(accessKey.evolve, accessKey.initial);
    expect(state).toMatchObject({ previous: { hash: facts.hash, until } });
  });
  it('is refused for one that was revoked, or is none', () => {
    given(rotateKey, [created, revoked])
      .when({ keyId: 'k1', ...rotation })
      .thenFails('not_found');
    given(rotateKey)
      .when({ keyId: 'k1', ...rotation })
      .thenFails('not_found');
  });
  it('gives nobody a key that may more than they may', () => {
    const strong: KeyEvent = { type: 'KeyCreated', data: { ...facts, permissions: ['execute_tasks'] } };
    given(rotateKey, [strong])
      .when({ keyId: 'k1', ...rotation }, { principal: reader })
      .thenFails('permission_denied');
  });
});

describe('revoking a key', () => {
  it('ends it, and the one before it', () => {
    given(revokeKey, [created]).when({ keyId: 'k1', reason: null }).then(revoked);
    const soft: KeyEvent = { type: 'KeyRotated', data: { ...rotation, previousUntil: '2099-01-01T00:00:00.000Z' } };
    expect([created, soft, revoked].reduce(accessKey.evolve, accessKey.initial)).toMatchObject({
      status: 'revoked',
      previous: null,
    });
  });
  it('again changes nothing', () => {
    given(revokeKey, [created, revoked]).when({ keyId: 'k1', reason: null }).thenNothing();
  });
  it('is refused for what is no key', () => {
    given(revokeKey).when({ keyId: 'k1', reason: null }).thenFails('not_found');
  });
});

describe('making a token', () => {
  const token = {
    tokenId: 't1',
    subject: 'ada',
    permissions: ['execute_tasks' as const],
    tasks: EVERY_TASK as { allowed: string[]; denied: string[] },
    expiresAt: '2026-01-03T00:00:00.000Z',
  };
  it('is noted', () => {
    given(noteToken).when(token).then({ type: 'TokenIssued', data: token });
  });
  it('hands on no right that its maker has not', () => {
    given(noteToken).when(token, { principal: reader }).thenFails('permission_denied');
  });
});

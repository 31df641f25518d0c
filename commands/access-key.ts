/** What may be asked of access: make a key, replace it, revoke it, note a token; and the answer as facts. */
import { z } from 'zod';
import { type AccessEvent, authorizeGrant, PERMISSIONS } from '../src/domain/access.ts';
import { accessKey, type ExistingKey, type KeyEvent, type KeyState } from '../src/domain/access-key.ts';
import { RatchetError } from '../src/domain/errors.ts';
import { streamName } from '../src/domain/event.ts';
import { timeOf } from '../src/domain/time.ts';
import { defineCommand } from './command.ts';

const permissions = z.array(z.enum(PERMISSIONS)).min(1).max(PERMISSIONS.length);
const pattern = z.string().min(1).max(256);
const tasks = z.strictObject({ allowed: z.array(pattern).max(100), denied: z.array(pattern).max(100) });
const rate = z.strictObject({ requests: z.int().positive(), windowMs: z.int().positive() }).nullable();
const print = { hash: z.string().length(64), prefix: z.string().max(16) };

const createInput = z.strictObject({
  keyId: z.string(),
  name: z.string().min(1).max(64),
  description: z.string().max(1_024).nullable(),
  permissions,
  tasks,
  limits: z.strictObject({ executions: rate, logs: rate }),
  allowedIps: z.array(z.string().max(64)).max(100),
  expiresAt: z.iso.datetime().nullable(),
  ...print,
});

/** Makes a key; a name that was revoked can be given again. */
export const createKey = defineCommand<z.infer<typeof createInput>, KeyState, KeyEvent>({
  name: 'create_key',
  permission: 'administer',
  input: createInput,
  stream: (input) => streamName('access', input.keyId),
  evolution: accessKey,
  decide: (state, input, { principal, now }) => {
    authorizeGrant(principal, input.permissions, 'create_key');
    if (state.status === 'active') {
      throw new RatchetError('already_exists', `a key named ${input.name} exists`, { details: { name: input.name } });
    }
    if (input.expiresAt !== null && timeOf(input.expiresAt) <= now) {
      throw new RatchetError('invalid_request', 'expires_at: is in the past', {
        details: { problems: [{ field: 'expires_at', message: 'is in the past' }] },
      });
    }
    return [{ type: 'KeyCreated', data: input }];
  },
});

const rotateInput = z.strictObject({ keyId: z.string(), previousUntil: z.iso.datetime().nullable(), ...print });

/** Puts a new key in the place of one. */
export const rotateKey = defineCommand<z.infer<typeof rotateInput>, KeyState, KeyEvent>({
  name: 'rotate_key',
  permission: 'administer',
  input: rotateInput,
  stream: (input) => streamName('access', input.keyId),
  evolution: accessKey,
  decide: (state, { keyId, ...rotated }, { principal }) => {
    const key = known(state, keyId);
    authorizeGrant(principal, key.permissions, 'rotate_key');
    if (key.status === 'active') return [{ type: 'KeyRotated', data: rotated }];
    throw new RatchetError('not_found', `the key ${key.name} was revoked`, { details: { key: keyId } });
  },
});

const revokeInput = z.strictObject({ keyId: z.string(), reason: z.string().max(1_024).nullable() });

/** Ends a key at once; one that was revoked stays so. */
export const revokeKey = defineCommand<z.infer<typeof revokeInput>, KeyState, KeyEvent>({
  name: 'revoke_key',
  permission: 'administer',
  input: revokeInput,
  stream: (input) => streamName('access', input.keyId),
  evolution: accessKey,
  decide: (state, { keyId, reason }) =>
    known(state, keyId).status === 'revoked' ? [] : [{ type: 'KeyRevoked', data: { reason } }],
});

const tokenInput = z.strictObject({
  tokenId: z.string(),
  subject: z.string().min(1).max(128),
  permissions,
  tasks,
  expiresAt: z.iso.datetime(),
});

/** Notes that a token was made: tokens carry their rights with them, so this is all that is kept of one. */
export const noteToken = defineCommand<z.infer<typeof tokenInput>, { readonly noted: boolean }, AccessEvent>({
  name: 'create_token',
  permission: 'administer',
  input: tokenInput,
  stream: (input) => streamName('access', input.tokenId),
  evolution: { initial: { noted: false }, evolve: () => ({ noted: true }) },
  decide: ({ noted }, input, { principal }) => {
    authorizeGrant(principal, input.permissions, 'create_token');
    return noted ? [] : [{ type: 'TokenIssued', data: input }];
  },
});

function known(state: KeyState, keyId: string): ExistingKey {
  if (state.status !== 'none') return state;
  throw new RatchetError('not_found', `there is no key ${keyId}`, { details: { key: keyId } });
}

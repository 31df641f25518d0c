/** What can be asked about access: keys made, listed, replaced and revoked; tokens made. */
import { z } from 'zod';
import { createKey, noteToken, revokeKey, rotateKey } from '../../commands/access-key.ts';
import { handle, handleNew } from '../../commands/handle.ts';
import { getKey, listKeys } from '../../queries/access-key.ts';
import {
  authorizeGrant,
  EVERY_TASK,
  LOCAL_ADMIN,
  NO_LIMITS,
  PERMISSIONS,
  type Permission,
  ROLE_PERMISSIONS,
  ROLES,
  type Role,
} from '../domain/access.ts';
import { accessKey } from '../domain/access-key.ts';
import { RatchetError } from '../domain/errors.ts';
import { streamName } from '../domain/event.ts';
import { fold } from '../domain/history.ts';
import { isoTime } from '../domain/time.ts';
import type { Runtime } from '../ports/runtime.ts';
import { type Core, command, metaOf, type Operation, query } from './operation.ts';

const MAX_PATTERNS = 100;
const YEAR_SECONDS = 31_536_000;

const role = z.preprocess(
  (word) => (word === 'write' ? 'operator' : word === 'read' ? 'reader' : word),
  z.enum(ROLES).optional().describe('admin, operator (or write), reader (or read).'),
);
const patterns = z.array(z.string().min(1).max(256)).max(MAX_PATTERNS);
const perMinute = z.int().positive().max(1_000_000).optional();

const grant = {
  role,
  permissions: z.array(z.enum(PERMISSIONS)).max(PERMISSIONS.length).optional().describe('Besides those of the role.'),
  allowed_task_patterns: patterns.default(['*']).describe('Globs of task names that may be touched.'),
  denied_task_patterns: patterns.default([]).describe('Globs of task names that may not; they win.'),
};

const name = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[\w.@-]+$/, 'letters, digits, "_", ".", "@" and "-"');
const address = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]);
const keyId = z.string().min(1).max(64);

const createInput = z.strictObject({
  name: name.describe('Appears in the audit trail as key:<name>.'),
  description: z.string().max(1_024).nullable().default(null),
  ...grant,
  allowed_ips: z.array(address).max(100).default([]).describe('Addresses and networks it may come from; empty: any.'),
  expires_at: z.iso.datetime({ offset: true }).optional().describe('It does not expire when left out.'),
  rate_limits: z
    .strictObject({ executions_per_minute: perMinute, logs_per_minute: perMinute })
    .default({})
    .describe('Limits of this key alone.'),
});

/** @returns all that a role and single permissions allow; any of them lets its holder read lists. */
function granted(given: { role?: Role | undefined; permissions?: readonly Permission[] | undefined }): Permission[] {
  const all = new Set([
    ...(given.role === undefined ? [] : ROLE_PERMISSIONS[given.role]),
    ...(given.permissions ?? []),
  ]);
  if (all.size > 0) return PERMISSIONS.filter((permission) => permission === 'read' || all.has(permission));
  throw new RatchetError('invalid_request', 'role: give a role or permissions', {
    details: { problems: [{ field: 'role', message: 'give a role or permissions' }] },
  });
}

interface NewKey {
  readonly key: string;
  readonly print: { readonly hash: string; readonly prefix: string };
}

const PREFIX_LENGTH = 11;

function newKey(runtime: Runtime): NewKey {
  const key = `rk_${runtime.randomHex(32)}`;
  return { key, print: { hash: runtime.sha256(key), prefix: key.slice(0, PREFIX_LENGTH) } };
}

/** One key a name: its stream follows from it. */
function keyIdOf(runtime: Runtime, keyName: string): string {
  return runtime.uuidOf(`key\n${keyName}`);
}

/** Of two equal requests only one has stored its key: the other, and a repeated one, are told none. */
async function toldKey({ execute: { store } }: Core, id: string, { key, print }: NewKey) {
  const state = fold(accessKey, await store.readStream(streamName('access', id)));
  const isOurs = state.status === 'active' && state.hash === print.hash;
  return isOurs ? { key, prefix: print.prefix } : { key: null, prefix: null };
}

const perMinuteOf = (requests: number | undefined) => (requests === undefined ? null : { requests, windowMs: 60_000 });

const FIRST_KEY = 'first-admin';

/** @returns a key for everything, made where none was ever made; null after the first time. It is answered once and never stored. */
export async function firstAdminKey({ execute: deps }: Core): Promise<string | null> {
  const { runtime } = deps;
  const { key, print } = newKey(runtime);
  const commandId = runtime.newId();
  const input = {
    keyId: keyIdOf(runtime, FIRST_KEY),
    name: FIRST_KEY,
    description: 'printed by the first start',
    permissions: [...PERMISSIONS],
    tasks: { allowed: [...EVERY_TASK.allowed], denied: [] },
    limits: NO_LIMITS,
    allowedIps: [],
    expiresAt: null,
    ...print,
  };
  const principal = { ...LOCAL_ADMIN, id: 'system:first-start', kind: 'system' } as const;
  const meta = { principal, commandId, correlationId: commandId, causationId: null, traceparent: null };
  const made = await handleNew(deps, createKey, input, { ...meta, now: runtime.now() });
  return made === null ? null : key;
}

export const ACCESS_OPERATIONS: readonly Operation[] = [
  command({
    name: 'create_key',
    permission: 'administer',
    description: 'Make an API key. The key itself is in this answer and nowhere else.',
    input: createInput,
    run: async (core, input, caller) => {
      const { runtime } = core.execute;
      if (core.access.keys.isConfigured(input.name)) {
        throw new RatchetError('already_exists', `the configuration has a key named ${input.name}`, {
          details: { name: input.name },
        });
      }
      const { key, print } = newKey(runtime);
      const { executions_per_minute: executions, logs_per_minute: logs } = input.rate_limits;
      const given = {
        keyId: keyIdOf(runtime, input.name),
        name: input.name,
        description: input.description,
        permissions: granted(input),
        tasks: { allowed: input.allowed_task_patterns, denied: input.denied_task_patterns },
        limits: { executions: perMinuteOf(executions), logs: perMinuteOf(logs) },
        allowedIps: input.allowed_ips,
        expiresAt: input.expires_at === undefined ? null : new Date(input.expires_at).toISOString(),
        ...print,
      };
      const { position } = await handle(core.execute, createKey, given, metaOf(core, caller, 'create_key', input));
      await core.access.keys.refresh();
      const { keyId: key_id, permissions, expiresAt: expires_at } = given;
      return {
        key_id,
        name: input.name,
        ...(await toldKey(core, key_id, { key, print })),
        permissions,
        expires_at,
        position,
      };
    },
  }),
  query(listKeys),
  query(getKey),
  command({
    name: 'rotate_key',
    permission: 'administer',
    description: 'Put a new key in the place of one. The new key is in this answer and nowhere else.',
    input: z.strictObject({
      key_id: keyId,
      keep_old_seconds: z
        .int()
        .min(0)
        .max(YEAR_SECONDS)
        .default(0)
        .describe('How long the old key still counts, so that its users can change over.'),
    }),
    run: async (core, input, caller) => {
      const { runtime } = core.execute;
      const { key, print } = newKey(runtime);
      const { key_id, keep_old_seconds: seconds } = input;
      const previousUntil = seconds === 0 ? null : isoTime(runtime.now() + seconds * 1000);
      const given = { keyId: key_id, previousUntil, ...print };
      const { position } = await handle(core.execute, rotateKey, given, metaOf(core, caller, 'rotate_key', input));
      await core.access.keys.refresh();
      return {
        key_id,
        ...(await toldKey(core, key_id, { key, print })),
        previous_until: previousUntil,
        position,
      };
    },
  }),
  command({
    name: 'revoke_key',
    permission: 'administer',
    description: 'End a key at once, on every node.',
    input: z.strictObject({ key_id: keyId, reason: z.string().max(1_024).optional() }),
    run: async (core, input, caller) => {
      const given = { keyId: input.key_id, reason: input.reason ?? null };
      const { changed, position } = await handle(
        core.execute,
        revokeKey,
        given,
        metaOf(core, caller, 'revoke_key', input),
      );
      await core.access.keys.refresh();
      return { key_id: input.key_id, status: 'revoked', changed, position };
    },
  }),
  command({
    name: 'create_token',
    permission: 'administer',
    description:
      'Make a signed token that carries its rights with it and ends by itself. It is in this answer and nowhere else.',
    input: z.strictObject({
      name: name.describe('Subject of the token; appears in the audit trail as token:<name>.'),
      ...grant,
      expires_in_seconds: z
        .int()
        .positive()
        .max(YEAR_SECONDS)
        .optional()
        .describe('auth.jwt.expires_in when left out.'),
    }),
    run: async (core, input, caller) => {
      const { runtime } = core.execute;
      const permissions = granted(input);
      authorizeGrant(caller.principal, permissions, 'create_token');
      const subject = {
        tokenId: runtime.newId(),
        subject: input.name,
        permissions,
        tasks: { allowed: input.allowed_task_patterns, denied: input.denied_task_patterns },
      };
      const { expires_in_seconds: expiresInSeconds = null } = input;
      const { token, expiresAt } = await core.access.tokens.issue({
        ...subject,
        issuedAt: runtime.now(),
        expiresInSeconds,
      });
      const expires_at = isoTime(expiresAt);
      const meta = metaOf(core, { ...caller, idempotencyKey: null }, 'create_token', input);
      const { position } = await handle(core.execute, noteToken, { ...subject, expiresAt: expires_at }, meta);
      return { token, token_id: subject.tokenId, name: input.name, permissions, expires_at, position };
    },
  }),
];

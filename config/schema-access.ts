/** Keys of who may enter: API keys, tokens, and the permissions that roles stand for. */
import type { z } from 'zod';
import { documented, entries, list, maybe, required, section, setting, unset } from './fields.ts';
import { choice, duration, flag, httpUrl, moment, network, rate, secret, text } from './kinds.ts';

export const AUTH_TYPES = ['none', 'api_key', 'jwt', 'oauth2'] as const;
export const authType = choice(AUTH_TYPES, { apikey: 'api_key', 'api-key': 'api_key', oauth: 'oauth2' });

const role = choice(['admin', 'operator', 'reader'], { write: 'operator', read: 'reader' });

const permissions = section('What the holder of the key may do.', {
  canExecuteTasks: unset(flag, 'May run tasks.', { fallbackNote: "the role's, else false" }),
  canManageTasks: unset(flag, 'May create, edit and delete tasks.', {
    fallbackNote: "the role's, else can_execute_tasks",
  }),
  canReadLogs: unset(flag, 'May read logs and the audit trail.', { fallbackNote: "the role's, else false" }),
  canReadTraces: unset(flag, 'May read traces and debug.', { fallbackNote: "the role's, else false" }),
  canAccessSystemInfo: unset(flag, 'May ask about the machine.', { fallbackNote: "the role's, else false" }),
  allowedTaskPatterns: documentedPatterns('Globs of task names that may be touched.', '["*"]'),
  deniedTaskPatterns: list(text, 'Globs of task names that may not be touched; wins over allowed.'),
});

const keyEntry = section('One API key.', {
  key: required(secret, 'The key itself; write ${NAME} to take it from the environment.'),
  keyFrom: unset(text, 'Environment variable that the key came from.', { internal: true }),
  name: setting(text, 'unnamed', 'Name that appears in the audit trail.'),
  description: unset(text, 'What the key is for; a remark for people.', { inert: true }),
  roles: list(role, 'Roles or words (read, write) whose permissions the key has.'),
  permissions,
  rateLimits: section('Limits of this key alone.', {
    executionsPerMinute: unset(rate, 'Executions started, each batch item counted.'),
    logsPerMinute: unset(rate, 'Reads of execution logs.'),
  }),
  createdAt: unset(moment, 'When the key was made; a remark for people.', { inert: true }),
  active: setting(flag, true, 'false refuses the key.'),
  allowedIps: list(network, 'Addresses and networks the key may come from; empty means any.'),
});

/** What a key may do once roles are resolved. */
export interface KeyPermissions {
  readonly canExecuteTasks: boolean;
  readonly canManageTasks: boolean;
  readonly canReadLogs: boolean;
  readonly canReadTraces: boolean;
  readonly canAccessSystemInfo: boolean;
  readonly canAdminister: boolean;
  readonly allowedTaskPatterns: readonly string[];
  readonly deniedTaskPatterns: readonly string[];
}

function resolveKey({ roles, permissions: given, ...entry }: z.output<typeof keyEntry>): Omit<
  z.output<typeof keyEntry>,
  'roles' | 'permissions'
> & {
  permissions: KeyPermissions;
} {
  const admin = roles.includes('admin');
  const writes = admin || roles.includes('operator');
  const reads = writes || roles.includes('reader');
  const canExecuteTasks = given.canExecuteTasks ?? writes;
  const resolved: KeyPermissions = {
    canExecuteTasks,
    canManageTasks: given.canManageTasks ?? canExecuteTasks,
    canReadLogs: given.canReadLogs ?? reads,
    canReadTraces: given.canReadTraces ?? reads,
    canAccessSystemInfo: given.canAccessSystemInfo ?? admin,
    canAdminister: admin,
    allowedTaskPatterns: given.allowedTaskPatterns ?? ['*'],
    deniedTaskPatterns: given.deniedTaskPatterns,
  };
  return { ...entry, permissions: resolved };
}

/** An absent list allows every task, an empty one none. */
function documentedPatterns(
  meaning: string,
  fallbackNote: string,
): z.ZodNullable<z.ZodArray<ReturnType<typeof required<string>>>> {
  return documented(list(text, meaning).nullable(), {
    meaning,
    expects: 'a list of text',
    fallback: null,
    fallbackNote,
  });
}

export const apiKeys = entries(keyEntry.transform(resolveKey), 'Keys that callers may send.');

export const jwt = maybe(
  section('Signed tokens; accepted wherever this section is set.', {
    secret: required(secret, 'Secret that signs tokens; at least 32 random characters.'),
    algorithm: setting(choice(['HS256', 'HS384', 'HS512']), 'HS256', 'Signature of tokens.'),
    expiresInMs: setting(duration('s'), 86_400_000, 'How long a token counts after it was issued.'),
    issuer: setting(text, 'ratchet', 'Issuer that tokens must name.'),
    audience: unset(text, 'Audience that tokens must name.'),
  }),
);

export const oauth2 = maybe(
  section('Tokens of an external authorisation server.', {
    issuer: required(httpUrl, 'Address of the authorisation server.'),
    audience: unset(text, 'Audience that tokens must name.'),
    jwksUri: unset(httpUrl, 'Where its public keys are; found through the issuer if absent.'),
    requiredScopes: list(text, 'Scopes that every token must hold.'),
  }),
);

export const auth = section('Who may use REST, GraphQL, the console, and MCP inside `serve`.', {
  type: unset(authType, 'How callers prove who they are.', {
    fallbackNote: 'api_key or jwt where that section is set',
  }),
  apiKeys,
  jwt,
  oauth2,
  session: section('Sessions of browsers, opened with a key or token.', {
    idleTimeoutMs: setting(duration('s'), 1_800_000, 'A session ends after so long without a request.'),
    maxAgeMs: setting(duration('s'), 43_200_000, 'A session ends after so long, however much it is used.'),
  }),
});

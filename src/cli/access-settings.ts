/** Makes of a section of the configuration what callers are known by; of the keys in it only their hashes go on. */
import { hash } from 'node:crypto';
import type { TokenSettings } from '../../infra/tokens.ts';
import type { AccessSettings } from '../app.ts';
import type { Permission, Rate } from '../domain/access.ts';
import type { ConfiguredKey } from '../ports/key-directory.ts';

/** One key as the configuration tells it, its roles resolved. */
interface KeySection {
  readonly key: string;
  readonly name: string;
  readonly permissions: {
    readonly canExecuteTasks: boolean;
    readonly canManageTasks: boolean;
    readonly canReadLogs: boolean;
    readonly canReadTraces: boolean;
    readonly canAccessSystemInfo: boolean;
    readonly canAdminister: boolean;
    readonly allowedTaskPatterns: readonly string[];
    readonly deniedTaskPatterns: readonly string[];
  };
  readonly rateLimits: { readonly executionsPerMinute: Rate | null; readonly logsPerMinute: Rate | null };
  readonly active: boolean;
  readonly allowedIps: readonly string[];
}

/** A section such as `auth`. */
export interface AccessSection {
  readonly type: 'none' | 'api_key' | 'jwt' | 'oauth2' | null;
  readonly apiKeys: readonly KeySection[];
  readonly jwt: TokenSettings['jwt'];
  readonly oauth2: TokenSettings['oauth2'];
  /** As the app has it where left out. */
  readonly session?: { readonly idleTimeoutMs: number; readonly maxAgeMs: number };
}

export function accessSettings({ type, apiKeys, jwt, oauth2, session }: AccessSection): AccessSettings {
  const entrance = type === null ? 'local' : type === 'none' ? 'open' : 'guarded';
  const sessions =
    session === undefined ? {} : { sessions: { idleMs: session.idleTimeoutMs, maxAgeMs: session.maxAgeMs } };
  return { entrance, keys: apiKeys.map(configuredKey), tokens: { jwt, oauth2 }, ...sessions };
}

function configuredKey({ key, name, permissions, rateLimits, active, allowedIps }: KeySection): ConfiguredKey {
  return {
    name,
    hash: hash('sha256', key, 'hex'),
    active,
    permissions: permissionsOf(permissions),
    tasks: { allowed: permissions.allowedTaskPatterns, denied: permissions.deniedTaskPatterns },
    limits: { executions: rateLimits.executionsPerMinute, logs: rateLimits.logsPerMinute },
    allowedIps,
  };
}

/** Any permission lets its holder list tasks and look at executions. */
function permissionsOf(can: KeySection['permissions']): readonly Permission[] {
  const given: readonly (readonly [boolean, Permission])[] = [
    [can.canExecuteTasks, 'execute_tasks'],
    [can.canManageTasks, 'manage_tasks'],
    [can.canReadLogs, 'read_logs'],
    [can.canReadTraces, 'read_traces'],
    [can.canAccessSystemInfo, 'access_system_info'],
    [can.canAdminister, 'administer'],
  ];
  const held = given.filter(([holds]) => holds).map(([, permission]) => permission);
  return held.length === 0 ? [] : ['read', ...held];
}

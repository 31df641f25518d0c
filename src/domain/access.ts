/** Who asks and what they may do: one decision for every interface. */

import { RatchetError } from './errors.ts';
import type { Fact } from './event.ts';
import { matchesGlob } from './glob.ts';

/** What an operation needs. */
export type Permission =
  | 'execute_tasks'
  | 'manage_tasks'
  | 'read'
  | 'read_logs'
  | 'read_traces'
  | 'access_system_info'
  | 'administer';

export const PERMISSIONS = [
  'execute_tasks',
  'manage_tasks',
  'read',
  'read_logs',
  'read_traces',
  'access_system_info',
  'administer',
] as const satisfies readonly Permission[];

/** Globs on task names; denied beats allowed. */
export interface TaskPatterns {
  readonly allowed: readonly string[];
  readonly denied: readonly string[];
}

export const EVERY_TASK: TaskPatterns = { allowed: ['*'], denied: [] };

/** So many in a window of time. */
export interface Rate {
  readonly requests: number;
  readonly windowMs: number;
}

/** Limits of one caller alone; null where nothing is limited. */
export interface CallerLimits {
  readonly executions: Rate | null;
  readonly logs: Rate | null;
}

export const NO_LIMITS: CallerLimits = { executions: null, logs: null };

export interface Principal {
  /** Such as `local:admin`, `key:ci`, `token:ada`, `worker:<session>`. */
  readonly id: string;
  /** How it was found out who this is; `system` for parts of the service itself. */
  readonly kind: 'local' | 'key' | 'token' | 'worker' | 'system';
  /** Of the key, or the subject of the token. */
  readonly name: string;
  readonly permissions: ReadonlySet<Permission>;
  readonly tasks: TaskPatterns;
  readonly limits: CallerLimits;
  /** When the key or token ends, in milliseconds since the epoch; absent: it does not end by itself. */
  readonly until?: number;
}

const ALL: ReadonlySet<Permission> = new Set<Permission>(PERMISSIONS);

export type Role = 'admin' | 'operator' | 'reader';

export const ROLES = ['admin', 'operator', 'reader'] as const satisfies readonly Role[];

const READS: readonly Permission[] = ['read', 'read_logs', 'read_traces'];

/** What the holder of a role may do. */
export const ROLE_PERMISSIONS: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  admin: ALL,
  operator: new Set<Permission>([...READS, 'execute_tasks', 'manage_tasks']),
  reader: new Set<Permission>(READS),
};

const UNBOUND = { tasks: EVERY_TASK, limits: NO_LIMITS } as const;

/** The person at this machine: may do everything. */
export const LOCAL_ADMIN: Principal = {
  ...UNBOUND,
  id: 'local:admin',
  kind: 'local',
  name: 'admin',
  permissions: ALL,
};

/** Whoever calls where the configuration lets everybody in. */
export const ANYBODY: Principal = { ...LOCAL_ADMIN, id: 'anonymous', name: 'anonymous' };

/** @returns the principal of a worker session, which acts for the executions it runs. */
export function workerPrincipal(sessionId: string): Principal {
  const permissions = new Set<Permission>(['execute_tasks', 'read']);
  return { ...UNBOUND, id: `worker:${sessionId}`, kind: 'worker', name: sessionId, permissions };
}

/** @returns the principal of a part of the service that only tells what happened. */
export function systemPrincipal(name: string): Principal {
  return { ...UNBOUND, id: `system:${name}`, kind: 'system', name, permissions: new Set<Permission>() };
}

const REFUSALS: Partial<Record<Permission, string>> = {
  execute_tasks: 'Cannot execute tasks',
  read_logs: 'Cannot read logs',
};

/** Fails with `permission_denied` unless `principal` holds `permission`. */
export function authorize(principal: Principal, permission: Permission, operation: string): void {
  if (principal.permissions.has(permission)) return;
  const said = REFUSALS[permission] ?? `the permission ${permission} is missing`;
  throw new RatchetError('permission_denied', `Permission denied: ${said}`, {
    details: { operation, permission, principal: principal.id },
  });
}

/** @returns whether patterns leave out no task at all. */
export function isEveryTask({ allowed, denied }: TaskPatterns): boolean {
  return denied.length === 0 && allowed.includes('*');
}

/** @returns whether patterns let a task of this name be touched. */
export function isAllowedTask({ allowed, denied }: TaskPatterns, name: string): boolean {
  return allowed.some((pattern) => matchesGlob(pattern, name)) && !denied.some((pattern) => matchesGlob(pattern, name));
}

/** Fails with `permission_denied` unless the patterns of `principal` let it touch the task of this name. */
export function authorizeTask(principal: Principal, name: string, operation: string): void {
  if (isAllowedTask(principal.tasks, name)) return;
  throw new RatchetError('permission_denied', 'Permission denied: Task not allowed', {
    details: { operation, principal: principal.id },
  });
}

/** Fails with `permission_denied` unless `principal` holds all that it wants to hand on, for every task. */
export function authorizeGrant(principal: Principal, permissions: readonly Permission[], operation: string): void {
  for (const permission of permissions) authorize(principal, permission, operation);
  if (isEveryTask(principal.tasks)) return;
  throw new RatchetError('permission_denied', 'Permission denied: a caller with task patterns hands on no rights', {
    details: { operation, principal: principal.id },
  });
}

/** Refusals are facts too: they are the part of the audit trail that changes nothing. */
export type AccessEvent =
  | Fact<
      'AccessRefused',
      {
        readonly principal: string;
        readonly operation: string;
        readonly reason: string;
        /** How many equal refusals this one stands for (same caller, operation, reason and minute). */
        readonly count: number;
      }
    >
  | Fact<
      'TokenIssued',
      {
        readonly tokenId: string;
        readonly subject: string;
        readonly permissions: readonly Permission[];
        readonly tasks: TaskPatterns;
        /** ISO 8601. */
        readonly expiresAt: string;
      }
    >;

export const ACCESS_EVENT_TYPES = ['AccessRefused', 'TokenIssued'] as const satisfies readonly AccessEvent['type'][];

/** Who asks and what they may do: one decision for every interface. */

import { RatchetError } from './errors.ts';
import type { Fact } from './event.ts';

/** What an operation needs. */
export type Permission =
  | 'execute_tasks'
  | 'manage_tasks'
  | 'read'
  | 'read_logs'
  | 'read_traces'
  | 'access_system_info'
  | 'administer';

export interface Principal {
  /** Such as `local:admin`, `key:ci`, `worker:<session>`. */
  readonly id: string;
  readonly permissions: ReadonlySet<Permission>;
}

const ALL: ReadonlySet<Permission> = new Set<Permission>([
  'execute_tasks',
  'manage_tasks',
  'read',
  'read_logs',
  'read_traces',
  'access_system_info',
  'administer',
]);

/** The person at this machine: may do everything. */
export const LOCAL_ADMIN: Principal = { id: 'local:admin', permissions: ALL };

/** @returns the principal of a worker session, which acts for the executions it runs. */
export function workerPrincipal(sessionId: string): Principal {
  return { id: `worker:${sessionId}`, permissions: new Set<Permission>(['execute_tasks', 'read']) };
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

/** Refusals are facts too: they are the part of the audit trail that changes nothing. */
export type AccessEvent = Fact<
  'AccessRefused',
  {
    readonly principal: string;
    readonly operation: string;
    readonly reason: string;
    /** How many equal refusals this one stands for (same caller, operation, reason and minute). */
    readonly count: number;
  }
>;

export const ACCESS_EVENT_TYPES = ['AccessRefused'] as const satisfies readonly AccessEvent['type'][];

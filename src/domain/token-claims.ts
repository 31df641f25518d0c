/** What tokens say, as a principal: scopes are permissions, and nothing else in a token gives any. */
import {
  EVERY_TASK,
  NO_LIMITS,
  PERMISSIONS,
  type Permission,
  type Principal,
  ROLE_PERMISSIONS,
  ROLES,
  type TaskPatterns,
} from './access.ts';

/** Claim with the task patterns of a token. */
export const TASKS_CLAIM = 'ratchet_tasks';
const PREFIX = 'ratchet:';
const MAX_PATTERNS = 100;
const MAX_PATTERN = 256;
const SUBJECT = /^[\x21-\x7e]{1,128}$/;

/** @returns the scopes that stand for permissions. */
export function scopesOf(permissions: readonly Permission[]): string {
  return permissions.map((permission) => `${PREFIX}${permission}`).join(' ');
}

/** @returns what scopes allow: `ratchet:<role>` or `ratchet:<permission>`; others mean nothing here. Any of them lets its holder read lists. */
export function permissionsOfScopes(scopes: readonly string[]): ReadonlySet<Permission> {
  const own = new Set(scopes.filter((scope) => scope.startsWith(PREFIX)).map((scope) => scope.slice(PREFIX.length)));
  const ofRoles = ROLES.filter((role) => own.has(role)).flatMap((role) => [...ROLE_PERMISSIONS[role]]);
  const named = PERMISSIONS.filter((permission) => own.has(permission));
  const all = new Set<Permission>([...ofRoles, ...named]);
  return all.size === 0 ? all : all.add('read');
}

/** @returns the scopes in the claims `scope` (one text) or `scp` (a text or a list). */
export function scopesIn(claims: Readonly<Record<string, unknown>>): readonly string[] {
  return [claims['scope'], claims['scp']].flatMap((value) => {
    if (typeof value === 'string') return value.split(' ');
    return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
  });
}

/**
 * @param issuer `token` for tokens of our own, `oauth2` for those of another: equal subjects of both are not the same caller
 * @returns null for claims that name nobody, or whose task patterns can not be read
 */
export function tokenPrincipal(
  claims: Readonly<Record<string, unknown>>,
  issuer: 'token' | 'oauth2',
): Principal | null {
  const { sub, exp } = claims;
  const tasks = tasksIn(claims[TASKS_CLAIM]);
  if (typeof sub !== 'string' || !SUBJECT.test(sub) || typeof exp !== 'number' || tasks === null) return null;
  const permissions = permissionsOfScopes(scopesIn(claims));
  const id = `${issuer}:${sub}`;
  return { id, kind: 'token', name: sub, permissions, tasks, limits: NO_LIMITS, until: exp * 1000 };
}

function tasksIn(claim: unknown): TaskPatterns | null {
  if (claim === undefined) return EVERY_TASK;
  if (typeof claim !== 'object' || claim === null || !('allowed' in claim) || !('denied' in claim)) return null;
  const { allowed, denied } = claim;
  return isPatterns(allowed) && isPatterns(denied) ? { allowed, denied } : null;
}

function isPatterns(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) &&
    value.length <= MAX_PATTERNS &&
    value.every((item) => typeof item === 'string' && item.length <= MAX_PATTERN)
  );
}

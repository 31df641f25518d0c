/** Patterns, roles, and the one decision. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  authorize,
  authorizeTask,
  EVERY_TASK,
  isAllowedTask,
  isEveryTask,
  LOCAL_ADMIN,
  type Permission,
  ROLE_PERMISSIONS,
} from '../../src/domain/access.ts';
import { matchesGlob } from '../../src/domain/glob.ts';

describe('a pattern', () => {
  it.each([
    ['*', 'any/thing', true],
    ['*', '', true],
    ['report_*', 'report_daily', true],
    ['report_*', 'report_', true],
    ['report_*', 'my_report_daily', false],
    ['team/*', 'team/a/b', true],
    ['*/b', 'team/a/b', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['v?', 'v1', true],
    ['v?', 'v', false],
    ['v?', 'v12', false],
    ['a.b', 'axb', false],
    ['[ab]', 'a', false],
    ['A', 'a', false],
    ['', 'a', false],
    ['', '', true],
    ['a**', 'a', true],
  ])('%s on "%s" is %s', (pattern, text, fits) => {
    expect(matchesGlob(pattern, text)).toBe(fits);
  });

  it('says the same as a regular expression made of it', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '.'), maxLength: 8 });
    const texts = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 10 });
    fc.assert(
      fc.property(letters, texts, (pattern, text) => {
        const source = pattern.replaceAll('.', '\\.').replaceAll('?', '.').replaceAll('*', '.*');
        expect(matchesGlob(pattern, text)).toBe(new RegExp(`^${source}$`).test(text));
      }),
    );
  });

  it('made to go back again and again ends soon', () => {
    const began = performance.now();
    expect(matchesGlob(`${'*a'.repeat(128)}b`, 'a'.repeat(256))).toBe(false);
    expect(performance.now() - began).toBeLessThan(500);
  });
});

describe('task patterns', () => {
  it('deny beats allow', () => {
    const tasks = { allowed: ['*'], denied: ['admin_*'] };
    expect(isAllowedTask(tasks, 'report')).toBe(true);
    expect(isAllowedTask(tasks, 'admin_users')).toBe(false);
    expect(isEveryTask(tasks)).toBe(false);
  });

  it('an empty list allows nothing', () => {
    expect(isAllowedTask({ allowed: [], denied: [] }, 'a')).toBe(false);
    expect(isEveryTask({ allowed: [], denied: [] })).toBe(false);
    expect(isEveryTask(EVERY_TASK)).toBe(true);
  });

  it('refuse in the words of the documents', () => {
    const bound = { ...LOCAL_ADMIN, id: 'key:ci', tasks: { allowed: ['ci_*'], denied: [] } };
    expect(() => authorizeTask(bound, 'ci_build', 'execute_task')).not.toThrow();
    expect(() => authorizeTask(bound, 'deploy', 'execute_task')).toThrow('Permission denied: Task not allowed');
  });
});

describe('permissions', () => {
  const nobody = { ...LOCAL_ADMIN, permissions: new Set<Permission>() };
  it.each<[Permission, string]>([
    ['execute_tasks', 'Permission denied: Cannot execute tasks'],
    ['read_logs', 'Permission denied: Cannot read logs'],
    ['administer', 'Permission denied: the permission administer is missing'],
  ])('without %s: %s', (permission, message) => {
    expect(() => authorize(nobody, permission, 'it')).toThrow(message);
    expect(() => authorize(LOCAL_ADMIN, permission, 'it')).not.toThrow();
  });

  it('of a reader write nothing, of an operator administer nothing', () => {
    expect([...ROLE_PERMISSIONS.reader].sort()).toEqual(['read', 'read_logs', 'read_traces']);
    expect(ROLE_PERMISSIONS.operator.has('execute_tasks')).toBe(true);
    expect(ROLE_PERMISSIONS.operator.has('administer')).toBe(false);
    expect(ROLE_PERMISSIONS.operator.has('access_system_info')).toBe(false);
  });
});

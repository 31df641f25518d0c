import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openAuditFile } from '../../infra/audit-file.ts';
import { openTestApp } from '../support/app.ts';
import { eventually } from '../support/server.ts';

const folder = mkdtempSync(join(tmpdir(), 'ratchet-audit-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const linesOf = (path: string): Record<string, unknown>[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('the audit file', () => {
  it('is its owner’s, goes on behind its last whole line, and mends one that was cut short', () => {
    const path = join(folder, 'mended.log');
    const first = openAuditFile(path);
    expect(first.last()).toBeNull();
    first.write(['{"position":"01"}', '{"position":"02"}']);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    appendFileSync(path, '{"position":"03"');
    const second = openAuditFile(path);
    expect(second.last()).toBe('02');
    second.write(['{"position":"03"}']);
    expect(linesOf(path).map(({ position }) => position)).toEqual(['01', '02', '03']);
  });

  it('that can not be opened says so by its name', () => {
    expect(() => openAuditFile(join(folder, 'nowhere', 'audit.log'))).toThrow(/nowhere.audit[.]log can not be opened/);
  });

  it('holds what the trail holds, each entry once, also what happened while it was not written', async () => {
    const auditFile = join(folder, 'audit.log');
    const eventStoreUrl = `sqlite:${join(folder, 'log.db')}`;
    const trail = async (auditing: boolean, task: string) => {
      await using app = await openTestApp({ eventStoreUrl, auditFile: auditing ? auditFile : null });
      await app.task(task, 'function main() { throw new Error("no"); }');
      await app.run(task);
      const { entries } = await app.call('get_audit_trail', { limit: 1_000 });
      const positions = (entries as { position: string }[]).map(({ position }) => position).reverse();
      if (auditing) {
        await eventually('the file has it all', () =>
          linesOf(auditFile).length >= positions.length ? true : undefined,
        );
      }
      return positions;
    };
    await trail(true, 'one');
    await trail(false, 'two');
    const positions = await trail(true, 'three');
    const lines = linesOf(auditFile);
    expect(lines.map(({ position }) => position).slice(0, positions.length)).toEqual(positions);
    expect(lines[0]).toMatchObject({ principal: expect.any(String), action: expect.any(String), details: {} });
    expect(JSON.stringify(lines)).not.toContain('function main');
  });
});

import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { makeFolder } from '../../infra/folder.ts';

const root = mkdtempSync(join(tmpdir(), 'ratchet-folder-'));
afterAll(() => rmSync(root, { recursive: true }));

it('makes every missing folder of a path, and is content with those that exist', () => {
  const path = join(root, 'a', 'b', 'c');
  makeFolder(path);
  makeFolder(path);
  expect(statSync(path).isDirectory()).toBe(true);
});

it('fails where a file stands in the way', () => {
  const file = join(root, 'file');
  writeFileSync(file, '');
  expect(() => makeFolder(file)).toThrow(/EEXIST/);
  expect(() => makeFolder(join(file, 'below'))).toThrow(/ENOTDIR/);
});

it.runIf(existsSync('/proc/self'))('fails at once where the system makes no folders', () => {
  expect(() => makeFolder('/proc/none/of/these')).toThrow(/ENOENT/);
});

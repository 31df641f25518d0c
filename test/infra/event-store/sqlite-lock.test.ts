import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { holdLock } from '../../../infra/event-store/sqlite-lock.ts';
import { type TemporaryFolder, temporaryFolder } from '../../support/store-files.ts';

let folder: TemporaryFolder;

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  await folder.remove();
});

test('a lock has one holder, and the next after its release', () => {
  const path = folder.file('projector.lock');
  const first = holdLock(path);
  expect(first).not.toBeNull();
  expect(holdLock(path)).toBeNull();
  expect(holdLock(folder.file('other.lock'))).not.toBeNull();
  first?.release();
  first?.release();
  const second = holdLock(path);
  expect(second).not.toBeNull();
  expect(holdLock(path)).toBeNull();
  second?.release();
});

test('a lock of another process is seen, and free when that process is killed', async () => {
  const path = folder.file('worker.lock');
  const module = new URL('../../../infra/event-store/sqlite-lock.ts', import.meta.url).href;
  const script = `const { holdLock } = await import(${JSON.stringify(module)});
    console.log(holdLock(${JSON.stringify(path)}) === null ? 'refused' : 'held');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [said] = await once(child.stdout, 'data');
    expect(String(said)).toBe('held\n');
    expect(holdLock(path)).toBeNull();
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  const lock = holdLock(path);
  expect(lock).not.toBeNull();
  lock?.release();
});

test('a place that can not hold a lock is an error, not a lock held by others', () => {
  expect(() => holdLock(folder.file('none/lock'))).toThrow(/^Database connection failed/);
});

test('a held lock has one file, so that it can be renamed while it is held', () => {
  const place = folder.file('locks');
  mkdirSync(place);
  const lock = holdLock(join(place, 'first'));
  expect(readdirSync(place)).toEqual(['first']);
  renameSync(join(place, 'first'), join(place, 'second'));
  expect(holdLock(join(place, 'second'))).toBeNull();
  lock?.release();
  const next = holdLock(join(place, 'second'));
  expect(next).not.toBeNull();
  next?.release();
});

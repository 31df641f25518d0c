import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { folderPresence, hiddenPresence, liveSessions, openPresence } from '../../infra/worker-sessions.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/store-files.ts';

let folder: TemporaryFolder;
let children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  for (const child of children) await end(child);
  children = [];
  await folder.remove();
});

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Another process that opens these sessions, says so, and keeps them. */
function sessionsElsewhere(place: string, ids: readonly string[]): { child: ChildProcess; opened: Promise<string> } {
  const module = new URL('../../infra/worker-sessions.ts', import.meta.url).href;
  const script = `const { folderPresence } = await import(${JSON.stringify(module)});
    const presence = folderPresence(${JSON.stringify(place)}, { isOnlyMachine: true });
    for (const id of ${JSON.stringify(ids)}) presence.enter(id);
    globalThis.presence = presence;
    console.log('opened');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return { child, opened: once(child.stdout, 'data').then(([said]) => String(said).trim()) };
}

const idsOf = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${prefix}-${n}`);

test('a session of another process lives until that process is killed, and then leaves no file', async () => {
  const place = folder.file('sessions');
  const presence = folderPresence(place, { isOnlyMachine: true });
  presence.enter('own');
  const { child, opened } = sessionsElsewhere(place, ['other']);
  expect(await opened).toBe('opened');
  expect(['own', 'other'].map((session) => presence.hasDied(session))).toEqual([false, false]);
  await end(child);
  expect(['own', 'other'].map((session) => presence.hasDied(session))).toEqual([false, true]);
  expect(readdirSync(place)).toEqual(['own.lock']);
  presence.leave('own');
  expect(readdirSync(place)).toEqual([]);
});

test('a session that was seen dead stays dead, and one without a lock is so where no other machine can have it', async () => {
  const place = folder.file('sessions');
  const presence = folderPresence(place, { isOnlyMachine: false });
  const { child, opened } = sessionsElsewhere(place, ['other']);
  await opened;
  expect(presence.hasDied('other')).toBe(false);
  await end(child);
  expect([presence.hasDied('other'), presence.hasDied('other'), presence.hasDied('elsewhere')]).toEqual([
    true,
    true,
    false,
  ]);
  expect(folderPresence(place, { isOnlyMachine: true }).hasDied('elsewhere')).toBe(true);
});

test('what is hidden from other processes is judged by where they can be', () => {
  const alone = hiddenPresence({ isOnlyMachine: true });
  alone.enter('own');
  expect([alone.hasDied('own'), alone.hasDied('other')]).toEqual([false, true]);
  expect(hiddenPresence({ isOnlyMachine: false }).hasDied('other')).toBe(false);
});

test('locks on a file system that machines share prove nothing about the processes of another one', async () => {
  const [nfs, ext4] = [0x6969, 0xef53];
  const died = async (place: string, type: number): Promise<boolean> => {
    const { child, opened } = sessionsElsewhere(place, ['other']);
    await opened;
    await end(child);
    return openPresence(place, { isOnlyMachine: false }, () => type).hasDied('other');
  };
  expect(await died(folder.file('local'), ext4)).toBe(true);
  expect(await died(folder.file('shared'), nfs)).toBe(false);
  expect(openPresence(null, { isOnlyMachine: false }).hasDied('other')).toBe(false);
});

test('sessions that open while others look are never taken for dead', async () => {
  const place = folder.file('sessions');
  const presence = folderPresence(place, { isOnlyMachine: true });
  const started = ['a', 'b'].map((prefix) => sessionsElsewhere(place, idsOf(prefix, 150)));
  let isOpening = true;
  const opened = Promise.all(started.map(({ opened: said }) => said)).finally(() => (isOpening = false));
  while (isOpening) {
    liveSessions(place);
    await turn();
  }
  expect(await opened).toEqual(['opened', 'opened']);
  const all = [...idsOf('a', 150), ...idsOf('b', 150)].sort();
  expect([...liveSessions(place)].sort()).toEqual(all);
  expect(all.filter((session) => presence.hasDied(session))).toEqual([]);
});

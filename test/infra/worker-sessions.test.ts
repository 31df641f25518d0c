import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLockedSession } from '../../infra/worker-sessions.ts';
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
  const script = `const { openLockedSession } = await import(${JSON.stringify(module)});
    globalThis.sessions = ${JSON.stringify(ids)}.map((id) => openLockedSession(${JSON.stringify(place)}, id));
    console.log('opened');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return { child, opened: once(child.stdout, 'data').then(([said]) => String(said).trim()) };
}

const idsOf = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${prefix}-${n}`);

test('a session of another process is alive until that process is killed, and then leaves no file', async () => {
  const place = folder.file('sessions');
  const own = openLockedSession(place, 'own');
  const { child, opened } = sessionsElsewhere(place, ['other']);
  expect(await opened).toBe('opened');
  expect([...(await own.alive())].sort()).toEqual(['other', 'own']);
  await end(child);
  expect(await own.alive()).toEqual(['own']);
  expect(readdirSync(place)).toEqual(['own.lock']);
  own.close();
  expect(readdirSync(place)).toEqual([]);
});

test('sessions that open while others look are never taken for dead', async () => {
  const place = folder.file('sessions');
  const own = openLockedSession(place, 'own');
  const started = ['a', 'b'].map((prefix) => sessionsElsewhere(place, idsOf(prefix, 150)));
  let isOpening = true;
  const opened = Promise.all(started.map(({ opened: said }) => said)).finally(() => (isOpening = false));
  while (isOpening) {
    await own.alive();
    await turn();
  }
  expect(await opened).toEqual(['opened', 'opened']);
  expect([...(await own.alive())].sort()).toEqual([...idsOf('a', 150), ...idsOf('b', 150), 'own'].sort());
  own.close();
});

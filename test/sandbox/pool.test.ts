/** The pool: how many processes there are, who waits, and what replaces what died. */
import { readFileSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { openSandbox, type SandboxOptions } from '../../infra/sandbox/pool.ts';
import { RatchetError } from '../../src/domain/errors.ts';
import type { Sandbox } from '../../src/ports/sandbox.ts';
import { LIMITS, run, taskStart } from '../support/sandbox-run.ts';

let opened: Sandbox[] = [];
async function open(options: SandboxOptions): Promise<Sandbox> {
  const sandbox = await openSandbox(options);
  opened.push(sandbox);
  return sandbox;
}
afterEach(async () => {
  await Promise.all(opened.map((sandbox) => sandbox.close()));
  opened = [];
});

const NO_OP = '(function () { return 1 })';
/** Globals that survive tell whether two executions shared a context. */
const MARK = 'function main() { const before = globalThis.mark ?? 0; globalThis.mark = before + 1; return before }';

test('the warm processes are there without being asked for, more come when needed and go when idle', async () => {
  const sandbox = await open({ size: 3, warm: 2, idleMs: 20 });
  await vi.waitFor(() => expect(sandbox.idle()).toBe(2));
  const held = await Promise.all([1, 2, 3].map(() => sandbox.open(LIMITS)));
  expect(sandbox.idle()).toBe(0);
  for (const session of held) session.release();
  expect(sandbox.idle()).toBe(3);
  await vi.waitFor(() => expect(sandbox.idle()).toBe(2));
});

test('no more than size run at a time; others wait for their turn', async () => {
  const sandbox = await open({ size: 2, warm: 1 });
  const held = [await sandbox.open(LIMITS), await sandbox.open(LIMITS)];
  let third = false;
  const waiting = sandbox.open(LIMITS).then((session) => {
    third = true;
    return session;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(third).toBe(false);
  held[0]?.release();
  (await waiting).release();
  held[1]?.release();
});

test('a waiting caller may give up', async () => {
  const sandbox = await open({ size: 1 });
  const held = await sandbox.open(LIMITS);
  const stop = new AbortController();
  const waiting = sandbox.open(LIMITS, stop.signal);
  stop.abort(new RatchetError('cancelled', 'no longer needed'));
  await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
  held.release();
  expect((await run(sandbox, NO_OP)).output).toBe(1);
});

test('each execution has a context of its own', async () => {
  const sandbox = await open({ size: 1 });
  for (let n = 0; n < 3; n++) expect((await run(sandbox, MARK)).output).toBe(0);
});

test('a process is replaced after its number of executions', async () => {
  const sandbox = await open({ size: 1, recycleAfter: 2 });
  for (let n = 0; n < 7; n++) expect((await run(sandbox, NO_OP)).output).toBe(1);
});

test('more files than a process keeps compiled run rightly', async () => {
  const sandbox = await open({ size: 1 });
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 40; n++) expect((await run(sandbox, `(function () { return ${n} })`)).output).toBe(n);
  }
});

test('kill ends a turn under way with the given error, and the pool works on', async () => {
  const sandbox = await open({ size: 1 });
  const session = await sandbox.open(LIMITS);
  const turn = session.start(taskStart(sandbox, 'function main() { for (;;); }'), () => {});
  const from = performance.now();
  session.kill(new RatchetError('execution_timeout', 'too slow'));
  await expect(turn).rejects.toMatchObject({ code: 'execution_timeout' });
  expect(performance.now() - from).toBeLessThan(50);
  await expect(session.deliver({ type: 'timer', clock: 0 })).rejects.toMatchObject({ code: 'execution_timeout' });
  session.release();
  expect((await run(sandbox, NO_OP)).output).toBe(1);
});

test('an unfinished execution is dropped on release, in the middle of a blocking call too', async () => {
  const sandbox = await open({ size: 1 });
  for (const code of ['async function main() { await sleep(1) }', 'function main() { sleep(1) }']) {
    const session = await sandbox.open(LIMITS);
    await session.start(taskStart(sandbox, code), () => {});
    session.release();
    session.release();
    expect((await run(sandbox, NO_OP)).output).toBe(1);
  }
});

test('a process that dies by itself is replaced, unless that is switched off', async () => {
  const greedy = 'function main() { const kept = []; for (;;) kept.push(new Array(131072).fill(kept.length)); }';
  const dies = (sandbox: Sandbox) =>
    expect(run(sandbox, greedy)).rejects.toMatchObject({ code: 'memory_limit_exceeded' });
  const replacing = await open({ size: 1 });
  await dies(replacing);
  expect((await run(replacing, NO_OP)).output).toBe(1);
  const sandbox = await open({ size: 2, warm: 1, restart: false });
  await dies(sandbox);
  const held = await sandbox.open(LIMITS);
  held.kill(new RatchetError('execution_timeout', 'ended on purpose, which is no death'));
  expect((await run(sandbox, NO_OP)).output).toBe(1);
  await dies(sandbox);
  await expect(sandbox.open(LIMITS)).rejects.toMatchObject({
    code: 'sandbox_crashed',
    message: expect.stringContaining('workers.restart_on_failure'),
  });
});

test('memory classes get processes of their own, within the size', async () => {
  const sandbox = await open({ size: 1 });
  const code = `function main() { const kept = []; for (let n = 0; n < 110; n++) kept.push(new Array(131072).fill(n)); return kept.length }`;
  await expect(run(sandbox, code, { limits: { memoryMb: 64 } })).rejects.toMatchObject({
    code: 'memory_limit_exceeded',
  });
  expect((await run(sandbox, code, { limits: { memoryMb: 200 } })).output).toBe(110);
});

test('after close nothing is left and nothing can be opened', async () => {
  const sandbox = await open({ size: 2 });
  const session = await sandbox.open(LIMITS);
  const turn = session.start(taskStart(sandbox, 'function main() { for (;;); }'), () => {});
  await Promise.all([expect(turn).rejects.toMatchObject({ code: 'shutting_down' }), sandbox.close()]);
  await expect(sandbox.open(LIMITS)).rejects.toMatchObject({ code: 'shutting_down' });
  expect(childrenOf(process.pid)).toEqual([]);
});

/** Ids of the direct children, without those of the test runner itself (there are none). */
function childrenOf(pid: number): string[] {
  if (process.platform !== 'linux') return [];
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ');
}

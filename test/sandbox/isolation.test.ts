/** Start ways: each one either runs tasks or is refused at once, and at least the weakest works. */
import { expect, test } from 'vitest';
import { childEntry, startCommand, startWays } from '../../infra/sandbox/isolation.ts';
import { prepareCode } from '../../infra/sandbox/prepare.ts';
import { ProcessSession } from '../../infra/sandbox/session.ts';
import { TaskProcess } from '../../infra/sandbox/task-process.ts';
import { LIMITS } from '../support/sandbox-run.ts';

const ways = startWays(process.getuid?.() === 0);

/** What a process started this way made of `6 * 7`, or undefined when it could not be started. */
async function runs(way: (typeof ways)[number]): Promise<string | undefined> {
  const started = new TaskProcess({ way, heapMb: 64, dataKb: null, entry: childEntry() });
  try {
    await started.ready(5000);
  } catch {
    return undefined;
  }
  const session = new ProcessSession(started, LIMITS, () => {});
  const context = { executionId: 'e', taskId: 't', taskVersion: 'v', jobId: 'j', attempt: 1 };
  const code = prepareCode('(function () { return 6 * 7 })', 'a.js');
  const start = { code, input: '{}', context, clock: 0, seed: '00'.repeat(32), style: 'auto' } as const;
  const { status } = await session.start(start, () => {});
  started.kill();
  await started.exited;
  return status.kind === 'returned' ? status.output : status.kind;
}

test.each(ways.map((way) => [way.level, way.wrapper.join(' '), way] as const))(
  'a way of level %s gives a right answer or none: %s',
  async (_level, _wrapper, way) => {
    expect(['42', undefined]).toContain(await runs(way));
  },
);

test('the last way works everywhere', async () => {
  const last = ways.at(-1);
  expect(last).toBeDefined();
  if (last !== undefined) expect(await runs(last)).toBe('42');
});

test('the stronger level comes first', () => {
  if (process.platform === 'linux') expect(ways[0]?.level).toBe('namespaces');
});

test.skipIf(process.platform === 'win32')('memory outside the heap is limited before the process begins', () => {
  const [way] = ways;
  expect(way).toBeDefined();
  if (way === undefined) return;
  const words = startCommand({ way, heapMb: 64, dataKb: 1000, entry: '/x/child.ts' }).flat().join(' ');
  expect(words).toContain('ulimit -d 1000');
  expect(words).toContain('--permission --allow-fs-read=/x/*');
});

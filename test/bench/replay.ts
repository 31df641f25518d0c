/** How quickly what was recorded runs again: steps a second of one long execution, faithful and with other code. */
import { openSandbox } from '../../infra/sandbox/pool.ts';
import { LOCAL_ADMIN } from '../../src/domain/access.ts';
import type { Sandbox } from '../../src/ports/sandbox.ts';
import { openHome } from '../support/server.ts';
import type { Benchmark, BenchSettings, Outcome } from './benchmark.ts';
import { interleaved } from './measure.ts';
import { openCommandPort } from './product.ts';

const STEPS = 1_000;
const CODE = `function main() { let sum = 0; for (let n = 0; n < ${STEPS}; n += 1) sum += hmac('bench', 'data ' + n).length; return sum; }`;
const CHANGED = CODE.replace('return sum', 'return sum + 1');

/** Runs `work` again and again for some milliseconds; answers how many steps that were each second. */
async function stepsPerSecond(ms: number, work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  let steps = 0;
  while (performance.now() - start < ms) {
    await work();
    steps += STEPS;
  }
  return steps / ((performance.now() - start) / 1000);
}

/** The same code with one outcome for every call, straight into a process: no journal, no comparison, nothing recorded. */
async function bareTurns(sandbox: Sandbox): Promise<void> {
  const session = await sandbox.open({
    memoryMb: 128,
    maxOutputBytes: 1_048_576,
    maxLogLines: 100,
    maxLogBytes: 1_048_576,
    maxSteps: 2 * STEPS,
  });
  const context = { executionId: 'e', taskId: 't', taskVersion: '1', jobId: 'e', attempt: 1 };
  const start = { input: '{}', context, clock: 0, seed: '00'.repeat(32), style: 'auto' as const };
  try {
    const outcome = { ok: true, value: 'f'.repeat(64) } as const;
    let turn = await session.start({ ...start, code: sandbox.prepare(CODE, 'bare/main.js') }, () => undefined);
    while (turn.status.kind === 'waiting' && turn.status.blockedOn !== null) {
      turn = await session.deliver({ type: 'outcome', path: turn.status.blockedOn, clock: turn.clock, outcome });
    }
    if (turn.status.kind !== 'returned') throw new Error(`the bare run is ${turn.status.kind}`);
  } finally {
    session.release();
  }
}

async function run({ seconds, rounds }: BenchSettings): Promise<Outcome> {
  using home = openHome();
  await using port = await openCommandPort(home);
  const sandbox = await openSandbox({ size: 1, warm: 1 });
  try {
    await port.task('thousand', CODE);
    const executionId = await port.execute('thousand', {});
    const { replays } = port.app.core;
    const faithful = async (): Promise<void> => {
      const { identical } = await replays.faithful(executionId, null, LOCAL_ADMIN);
      if (!identical) throw new Error('the replay differs');
    };
    const patch = { code: CHANGED, version: null, input: undefined, stubs: [], allowLive: false, saveTest: null };
    const patched = async (): Promise<void> => {
      const asked = { ...patch, executionId, attempt: null, changed: 'block' as const };
      const { counts } = await replays.patched(asked, LOCAL_ADMIN);
      if (counts.reused !== STEPS) throw new Error('the patched replay does not reuse the journal');
    };
    const bare = () => bareTurns(sandbox);
    for (const work of [bare, faithful, patched]) await stepsPerSecond(1_500, work);
    const ms = seconds * 1000;
    const found = await interleaved(rounds, {
      bare: () => stepsPerSecond(ms, bare),
      faithful: () => stepsPerSecond(ms, faithful),
      patched: () => stepsPerSecond(ms, patched),
    });
    const baseline = { name: 'bare turns', value: found.bare };
    return {
      lines: [
        { name: 'replay steps/s, faithful', unit: '/s', value: found.faithful, baseline, limits: [] },
        { name: 'replay steps/s, patched', unit: '/s', value: found.patched, baseline, limits: [] },
      ],
      notes: [
        `one execution of ${STEPS} hmac steps, replayed one time after the other; each replay reads its events and is recorded`,
        'patched: the recorded code is replayed too, to know the calls that it left open, so it makes twice the turns',
        'baseline: the same code in a task process with one outcome for every call',
      ],
    };
  } finally {
    await sandbox.close();
  }
}

export const replay: Benchmark = { name: 'replay', title: 'replays of a long execution', run };

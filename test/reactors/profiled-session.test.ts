/** Sampling a real debugged process: fetched in pieces while the task is busy, and ended with it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDebugSandbox } from '../../infra/sandbox/debug-pool.ts';
import { prepareCode } from '../../infra/sandbox/prepare.ts';
import { CpuProfileBuilder } from '../../src/domain/cpu-profile.ts';
import { cpuFlame } from '../../src/domain/cpu-profile-forms.ts';
import type { DebuggedSession, DebugSandbox } from '../../src/ports/debug-sandbox.ts';
import type { TaskStart } from '../../src/ports/sandbox.ts';
import { ProfiledSession } from '../../src/reactors/profiled-session.ts';
import { CLOCK, LIMITS } from '../support/sandbox-run.ts';
import { eventually } from '../support/server.ts';

let sandbox: DebugSandbox;
beforeAll(() => {
  sandbox = openDebugSandbox({ size: 1, prepare: prepareCode });
});
afterAll(() => sandbox.close());

const startOf = (code: string): TaskStart => ({
  code: sandbox.prepare(code, 'demo/main.js'),
  input: '{}',
  context: { executionId: 'e1', taskId: 't1', taskVersion: 'v1', jobId: 'j1', attempt: 1 },
  clock: CLOCK,
  seed: '07'.repeat(32),
  style: 'auto',
});

/** Counts the commands that the inspector is sent. */
async function open(builder: CpuProfileBuilder) {
  const debugged = await sandbox.open(LIMITS);
  const sent: string[] = [];
  const { inspector } = debugged;
  const counting: DebuggedSession = {
    start: (start, onTelemetry) => debugged.start(start, onTelemetry),
    deliver: (delivery) => debugged.deliver(delivery),
    kill: (error) => debugged.kill(error),
    release: () => debugged.release(),
    pauseAtSteps: (paths) => debugged.pauseAtSteps(paths),
    pauseAtMain: () => debugged.pauseAtMain(),
    inspector: {
      send: (method, params) => {
        sent.push(method);
        return inspector.send(method, params);
      },
      listen: (listener) => inspector.listen(listener),
    },
  };
  return { sent, session: new ProfiledSession(counting, builder, { intervalUs: 200, pieceSamples: 200 }) };
}

const BUSY = `function busy(n) { let sum = 0; for (let i = 0; i < n; i++) sum += Math.sqrt(i) % 7; return sum; }
function main() { return busy(1e8) > 0; }`;

test('what a busy task does is fetched in pieces that are one profile', async () => {
  const builder = new CpuProfileBuilder({ file: 'demo/main.js', waitsIn: 'nextBytes', authored: () => null });
  const { sent, session } = await open(builder);
  const turn = await session.start(startOf(BUSY), () => undefined);
  session.release();
  expect(turn.status).toEqual({ kind: 'returned', output: 'true' });
  expect(sent.filter((method) => method === 'Profiler.stop').length).toBeGreaterThan(2);
  const flame = cpuFlame(builder.build(), 'demo');
  const main = flame.children.find(({ name }) => name.startsWith('main'));
  expect(main?.value).toBeGreaterThan(flame.value * 0.7);
});

test('a task that is killed while it is sampled is over at once', async () => {
  const builder = new CpuProfileBuilder({ file: 'demo/main.js', waitsIn: 'nextBytes', authored: () => null });
  const { sent, session } = await open(builder);
  const turn = session.start(startOf('function main() { for (;;); }'), () => undefined);
  turn.catch(() => undefined);
  await eventually('a piece is fetched from the busy task', () => sent.includes('Profiler.stop') || undefined);
  session.kill(new Error('enough'));
  await expect(turn).rejects.toThrow('enough');
  session.release();
});

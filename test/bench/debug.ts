/** How long somebody waits who debugs what was recorded: until it stands still, and until all is told. */
import { LOCAL_ADMIN } from '../../src/domain/access.ts';
import { openHome } from '../support/server.ts';
import type { Benchmark, BenchSettings, Outcome } from './benchmark.ts';
import { interleaved } from './measure.ts';
import { type CommandPort, openCommandPort } from './product.ts';

const CODE = `function main(input) {
  const sum = hmac('bench', 'data').length;
  return sum;
}`;
const STOP = { line: 3, condition: null, hitCount: 1, step: null };
const LEAST_ROUNDS = 7;
/** So long after a session the next process stands ready. */
const REST_MS = 1_000;

const rest = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, REST_MS));

async function timed(work: () => Promise<unknown>): Promise<number> {
  await rest();
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Until the session stands before the first line of `main`; ending it is not counted. */
async function firstPause({ app }: CommandPort, executionId: string): Promise<number> {
  const { debugging } = app.core;
  let sessionId = '';
  const ms = await timed(async () => {
    const session = await debugging.open({ executionId, attempt: null, breakpoints: [] }, LOCAL_ADMIN);
    if (session.state !== 'paused') throw new Error(`the session is ${session.state}`);
    sessionId = session.sessionId;
  });
  await debugging.close(sessionId, LOCAL_ADMIN);
  return ms;
}

function oneStop({ app }: CommandPort, executionId: string): Promise<number> {
  const request = {
    executionId,
    attempt: null,
    breakpoints: [STOP],
    exceptions: 'none' as const,
    stepMode: false,
    watches: ['sum + 1'],
    captureVariables: true,
    maxHits: 20,
    keep: 'first' as const,
    timeoutMs: 30_000,
  };
  return timed(async () => {
    const { hits } = await app.core.debugging.once(request, LOCAL_ADMIN);
    if (hits.length !== 1) throw new Error(`it stopped ${hits.length} times`);
  });
}

async function run({ rounds }: BenchSettings): Promise<Outcome> {
  using home = openHome();
  await using port = await openCommandPort(home);
  await port.task('debugged', CODE);
  const executionId = await port.execute('debugged', {});
  await oneStop(port, executionId);
  const found = await interleaved(Math.max(LEAST_ROUNDS, rounds), {
    replay: () => timed(() => port.app.core.replays.faithful(executionId, null, LOCAL_ADMIN)),
    pause: () => firstPause(port, executionId),
    once: () => oneStop(port, executionId),
  });
  const baseline = { name: 'faithful replay', value: found.replay };
  return {
    lines: [
      { name: 'debug to first pause, warm', unit: 'ms', value: found.pause, baseline, limits: [] },
      { name: 'debug in one call, one stop with variables, warm', unit: 'ms', value: found.once, baseline, limits: [] },
    ],
    notes: [
      'one execution of one step; each replay reads its events and is recorded; a process that was debugged is not used again, so the next one is waited for, not counted',
    ],
  };
}

export const debug: Benchmark = { name: 'debug', title: 'debugging what was recorded', run };

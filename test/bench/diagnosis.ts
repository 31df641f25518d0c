/** How long it takes to say why an execution of 50 steps failed, without and with the variables at its failing line. */
import { LOCAL_ADMIN } from '../../src/domain/access.ts';
import { OPERATIONS } from '../../src/interfaces/operations.ts';
import { CALLER } from '../support/app.ts';
import { startHttpApi } from '../support/http-api.ts';
import { openHome } from '../support/server.ts';
import type { Benchmark, BenchSettings, Outcome } from './benchmark.ts';
import { interleaved } from './measure.ts';
import { type CommandPort, openCommandPort } from './product.ts';

const STEPS = 50;
/** Analyses of one round. */
const TIMES = 5;
const CODE = `async function main({ url, from }) {
  let last = null;
  for (let n = 0; n < ${STEPS}; n += 1) {
    const response = await fetch(url + '/json?n=' + n);
    last = await response.json();
  }
  if (from === 'nowhere') return last.nothing.there;
  return last;
}`;

async function run({ rounds }: BenchSettings): Promise<Outcome> {
  using home = openHome();
  const api = await startHttpApi();
  try {
    await using port = await openCommandPort(home);
    return await measured(port, api.url, rounds);
  } finally {
    await api.close();
  }
}

async function measured(port: CommandPort, url: string, rounds: number): Promise<Outcome> {
  await port.task('fifty', CODE);
  await port.execute('fifty', { url, from: 'here' });
  const executionId = await failed(port, { url, from: 'nowhere' });
  await port.settled();
  const { diagnosis: asked, replays } = port.app.core;
  const analyze = (includeContext: boolean) => () =>
    mean(() => asked.analyze({ executionId, attempt: null, includeSuggestions: true, includeContext }, LOCAL_ADMIN));
  await analyze(true)();
  const found = await interleaved(rounds, {
    replay: () => mean(() => replays.faithful(executionId, null, LOCAL_ADMIN)),
    analysis: analyze(false),
    variables: analyze(true),
  });
  const baseline = { name: 'faithful replay', value: found.replay };
  return {
    lines: [
      { name: 'from the events alone', unit: 'ms', value: found.analysis, baseline, limits: [] },
      { name: 'with variables by the debugger', unit: 'ms', value: found.variables, baseline, limits: [] },
    ],
    notes: [
      `one execution of ${STEPS} HTTP steps that fails on its last line, one that completed before; mean of ${TIMES} a round`,
    ],
  };
}

async function failed({ app }: CommandPort, input: object): Promise<string> {
  const execute = OPERATIONS.find(({ name }) => name === 'execute_task');
  const answer = await execute?.run(app.core, { task_id: 'fifty', input }, CALLER);
  if (typeof answer !== 'object' || answer === null || !('status' in answer) || answer.status !== 'failed') {
    throw new Error(`fifty did not fail: ${JSON.stringify(answer)}`);
  }
  return 'execution_id' in answer ? String(answer.execution_id) : '';
}

async function mean(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  for (let time = 0; time < TIMES; time += 1) await work();
  return (performance.now() - start) / TIMES;
}

export const diagnosis: Benchmark = { name: 'diagnosis', title: 'why an execution of 50 steps failed', run };

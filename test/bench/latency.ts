/** How soon a task starts and ends at a steady pace, from the moment its request should have been sent. */
import { openHome } from '../support/server.ts';
import type { Benchmark, BenchSettings, Line, Outcome } from './benchmark.ts';
import { startBareRoute, startLoad } from './load.ts';
import { percentile, spread } from './measure.ts';
import { startProduct } from './product.ts';

const PER_SECOND = 200;
const CONNECTIONS = 64;

type Sorted = readonly number[];

async function run({ seconds, rounds }: BenchSettings): Promise<Outcome> {
  using home = openHome();
  await using load = await startLoad();
  await using product = await startProduct(home);
  await using bare = await startBareRoute('{"status":"completed"}');
  await product.task('call-first', 'async function main({ url }) { await fetch(url); return null; }');
  const pace = { connections: CONNECTIONS, perSecond: PER_SECOND };
  const task = {
    ...pace,
    url: product.url,
    method: 'POST',
    path: '/api/v1/tasks/execute',
    task: 'call-first',
  } as const;
  const ping = { ...pace, url: bare.url, method: 'GET', path: '/', task: null } as const;
  await load.open({ ...task, ms: 3_000 });
  await load.open({ ...ping, ms: 500 });
  const found: { starts: Sorted; ends: Sorted; pings: Sorted }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const { ends: pings } = await load.open({ ...ping, ms: seconds * 1000 });
    const { starts, ends } = await load.open({ ...task, ms: seconds * 1000 });
    found.push({ starts, ends, pings });
  }
  const line = (name: string, of: 'starts' | 'ends', share: number, limits: Line['limits']): Line => {
    const at = (key: 'starts' | 'ends' | 'pings') => spread(found.map((round) => percentile(round[key], share)));
    return { name, unit: 'ms', value: at(of), baseline: { name: 'bare route', value: at('pings') }, limits };
  };
  return {
    lines: [
      line('start p50', 'starts', 0.5, [{ of: 'value', floor: 2, goal: 1 }]),
      line('start p99', 'starts', 0.99, [{ of: 'value', floor: 10, goal: 8 }]),
      line('end to end p50', 'ends', 0.5, []),
      line('end to end p99', 'ends', 0.99, []),
    ],
    notes: [
      `open loop over REST, ${PER_SECOND}/s, ${rounds} rounds of ${seconds * PER_SECOND}; all times count from the intended send time`,
      'start: the first line of the task is a fetch; its arrival at a loopback server in the process that sent the request is taken, so the way out is part of it',
      'baseline: a route that only answers, asked at the same pace from the same process',
    ],
  };
}

export const latency: Benchmark = { name: 'latency', title: `start and end of tasks at ${PER_SECOND}/s`, run };

/** Reads over REST against a route with the same plugins that only answers the same body. */
import { call, openHome } from '../support/server.ts';
import type { Benchmark, BenchSettings, Line, Outcome } from './benchmark.ts';
import { startBareRoute, startLoad } from './load.ts';
import { interleaved } from './measure.ts';
import { startProduct } from './product.ts';

const CONNECTIONS = 64;

async function run({ seconds, rounds }: BenchSettings): Promise<Outcome> {
  using home = openHome();
  await using load = await startLoad();
  await using product = await startProduct(home);
  await product.task('no-op', 'function main() { return null; }');
  const executed = await call(product.url, 'POST', '/api/v1/tasks/execute', { task_id: 'no-op', input: {} });
  await product.settled();
  const path = `/api/v1/executions/${String(executed.body['execution_id'])}`;
  const { body } = await call(product.url, 'GET', path);
  await using bare = await startBareRoute(JSON.stringify(body));

  const read = (url: string, at: string, ms: number): Promise<number> =>
    load.closed({ url, method: 'GET', path: at, body: null, connections: CONNECTIONS, ms });
  for (const [url, at] of [
    [product.url, path],
    [product.url, '/health'],
    [bare.url, path],
  ] as const) {
    await read(url, at, 1_500);
  }
  const ms = seconds * 1000;
  const found = await interleaved(rounds, {
    bare: () => read(bare.url, path, ms),
    execution: () => read(product.url, path, ms),
    health: () => read(product.url, '/health', ms),
  });
  const baseline = { name: 'bare route', value: found.bare };
  const limits: Line['limits'] = [
    { of: 'ratio', floor: 0.6, goal: 0.75 },
    { of: 'value', floor: 10_000, goal: 15_000 },
  ];
  return {
    lines: [
      { name: 'an execution by its id', unit: '/s', value: found.execution, baseline, limits },
      { name: '/health', unit: '/s', value: found.health, baseline, limits: [] },
    ],
    notes: [
      `${CONNECTIONS} keep-alive connections from a process of its own on the same processors`,
      'baseline: fastify with the hooks, parsers and correlation ids of the product, answering the same body from memory',
    ],
  };
}

export const restRead: Benchmark = { name: 'rest-read', title: 'reads over REST', run };

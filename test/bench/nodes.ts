/** Executions a second on one PostgreSQL, asked for over REST at one, two and three nodes. */
import { type Home, openHome } from '../support/server.ts';
import { startPostgres } from '../support/postgres.ts';
import { bareCommits } from './append-postgres.ts';
import type { Benchmark, BenchSettings, Limit, Line, Outcome } from './benchmark.ts';
import { type LoadProcess, startLoad } from './load.ts';
import { spread } from './measure.ts';
import { type Product, startProduct } from './product.ts';

const NODES = [1, 2, 3] as const;
/** Over all nodes together. */
const IN_FLIGHT = 66;
const WARM_UP_MS = 2_000;

const WORKLOADS = [
  { name: 'no-op', task: 'no-op', code: 'function main() { return null; }', floor: 1_200, goal: 1_700 },
  {
    name: '3 HTTP steps',
    task: 'three-calls',
    code: 'async function main({ url }) { for (let n = 0; n < 3; n += 1) await fetch(url); return null; }',
    floor: 600,
    goal: 1_000,
  },
] as const;

interface Cluster extends AsyncDisposable {
  /** Executions a second of all nodes together. */
  rate(task: string, ms: number): Promise<number>;
  settled(): Promise<void>;
}

async function startCluster(url: string, count: number): Promise<Cluster> {
  await using started = new AsyncDisposableStack();
  const nodes: { product: Product; load: LoadProcess }[] = [];
  for (let node = 0; node < count; node += 1) {
    const home: Home = started.use(openHome());
    const product = started.use(await startProduct(home, { database: url }));
    nodes.push({ product, load: started.use(await startLoad()) });
  }
  const owned = started.move();
  return {
    rate: async (task, ms) => {
      const rates = nodes.map(({ product, load }) =>
        load.closed({
          url: product.url,
          method: 'POST',
          path: '/api/v1/tasks/execute',
          body: JSON.stringify({ task_id: task, input: { url: load.url } }),
          connections: IN_FLIGHT / count,
          ms,
        }),
      );
      return (await Promise.all(rates)).reduce((sum, rate) => sum + rate, 0);
    },
    settled: async () => {
      await Promise.all(nodes.map(({ product }) => product.settled()));
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function makeTasks(url: string): Promise<void> {
  using home = openHome();
  await using product = await startProduct(home, { database: url });
  for (const { task, code } of WORKLOADS) await product.task(task, code);
}

async function run({ seconds, rounds }: BenchSettings): Promise<Outcome> {
  const server = await startPostgres({ durable: true });
  try {
    const lines: Line[] = [];
    for (const count of NODES) {
      const url = await server.newDatabase();
      const bare = await server.newDatabase();
      await makeTasks(url);
      await using cluster = await startCluster(url, count);
      const found = WORKLOADS.map((workload) => ({ workload, rates: [] as number[] }));
      const commits: number[] = [];
      for (const { task } of WORKLOADS) await cluster.rate(task, WARM_UP_MS);
      for (let round = 0; round < rounds; round += 1) {
        commits.push(await bareCommits(bare, 500));
        for (const { workload, rates } of found) {
          rates.push(await cluster.rate(workload.task, seconds * 1000));
          await cluster.settled();
        }
      }
      const baseline = { name: 'bare commits of one event', value: spread(commits) };
      for (const { workload, rates } of found) {
        const limits: Limit[] = [{ of: 'value', floor: workload.floor, goal: workload.goal }];
        const name = `${workload.name}, ${count} node${count === 1 ? '' : 's'}`;
        lines.push({ name, unit: '/s', value: spread(rates), baseline, limits: count === 1 ? limits : [] });
      }
    }
    const notes = [
      `${IN_FLIGHT} in flight over all nodes, answered when completed; a new database for each number of nodes; fsync on`,
      'nodes, PostgreSQL, the processes that make the load and the loopback API they play share the processors of the machine: more nodes add no processor here',
    ];
    return { lines, notes };
  } finally {
    await server.close();
  }
}

export const nodes: Benchmark = {
  name: 'nodes',
  title: 'executions, all recorded, PostgreSQL, on 1, 2 and 3 nodes',
  run,
};

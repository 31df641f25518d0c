/** Executions a second, with real sandbox and everything recorded, through the command port and over REST. */
import { constants, createContext, Script } from 'node:vm';
import { openHome } from '../support/server.ts';
import { bareAppends } from './append.ts';
import type { Benchmark, BenchSettings, Limit, Line, Outcome, Shares } from './benchmark.ts';
import { type LoadProcess, startLoad } from './load.ts';
import { closedLoop, type Spread, spread } from './measure.ts';
import { ProcessorMeter } from './processor-time.ts';
import { openCommandPort, startProduct } from './product.ts';

const IN_FLIGHT = 64;
const WARM_UP_MS = 3_000;

interface Workload {
  readonly name: string;
  readonly task: string;
  readonly code: string;
  readonly limits: { readonly port: readonly Limit[]; readonly rest: readonly Limit[] };
}

const limit = (floor: number, goal: number): Limit[] => [{ of: 'value', floor, goal }];

const WORKLOADS: readonly Workload[] = [
  {
    name: 'no-op',
    task: 'no-op',
    code: 'function main() { return null; }',
    limits: { port: limit(1_800, 2_500), rest: limit(1_200, 2_500) },
  },
  {
    name: '3 HTTP steps',
    task: 'three-calls',
    code: 'async function main({ url }) { for (let n = 0; n < 3; n += 1) await fetch(url); return null; }',
    limits: { port: limit(800, 1_200), rest: [] },
  },
  {
    name: '3 steps without network (hmac)',
    task: 'three-signatures',
    code: 'function main() { for (let n = 0; n < 3; n += 1) hmac("bench", "data " + n); return null; }',
    limits: { port: limit(800, 1_200), rest: [] },
  },
];

/** Budgets of design: context alone, append and projection by event (a no-op stores four), HTTP on the main thread. */
const NO_OP_BUDGETS = { context: 250, append: 60, projection: 80 };

/** One way into the product. */
interface Way {
  readonly name: 'command port' | 'REST';
  readonly pid: number;
  /** Child processes that are not part of the product. */
  readonly except: readonly number[];
  task(name: string, code: string): Promise<void>;
  rate(workload: Workload, ms: number): Promise<number>;
  settled(): Promise<void>;
}

async function run(settings: BenchSettings): Promise<Outcome> {
  await using load = await startLoad();
  const port = await throughPort(settings, load);
  const rest = await throughRest(settings, load);
  return {
    lines: [...port.lines, ...rest.lines],
    shares: [...port.shares, ...rest.shares],
    notes: [
      `${IN_FLIGHT} in flight, answered when completed; real processes with namespaces where there are some; log and read models in files`,
      'yardstick: commits of one event in a bare loop between the rounds; a step waits for one, so steps can not be quicker than the disk',
      'baseline: fresh empty V8 contexts made one after the other in one thread, the machine’s own limit for one task process',
      'the load and the loopback API run in a process of their own on the same processors, and are in no share; at the command port the main thread also drives the load',
      'other: garbage collection, compilation and file threads of the server; context: the processes of the tasks',
    ],
  };
}

async function throughPort(settings: BenchSettings, load: LoadProcess) {
  using home = openHome();
  await using port = await openCommandPort(home);
  return await measured(settings, {
    name: 'command port',
    pid: process.pid,
    except: [load.pid],
    task: port.task,
    rate: ({ task }, ms) => closedLoop(IN_FLIGHT, ms, () => port.execute(task, { url: load.url })),
    settled: port.settled,
  });
}

async function throughRest(settings: BenchSettings, load: LoadProcess) {
  using home = openHome();
  await using product = await startProduct(home);
  const request = { url: product.url, method: 'POST', path: '/api/v1/tasks/execute', connections: IN_FLIGHT } as const;
  return await measured(settings, {
    name: 'REST',
    pid: product.pid,
    except: [],
    task: product.task,
    rate: ({ task }, ms) =>
      load.closed({ ...request, ms, body: JSON.stringify({ task_id: task, input: { url: load.url } }) }),
    settled: product.settled,
  });
}

async function measured({ seconds, rounds }: BenchSettings, way: Way): Promise<{ lines: Line[]; shares: Shares[] }> {
  for (const workload of WORKLOADS) await way.task(workload.task, workload.code);
  for (const workload of WORKLOADS) await way.rate(workload, WARM_UP_MS / WORKLOADS.length);
  const contexts: number[] = [];
  const commits: number[] = [];
  const found = WORKLOADS.map((workload) => ({ workload, rates: [] as number[], stages: [] as Stages[] }));
  for (let round = 0; round < rounds; round += 1) {
    contexts.push(freshContexts(500));
    commits.push(bareAppends(1, 500));
    for (const { workload, rates, stages } of found) {
      const meter = new ProcessorMeter(way.pid, way.except);
      const rate = await way.rate(workload, seconds * 1000);
      await way.settled();
      rates.push(rate);
      stages.push(perUnit(meter.stop().micros, rate * seconds));
    }
  }
  const baseline = { name: 'empty contexts', value: spread(contexts) };
  const lines = found.map(({ workload, rates }): Line => {
    const limits = way.name === 'REST' ? workload.limits.rest : workload.limits.port;
    return { name: `${workload.name}, ${way.name}`, unit: '/s', value: spread(rates), baseline, limits };
  });
  lines.push({
    name: `yardstick: bare durable commits, ${way.name}`,
    unit: '/s',
    value: spread(commits),
    baseline: null,
    limits: [],
  });
  const shares = found.map(({ workload, stages }): Shares => {
    const budgets = workload.task === 'no-op' ? NO_OP_BUDGETS : {};
    return { name: `for one execution, ${workload.name}, ${way.name}`, micros: medians(stages), budgets };
  });
  return { lines, shares };
}

type Stages = Readonly<Record<string, number>>;

function perUnit(micros: Stages, units: number): Stages {
  return Object.fromEntries(Object.entries(micros).map(([stage, used]) => [stage, used / units]));
}

function medians(rounds: readonly Stages[]): Stages {
  const of = (stage: string): Spread => spread(rounds.map((round) => round[stage] ?? 0));
  return Object.fromEntries(Object.keys(rounds[0] ?? {}).map((stage) => [stage, of(stage).median]));
}

function freshContexts(ms: number): number {
  const script = new Script('1');
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < ms) {
    script.runInContext(createContext(constants.DONT_CONTEXTIFY));
    count += 1;
  }
  return count / ((performance.now() - start) / 1000);
}

export const executions: Benchmark = { name: 'executions', title: 'executions, all recorded, SQLite', run };

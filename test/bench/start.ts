/** How long people wait for the first sign of life, and what an idle server weighs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { environment, openHome, ratchet, startServerProcess } from '../support/server.ts';
import type { BenchSettings, Benchmark, Outcome } from './benchmark.ts';
import { startBareRoute } from './load.ts';
import { interleaved } from './measure.ts';
import { memoryOf } from './processor-time.ts';

const LEAST_ROUNDS = 5;
/** So long after the start a server is idle. */
const REST_MS = 2_000;

async function emptyNode(): Promise<number> {
  const start = performance.now();
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit');
  return performance.now() - start;
}

async function serverReady(): Promise<number> {
  using home = openHome();
  const start = performance.now();
  await using _server = await startServerProcess(home);
  return performance.now() - start;
}

async function runOnce(): Promise<number> {
  using home = openHome();
  home.file('trivial/metadata.json', JSON.stringify({ name: 'trivial', version: '1.0.0' }));
  home.file('trivial/main.js', 'function main() { return 1; }');
  const start = performance.now();
  const { code, stderr } = await ratchet(home, ['run-once', '--from-fs', `${home.folder}/trivial`], {
    env: environment(home),
  });
  if (code !== 0) throw new Error(`run-once ended with ${code}: ${stderr}`);
  return performance.now() - start;
}

const rest = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, REST_MS));

async function idleServer(): Promise<number> {
  using home = openHome();
  await using server = await startServerProcess(home);
  await rest();
  return memoryOf(server.pid);
}

async function idleRoute(): Promise<number> {
  await using bare = await startBareRoute('{}');
  await rest();
  return memoryOf(bare.pid);
}

async function run({ rounds }: BenchSettings): Promise<Outcome> {
  await serverReady();
  await runOnce();
  const times = await interleaved(Math.max(LEAST_ROUNDS, rounds), {
    node: emptyNode,
    server: serverReady,
    once: runOnce,
  });
  const sizes = await interleaved(rounds, { route: idleRoute, server: idleServer });
  const node = { name: 'node -e 0', value: times.node };
  return {
    lines: [
      {
        name: 'server ready',
        unit: 'ms',
        value: times.server,
        baseline: node,
        limits: [{ of: 'value', floor: 1_000, goal: 500 }],
      },
      {
        name: 'run-once of a trivial task',
        unit: 'ms',
        value: times.once,
        baseline: node,
        limits: [{ of: 'value', floor: 500, goal: 250 }],
      },
      {
        name: 'idle server, 2 warm task processes',
        unit: 'MB',
        value: sizes.server,
        baseline: { name: 'bare route', value: sizes.route },
        limits: [{ of: 'value', floor: 300, goal: 150 }],
      },
    ],
    notes: [
      'from the sources, each start in an empty folder; the memory is the proportional set size of the server and all below it, 2 s after the start',
    ],
  };
}

export const start: Benchmark = { name: 'start', title: 'start and idle weight', run };

/** How long people wait for the first sign of life, and what an idle server weighs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { environment, openHome, startServerProcess } from '../support/server.ts';
import type { Benchmark, BenchSettings, Outcome } from './benchmark.ts';
import { startBareRoute } from './load.ts';
import { interleaved } from './measure.ts';
import { memoryOf } from './processor-time.ts';

const path = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url));
const SOURCES = path('src/main.ts');
const PACKAGE = path('dist/main.js');
const BUILD = path('infra/deploy/build.ts');

const LEAST_ROUNDS = 5;
/** So long after the start a server is idle. */
const REST_MS = 2_000;

async function emptyNode(): Promise<number> {
  const start = performance.now();
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit');
  return performance.now() - start;
}

/** Starts a server and waits until it says so; answers the milliseconds, after it has been ended again. */
async function serverReady(entry: string): Promise<number> {
  using home = openHome();
  const config = home.file('config.yaml', 'database:\n  url: "sqlite:ratchet.db"\nserver:\n  host: 127.0.0.1\n');
  const start = performance.now();
  const child = spawn(process.execPath, [entry, 'serve', '--config', config, '--port', '0'], {
    cwd: home.folder,
    env: environment(home),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  let said = '';
  for await (const text of child.stderr.setEncoding('utf8')) {
    said += String(text);
    if (said.includes('Ratchet is ready')) break;
  }
  const ms = performance.now() - start;
  child.kill('SIGKILL');
  await ended;
  if (!said.includes('Ratchet is ready')) throw new Error(`the server did not start: ${said}`);
  return ms;
}

async function runOnce(entry: string): Promise<number> {
  using home = openHome();
  home.file('trivial/metadata.json', JSON.stringify({ name: 'trivial', version: '1.0.0' }));
  home.file('trivial/main.js', 'function main() { return 1; }');
  const start = performance.now();
  const child = spawn(process.execPath, [entry, 'run-once', '--from-fs', `${home.folder}/trivial`], {
    cwd: home.folder,
    env: environment(home),
    stdio: 'ignore',
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`run-once ended with ${code}`);
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
  if (!existsSync(PACKAGE)) await once(spawn(process.execPath, [BUILD], { stdio: 'inherit' }), 'exit');
  for (const entry of [PACKAGE, SOURCES]) {
    await serverReady(entry);
    await runOnce(entry);
  }
  const times = await interleaved(Math.max(LEAST_ROUNDS, rounds), {
    node: emptyNode,
    server: () => serverReady(PACKAGE),
    once: () => runOnce(PACKAGE),
    sourceServer: () => serverReady(SOURCES),
    sourceOnce: () => runOnce(SOURCES),
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
      { name: 'server ready, from the sources', unit: 'ms', value: times.sourceServer, baseline: node, limits: [] },
      { name: 'run-once, from the sources', unit: 'ms', value: times.sourceOnce, baseline: node, limits: [] },
      {
        name: 'idle server, 2 warm task processes',
        unit: 'MB',
        value: sizes.server,
        baseline: { name: 'bare route', value: sizes.route },
        limits: [{ of: 'value', floor: 300, goal: 150 }],
      },
    ],
    notes: [
      'the package is what `npm run build` last put into dist (built now where there is none); the sources are stripped of their types at each start',
      'each start in an empty folder; the memory, from the sources, is the proportional set size of the server and all below it, 2 s after the start',
    ],
  };
}

export const start: Benchmark = { name: 'start', title: 'start and idle weight', run };

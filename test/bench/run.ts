/** `npm run bench`: runs benchmarks one after the other, prints a table each, and writes all numbers as JSON. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { append } from './append.ts';
import { appendPostgres } from './append-postgres.ts';
import { type Benchmark, type Line, ratioOf, verdictOf } from './benchmark.ts';
import { catchUp } from './catch-up.ts';
import { catchUpPostgres } from './catch-up-postgres.ts';
import { debug } from './debug.ts';
import { diagnosis } from './diagnosis.ts';
import { eventStoreDb } from './eventstoredb.ts';
import { executions } from './executions.ts';
import { graphqlLive } from './graphql-live.ts';
import { latency } from './latency.ts';
import { load, machine } from './machine.ts';
import { mcp } from './mcp.ts';
import { nodes } from './nodes.ts';
import { recovery } from './recovery.ts';
import { replay } from './replay.ts';
import { tableOf } from './report.ts';
import { restRead } from './rest-read.ts';
import { start } from './start.ts';

const BENCHMARKS: readonly Benchmark[] = [
  append,
  appendPostgres,
  catchUp,
  catchUpPostgres,
  debug,
  diagnosis,
  eventStoreDb,
  executions,
  graphqlLive,
  latency,
  mcp,
  nodes,
  recovery,
  replay,
  restRead,
  start,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'string', default: 'bench-results.json' },
    quiet: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const names = BENCHMARKS.map(({ name }) => name);
const unknown = positionals.filter((name) => !names.includes(name));
if (values.help || unknown.length > 0) {
  if (unknown.length > 0) console.error(`There is no benchmark ${unknown.join(', ')}.`);
  console.error(`npm run bench -- [${names.join(' | ')}]… [--seconds 3] [--rounds 3] [--json bench-results.json]`);
  process.exit(values.help ? 0 : 2);
}
const settings = { seconds: Number(values.seconds), rounds: Math.max(3, Number(values.rounds)) };

const here = machine();
const chosen = BENCHMARKS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));

function stored(line: Line) {
  const limits = line.limits.map((limit) => ({ ...limit, verdict: verdictOf(line, limit) }));
  return { ...line, ratio: ratioOf(line), limits };
}

async function measured(benchmark: Benchmark): Promise<unknown> {
  const before = load();
  const outcome = await benchmark.run(settings);
  const loads = { before, after: load() };
  console.log(tableOf(benchmark, outcome));
  console.log(`  load average ${loads.before.toFixed(2)} before, ${loads.after.toFixed(2)} after\n`);
  return { name: benchmark.name, load: loads, ...outcome, lines: outcome.lines.map(stored) };
}

/** In a process of its own, so that what one leaves behind on the heap does not slow the next. */
function measuredApart({ name }: Benchmark): unknown[] {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-bench-'));
  const json = join(folder, 'results.json');
  const args = [name, '--quiet', '--seconds', values.seconds, '--rounds', values.rounds, '--json', json];
  try {
    const { status } = spawnSync(process.execPath, [import.meta.filename, ...args], { stdio: 'inherit' });
    if (status !== 0) process.exitCode = 1;
    return status === 0 ? JSON.parse(readFileSync(json, 'utf8')).results : [];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (!values.quiet) {
  console.log(`${here.processors} × ${here.model}, ${here.memoryMb} MB, ${here.platform}, Node ${here.node}, SQLite ${here.sqlite}
${settings.rounds} rounds of ${settings.seconds} s each, value and baseline in turn; load average now ${load().toFixed(2)}\n`);
}
const [only] = chosen;
const results =
  chosen.length === 1 && only !== undefined ? [await measured(only)] : chosen.flatMap((one) => measuredApart(one));
const at = new Date().toISOString();
writeFileSync(values.json, `${JSON.stringify({ at, machine: here, settings, results }, null, 2)}\n`);
if (!values.quiet) console.log(`written to ${values.json}`);

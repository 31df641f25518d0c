/** `npm run bench`: runs benchmarks one after the other, prints a table each, and writes all numbers as JSON. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { append } from './append.ts';
import { type Benchmark, type Line, ratioOf, verdictOf } from './benchmark.ts';
import { catchUp } from './catch-up.ts';
import { executions } from './executions.ts';
import { latency } from './latency.ts';
import { load, machine } from './machine.ts';
import { tableOf } from './report.ts';
import { restRead } from './rest-read.ts';
import { start } from './start.ts';

const BENCHMARKS: readonly Benchmark[] = [append, catchUp, executions, latency, restRead, start];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'string', default: 'bench-results.json' },
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

function stored(line: Line) {
  const limits = line.limits.map((limit) => ({ ...limit, verdict: verdictOf(line, limit) }));
  return { ...line, ratio: ratioOf(line), limits };
}

const here = machine();
const results: object[] = [];
console.log(`${here.processors} × ${here.model}, ${here.memoryMb} MB, ${here.platform}, Node ${here.node}, SQLite ${here.sqlite}
${settings.rounds} rounds of ${settings.seconds} s each, value and baseline in turn; load average now ${load().toFixed(2)}\n`);
for (const benchmark of BENCHMARKS) {
  if (positionals.length > 0 && !positionals.includes(benchmark.name)) continue;
  const before = load();
  const outcome = await benchmark.run(settings);
  const loads = { before, after: load() };
  console.log(tableOf(benchmark, outcome));
  console.log(`  load average ${loads.before.toFixed(2)} before, ${loads.after.toFixed(2)} after\n`);
  results.push({ name: benchmark.name, load: loads, ...outcome, lines: outcome.lines.map(stored) });
}
const at = new Date().toISOString();
writeFileSync(values.json, `${JSON.stringify({ at, machine: here, settings, results }, null, 2)}\n`);
console.log(`written to ${values.json}`);

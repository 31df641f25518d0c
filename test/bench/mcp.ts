/** Calls of a reading tool over MCP, in both eras and over each transport, against a server of the bare library with the same clients. */
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport, type Transport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { call, environment, type Home, openHome } from '../support/server.ts';
import type { Benchmark, BenchSettings, Line, Outcome, Shares } from './benchmark.ts';
import { startBareMcp } from './load.ts';
import { closedLoop, interleaved, spread } from './measure.ts';
import { memoryOfOne, ProcessorMeter } from './processor-time.ts';
import { type Product, startProduct } from './product.ts';

const WAITING = 200;
const IN_FLIGHT = 16;
/** So long after the last answer a server has put away what it needed for it. */
const REST_MS = 2_000;
const LIMITS: Line['limits'] = [{ of: 'ratio', floor: 1.5, goal: 1.2 }];

const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

type Era = 'legacy' | 'modern';

async function connected(transport: Transport, era: Era): Promise<Client> {
  const mode = era === 'modern' ? { pin: '2026-07-28' } : 'legacy';
  const client = new Client({ name: 'bench', version: '1' }, { versionNegotiation: { mode } });
  await client.connect(transport);
  return client;
}

const overHttp = (url: string, era: Era): Promise<Client> =>
  connected(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)), era);

function overStdio(home: Home, args: readonly string[]): Promise<Client> {
  const env = environment(home);
  const command = { command: process.execPath, args: [...args], env, cwd: home.folder, stderr: 'ignore' as const };
  return connected(new StdioClientTransport(command), 'legacy');
}

/** @returns milliseconds of one unit of work, when one is asked for after the other. */
async function msOf(ms: number, work: () => Promise<unknown>): Promise<number> {
  return 1_000 / (await closedLoop(1, ms, work));
}

interface Pair {
  readonly name: string;
  readonly ours: Client;
  readonly bare: Client;
  /** Arguments of the tool. */
  readonly args: object;
  /** Processes whose time is looked at; null where they are the client's own children. */
  readonly pids: { readonly ours: number; readonly bare: number } | null;
}

const read = (client: Client, args: object) =>
  client.callTool({ name: 'get_execution_status', arguments: { ...args } });
const list = (client: Client) => client.listTools({}, { cacheMode: 'bypass' });

/** @returns `mcp-serve` on a database of its own, and the id of an execution that it has run. */
async function openStdio(home: Home): Promise<Pick<Pair, 'ours' | 'args'>> {
  const ours = await overStdio(home, [path('../../src/main.ts'), 'mcp-serve']);
  const made = { name: 'one', description: 'one', code: 'function main() { return { done: true }; }' };
  await ours.callTool({ name: 'create_task', arguments: { ...made, input_schema: {}, output_schema: {} } });
  const ran = await ours.callTool({ name: 'execute_task', arguments: { task_id: 'one', input: {} } });
  return { ours, args: { execution_id: String(Object(ran.structuredContent).execution_id) } };
}

async function measure(pair: Pair, { seconds, rounds }: BenchSettings): Promise<readonly Line[]> {
  const { name, ours, bare, args } = pair;
  const ms = seconds * 1_000;
  for (const client of [ours, bare]) await closedLoop(IN_FLIGHT, 1_500, () => read(client, args));
  const found = await interleaved(rounds, {
    bare: () => msOf(ms, () => read(bare, args)),
    ours: () => msOf(ms, () => read(ours, args)),
    bareMany: () => closedLoop(IN_FLIGHT, ms, () => read(bare, args)),
    oursMany: () => closedLoop(IN_FLIGHT, ms, () => read(ours, args)),
    bareList: () => msOf(ms, () => list(bare)),
    oursList: () => msOf(ms, () => list(ours)),
  });
  const against = (value: Line['value']) => ({ name: 'bare SDK', value });
  const many = `tools/call, ${name}, ${IN_FLIGHT} in flight`;
  return [
    { name: `tools/call, ${name}`, unit: 'ms', value: found.ours, baseline: against(found.bare), limits: LIMITS },
    { name: many, unit: '/s', value: found.oursMany, baseline: against(found.bareMany), limits: [] },
    {
      name: `tools/list, ${name}`,
      unit: 'ms',
      value: found.oursList,
      baseline: against(found.bareList),
      limits: LIMITS,
    },
  ];
}

/** Processor time of one call on both sides: what the other work of the machine does not change. */
async function sharesOf({ name, ours, bare, args, pids }: Pair, ms: number): Promise<readonly Shares[]> {
  if (pids === null) return [];
  const shares = async (side: string, pid: number, client: Client): Promise<Shares> => {
    const meter = new ProcessorMeter(pid);
    const calls = ((await closedLoop(IN_FLIGHT, ms, () => read(client, args))) * ms) / 1_000;
    const used = Object.entries(meter.stop().micros).filter(([, micros]) => micros > 0);
    return {
      name: `for one tools/call, ${name}, ${side}`,
      micros: Object.fromEntries(used.map(([stage, micros]) => [stage, micros / calls])),
      budgets: {},
    };
  };
  return [await shares('ours', pids.ours, ours), await shares('bare SDK', pids.bare, bare)];
}

async function waitMany(product: Product, client: Client): Promise<readonly Line[]> {
  await pause(REST_MS);
  const before = memoryOfOne(product.pid);
  const start = performance.now();
  const args = { task_id: 'waits', input: {}, wait_seconds: 0 };
  await Promise.all(Array.from({ length: WAITING }, () => client.callTool({ name: 'execute_task', arguments: args })));
  const answered = performance.now() - start;
  await product.settled();
  await pause(REST_MS);
  const grown = memoryOfOne(product.pid) - before;
  const single = { baseline: null, limits: [] };
  return [
    { name: `${WAITING} executions asked for that wait`, unit: 'ms', value: spread([answered]), ...single },
    { name: `main process, with ${WAITING} that wait`, unit: 'MB', value: spread([grown]), ...single },
  ];
}

async function run(settings: BenchSettings): Promise<Outcome> {
  using home = openHome();
  using stdioHome = openHome();
  await using product = await startProduct(home);
  await product.task('no-op', 'function main() { return { done: true }; }');
  await product.task('waits', 'export default async function main() { await sleep(3_600_000); }');
  const executed = await call(product.url, 'POST', '/api/v1/tasks/execute', { task_id: 'no-op', input: {} });
  await product.settled();
  const args = { execution_id: String(executed.body['execution_id']) };
  const modern = await overHttp(product.url, 'modern');
  const { tools } = await modern.listTools();
  const echo = home.file('echo.json', JSON.stringify({ tools, result: await read(modern, args) }));
  await using bare = await startBareMcp(echo);
  const pids = { ours: product.pid, bare: bare.pid };
  const http = async (name: string, era: Era): Promise<Pair> => {
    return { name, ours: await overHttp(product.url, era), bare: await overHttp(bare.url, era), args, pids };
  };
  const bareStdio = await overStdio(stdioHome, [path('./bare-mcp.ts'), 'stdio', echo]);
  const pairs: readonly Pair[] = [
    await http('HTTP, 2026-07-28', 'modern'),
    await http('HTTP, 2025-11-25 with a session', 'legacy'),
    { name: 'stdio', bare: bareStdio, pids: null, ...(await openStdio(stdioHome)) },
  ];
  const lines: Line[] = [];
  const shares: Shares[] = [];
  for (const pair of pairs) {
    lines.push(...(await measure(pair, settings)));
    shares.push(...(await sharesOf(pair, settings.seconds * 1_000)));
  }
  lines.push(...(await waitMany(product, modern)));
  await Promise.all([modern, ...pairs.flatMap((pair) => [pair.ours, pair.bare])].map((client) => client.close()));
  return {
    lines,
    shares,
    notes: [
      'tools/call: get_execution_status of an execution that has ended, one call after the other; the same client code on both sides',
      'baseline: low-level server of the SDK that answers the same result and the same list from memory, without anything else',
      'over stdio: ratchet mcp-serve on a database of its own',
      'ours finds out who calls, checks rights and arguments, reads the read model, checks and bounds the answer, and tells the audit trail of each call',
    ],
  };
}

export const mcp: Benchmark = { name: 'mcp', title: 'tools over MCP', run };

/** The whole trial: nodes under load, failures from a seed, and a history in which nothing may be lost, doubled or mixed up. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { START } from '../../../src/domain/event.ts';
import { TERMINAL_EVENT_TYPES } from '../../../src/domain/execution.ts';
import { canonicalJson } from '../../../src/domain/journal.ts';
import { violationsOf } from '../history/check-history.ts';
import type { Known, Told } from '../history/known.ts';
import type { PostgresServer } from '../postgres.ts';
import { call, eventually } from '../server.ts';
import { readEverything } from '../store-events.ts';
import { type Fault, type FaultTimes, type Schedule, scheduleOf, untilWell } from './faults.ts';
import { type Load, startLoad, toldOf } from './load.ts';
import { type Cluster, startCluster } from './nodes.ts';
import { startOutside } from './outside.ts';
import { type Random, randomOf } from './random.ts';
import { differingRows } from './read-models.ts';
import { type Wish, wishes } from './tasks.ts';

export interface Trial extends FaultTimes, Schedule {
  readonly nodes: number;
  readonly executions: number;
  readonly clients: number;
  /** Lease of a worker session, seconds. */
  readonly leaseSeconds: number;
  /** Longest time from the last acknowledgement to the last end, milliseconds. */
  readonly settleMs: number;
}

const TRICKLE_MS = 200;
/** What is known of a run that went wrong is kept here. */
const KEPT = '.ratchet/chaos';

/** @returns the seed of the environment variable `CHAOS_SEED`, else a new one; either is printed. */
export function chaosSeed(): number {
  const given = process.env['CHAOS_SEED'];
  const seed = given === undefined || given === '' ? Date.now() % 2 ** 31 : Number(given);
  say(`CHAOS_SEED=${seed}`);
  return seed;
}

/** Lets it all happen and checks what came of it; the numbers of the run are printed. */
export async function surviveChaos(server: PostgresServer, trial: Trial, seed: number): Promise<void> {
  const random = randomOf(seed);
  await using outside = await startOutside();
  await using cluster = await startCluster(server, trial.nodes, trial.leaseSeconds);
  const told: Told[] = [];
  try {
    await warmUp(cluster, outside.url);
    const wanted = wishes(trial.executions, outside.url, random);
    const load = startLoad(cluster.nodes, wanted, trial.clients, random);
    await suffer(scheduleOf(cluster, trial, trial, random), load, wanted.length, trial.settleMs);
    await load.done;
    say(`all ${load.acknowledged()} acknowledged`);
    for (const node of cluster.nodes) await untilWell(node);
    await settled(cluster, trial.settleMs);
    told.push(...load.told, ...(await toldAtTheEnd(cluster, load, random)));
    const events = await readEverything(cluster.log, {}, 1_000);
    summarize({ events, told, arrivals: outside.arrivals });
    expect(load.surprises).toEqual([]);
    expect(violationsOf({ events, told, arrivals: outside.arrivals })).toEqual([]);
    expect(otherEnds(wanted, told)).toEqual([]);
    expect(await differingRows(cluster)).toEqual([]);
  } catch (error) {
    await keep(seed, cluster, { told, arrivals: outside.arrivals });
    throw error;
  }
}

/** Makes each node call outside once: what it loads for its first call would else lie between its last look at its lease and the wire. */
async function warmUp({ nodes }: Cluster, base: string): Promise<void> {
  for (const { url } of nodes) {
    const { status } = await call(url, 'POST', '/api/v1/tasks/execute', {
      task_id: 'reading',
      input: { key: '', base },
    });
    expect(status).toBe(200);
  }
}

/** Brings one failure after the other, each in the middle of its share of the load, the rest of which comes while it lasts. */
async function suffer(faults: readonly Fault[], load: Load, wanted: number, patienceMs: number): Promise<void> {
  const share = wanted / faults.length;
  for (const [index, { name, ms, from, run }] of faults.entries()) {
    const first = index * share;
    load.admit(Math.floor(first + share / 2));
    const goal = Math.floor(first + (from * share) / 2);
    await eventually(`${goal} acknowledged`, () => (load.acknowledged() >= goal ? true : undefined), patienceMs);
    say(`${name} for ${ms} ms at ${load.acknowledged()} acknowledged`);
    const startedAt = performance.now();
    const timer = setInterval(() => {
      const passed = Math.min(1, (performance.now() - startedAt) / Math.max(ms, 1));
      load.admit(Math.floor(first + (share * (1 + passed)) / 2));
    }, TRICKLE_MS);
    await run().finally(() => clearInterval(timer));
  }
  load.admit(wanted);
}

function say(text: string): void {
  process.stderr.write(`chaos ${(performance.now() / 1_000).toFixed(1)} s: ${text}\n`);
}

function summarize({ events, arrivals }: Known): void {
  const count = (type: string, has = '') =>
    events.filter((event) => event.type === type && event.payload.includes(has)).length;
  const calls = new Set(arrivals.map(({ url }) => url.split('?')[0])).size;
  say(
    `${events.length} events, ${count('ExecutionRequested')} executions in ${count('ExecutionStarted')} attempts, ` +
      `${count('WorkerSessionEnded', 'lapsed')} sessions lapsed, ${arrivals.length} calls to ${calls} addresses outside`,
  );
}

/** Waits until every execution of the log has ended: those acknowledged, their subtasks, and those nobody heard of. */
async function settled({ log }: Cluster, ms: number): Promise<void> {
  const open = new Set<string>();
  let after = START;
  await eventually(
    'all executions have ended',
    async () => {
      const filter = { types: ['ExecutionRequested', ...TERMINAL_EVENT_TYPES] };
      const page = await log.readAll(after, filter, 1_000);
      after = page.position;
      for (const { type, stream } of page.events) {
        if (type === 'ExecutionRequested') open.add(stream);
        else open.delete(stream);
      }
      return page.atHead && open.size === 0 ? true : undefined;
    },
    ms,
  ).catch((cause: unknown) => {
    throw new Error(`${open.size} executions have not ended, such as ${[...open].slice(0, 5).join(', ')}`, { cause });
  });
}

/** What the nodes say of each execution when all is over, each asked at one of them. */
async function toldAtTheEnd({ nodes, log }: Cluster, { told }: Load, random: Random): Promise<readonly Told[]> {
  const head = await log.head();
  const ids = new Map(told.map(({ key, executionId }) => [key, executionId]));
  const answers: Told[] = [];
  for (const [key, executionId] of ids) {
    const { url } = random.pick(nodes);
    // Read models that are a moment behind are told of by 503, and are asked again.
    const body = await eventually(`${url} tells of ${executionId}`, async () => {
      const answer = await call(url, 'GET', `/api/v1/executions/${executionId}?min_position=${head}`);
      return answer.status === 503 ? undefined : answer.body;
    });
    answers.push(toldOf(key, body as Parameters<typeof toldOf>[1]));
  }
  return answers;
}

/** @returns what ended otherwise than it would have without any failure. */
function otherEnds(wanted: readonly Wish[], told: readonly Told[]): readonly unknown[] {
  const last = new Map(told.map((one) => [one.key, one]));
  return wanted.flatMap(({ key, answers, mayEnd }) => {
    const one = last.get(key);
    if (one?.status === 'completed' && canonicalJson(one.output ?? null) === canonicalJson(answers)) return [];
    return one?.status === mayEnd ? [] : [{ key, told: one ?? null, answers }];
  });
}

/** Writes all that is known of a run into files, for who looks for the cause. */
async function keep(seed: number, { nodes, log }: Cluster, known: Omit<Known, 'events'>): Promise<void> {
  const folder = join(KEPT, String(seed));
  mkdirSync(folder, { recursive: true });
  for (const { name, stderr } of nodes) writeFileSync(join(folder, `${name}.log`), stderr());
  const events = await readEverything(log, {}, 1_000).catch(() => []);
  writeFileSync(join(folder, 'known.json'), JSON.stringify({ events, ...known }, null, 1));
  say(`what is known of it stands in ${folder}`);
}

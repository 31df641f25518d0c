/** A server under fuzz, in rounds: after each nothing may have broken, and nothing may be held that was not held before. */
import { expect } from 'vitest';
import { type Held, startFuzzed } from './fuzz.ts';
import { eventually, openHome } from './server.ts';

interface Survival {
  /** In all rounds together; FUZZ_REQUESTS wins. */
  readonly requests: number;
  /** FUZZ_SEED wins. */
  readonly seed: number;
  readonly rounds: number;
}

/** Tasks, schedules and keys that were made stay, in memory too; this is more than they take, and less than any leak of what requests bring. */
const KEPT_BYTES_A_REQUEST = 6_000;
const SLACK_BYTES = 48 * 1024 * 1024;

/** Fails telling the seed, the requests and their answers. */
export async function survivesFuzz({ requests, seed, rounds }: Survival): Promise<void> {
  const all = Number(process.env['FUZZ_REQUESTS'] ?? requests);
  const first = Number(process.env['FUZZ_SEED'] ?? seed);
  console.log(`fuzz: ${all} requests, FUZZ_SEED=${first}`);
  using home = openHome();
  await using fuzzed = await startFuzzed(home);
  const before = await fuzzed.held();
  const answered = new Set<string>();
  for (let round = 0; round < rounds; round += 1) {
    const { sent, findings, statuses } = await fuzzed.run(Math.ceil(all / rounds), first + round);
    expect(findings.slice(0, 10), `seed ${first}, round ${round}, ${sent} sent`).toEqual([]);
    for (const status of Object.keys(statuses)) answered.add(status);
  }
  // Good ones are among them, and refusals of every kind.
  expect([...answered]).toEqual(
    expect.arrayContaining(['200', '201', '202', '400', '404', '405', '409', '413', '415', '422']),
  );
  // Handles come and go with task processes that are made and end: it is looked until nothing is too much.
  let last: Held = before;
  await eventually('no more is held than before', async () => {
    last = await fuzzed.held();
    return isTooMuch(last, before, all) ? undefined : true;
  }).catch((error: unknown) => {
    throw new Error(`${JSON.stringify(before)} was held before, ${JSON.stringify(last)} after`, { cause: error });
  });
}

/** Task processes are kept warm, up to their number; each has pipes and a memory that is watched. */
const OF_PROCESSES: Readonly<Record<string, number>> = { ProcessWrap: 4, PipeWrap: 20 };

function isTooMuch(now: Held, before: Held, requests: number): boolean {
  const isMore = Object.entries(now.handles).some(
    ([kind, count]) => count > Math.max(before.handles[kind] ?? 0, OF_PROCESSES[kind] ?? 0),
  );
  return isMore || now.heapBytes - before.heapBytes > SLACK_BYTES + requests * KEPT_BYTES_A_REQUEST;
}

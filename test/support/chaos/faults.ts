/** What goes wrong: failures in an order and on nodes that a seed says, each begun in the middle of a share of the load. */
import { call, eventually } from '../server.ts';
import type { ChaosNode, Cluster } from './nodes.ts';
import type { Random } from './random.ts';

export interface FaultTimes {
  /** A node is frozen for so long, milliseconds: beyond the lease of its session. */
  readonly frozenMs: number;
  /** A node is cut off from the database for so long, milliseconds. */
  readonly cutMs: number;
  /** How long the database is gone, milliseconds. */
  readonly downMs: number;
}

export interface Fault {
  readonly name: string;
  /** How long it lasts at least, milliseconds. */
  readonly ms: number;
  /** Begins when this part of what was admitted for it is acknowledged, 0 to 1. */
  readonly from: number;
  run(): Promise<void>;
}

const KINDS = ['killed', 'frozen', 'cut', 'held', 'database crashed', 'database restarted'] as const;
type Kind = (typeof KINDS)[number];

export interface Schedule {
  /** How often each kind of failure happens alone. */
  readonly rounds: number;
  /** How often two happen at once, on different nodes. */
  readonly pairs: number;
}

/** @returns failures in an order that the seed says. */
export function scheduleOf(
  cluster: Cluster,
  { rounds, pairs }: Schedule,
  times: FaultTimes,
  random: Random,
): readonly Fault[] {
  const alone = Array.from({ length: rounds }, () =>
    KINDS.map((kind) => faultOf(kind, random.pick(cluster.nodes))),
  ).flat();
  const together = Array.from({ length: pairs }, (): Fault => {
    const [one, other] = random.shuffled(cluster.nodes).slice(0, 2);
    const [first, second] = random.shuffled(KINDS.filter((kind) => kind !== 'database restarted'));
    if (one === undefined || other === undefined || first === undefined || second === undefined)
      throw new Error('two failures at once need two nodes');
    return both(faultOf(first, one), faultOf(second, other));
  });
  return random.shuffled([...alone, ...together]);

  function faultOf(kind: Kind, node: ChaosNode): Fault {
    const name = kind.startsWith('database') ? kind : `${node.name} ${kind}`;
    const ms = lengthOf(kind, times, random);
    return { name, ms, from: random.below(80) / 100, run: () => run(kind, node, cluster, ms) };
  }
}

function both(one: Fault, other: Fault): Fault {
  return {
    name: `${one.name} and ${other.name}`,
    ms: Math.max(one.ms, other.ms),
    from: one.from,
    run: async () => void (await Promise.all([one.run(), other.run()])),
  };
}

function lengthOf(kind: Kind, { frozenMs, cutMs, downMs }: FaultTimes, random: Random): number {
  switch (kind) {
    case 'killed':
      // Started again at once, or when others have taken over.
      return random.below(2) * frozenMs;
    case 'frozen':
      return frozenMs;
    case 'cut':
    case 'held':
      return cutMs;
    case 'database crashed':
    case 'database restarted':
      return downMs;
    default:
      return kind satisfies never;
  }
}

async function run(kind: Kind, node: ChaosNode, { server }: Cluster, ms: number): Promise<void> {
  switch (kind) {
    case 'killed':
      await node.kill();
      await pass(ms);
      return node.start();
    case 'frozen':
      node.freeze();
      await pass(ms);
      return node.thaw();
    case 'cut':
      node.proxy.goDown();
      await pass(ms);
      return node.proxy.goUp();
    case 'held':
      node.proxy.hold();
      await pass(ms);
      return node.proxy.release();
    case 'database crashed':
      await server.own?.crash();
      await pass(ms);
      return server.own?.start();
    case 'database restarted':
      await server.own?.stop();
      await pass(ms);
      return server.own?.start();
    default:
      return kind satisfies never;
  }
}

/** A failure lasts: there is no condition to wait for. */
function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until a node says that it is well. */
export async function untilWell({ url, name }: ChaosNode, ms = 60_000): Promise<void> {
  await eventually(
    `${name} is well`,
    async () => ((await call(url, 'GET', '/health').catch(() => null))?.status === 200 ? true : undefined),
    ms,
  );
}

/** Where the time of an execution went that somebody could save: long spans, waits, the same call again and again, retries. */
import { counted, formatMs, percentOf } from './duration.ts';
import { callOf, type Sequence, sequences, sumOf, type TracedCall, unionOf } from './trace-calls.ts';
import { durationOf, type TraceNode, type TraceTree } from './trace-tree.ts';

export const BOTTLENECK_KINDS = ['self_time', 'wait', 'repeated_calls', 'retries'] as const;

export interface Bottleneck {
  /**
   * `self_time`: one span's own time. `wait`: sleeps and questions. `repeated_calls`: the same call with another id, one
   * after another. `retries`: the same call, or attempt, after it had failed.
   */
  readonly kind: (typeof BOTTLENECK_KINDS)[number];
  readonly message: string;
  /** At most {@link MAX_IDS}. */
  readonly spanIds: readonly string[];
  readonly count: number;
  readonly durationMs: number;
  /** Of the whole execution. */
  readonly percent: number;
}

export const MAX_IDS = 100;
const MAX_OF_A_KIND = 3;
/** Smaller shares of the whole are not worth a word. */
const LEAST_PERCENT = 5;
/** So many calls of one form one after another are a pattern. */
const LEAST_REPEATS = 3;

/** @returns the largest first, at most three of a kind. */
export function bottlenecks(tree: TraceTree): readonly Bottleneck[] {
  const whole = durationOf(tree.root);
  const groups = callGroups(tree);
  const found = [selfTimes(tree), waits(tree), repeated(groups), retried(groups), repeatedAttempts(tree)];
  return found
    .flatMap((candidates) =>
      candidates
        .map((candidate) => told(candidate, whole))
        .filter(({ percent, kind }) => percent >= LEAST_PERCENT || kind === 'retries')
        .sort((a, b) => b.durationMs - a.durationMs)
        .slice(0, MAX_OF_A_KIND),
    )
    .sort((a, b) => b.durationMs - a.durationMs);
}

interface Candidate {
  readonly kind: Bottleneck['kind'];
  readonly nodes: readonly TraceNode[];
  readonly durationMs: number;
  /** Without its time, which is added. */
  readonly words: string;
}

function told({ kind, nodes, durationMs, words }: Candidate, whole: number): Bottleneck {
  const percent = percentOf(durationMs, whole);
  return {
    kind,
    message: `${words}: ${formatMs(durationMs)}, ${percent} % of the whole`,
    spanIds: idsOf(nodes),
    count: nodes.length,
    durationMs,
    percent,
  };
}

/** @returns the ids of recorded spans, as many as are told. */
export function idsOf(nodes: readonly TraceNode[]): readonly string[] {
  return nodes.flatMap(({ id }) => (id === null ? [] : [id])).slice(0, MAX_IDS);
}

function selfTimes({ nodes }: TraceTree): readonly Candidate[] {
  return nodes
    .filter((node) => node.selfMs > 0 && !isWait(node))
    .toSorted((a, b) => b.selfMs - a.selfMs)
    .slice(0, MAX_OF_A_KIND)
    .map((node) => ({ kind: 'self_time', nodes: [node], durationMs: node.selfMs, words: wordsOf(node) }));
}

function wordsOf(node: TraceNode): string {
  if (node.kind === 'step' && node.attributes['ratchet.kind'] !== 'custom') return `${node.name} took long`;
  return `${node.name} spent time in none of its steps (code that ran, or timers)`;
}

/** @returns true for steps in which a task only waits. */
export function isWait({ attributes }: TraceNode): boolean {
  const kind = attributes['ratchet.kind'];
  return kind === 'sleep' || kind === 'ask';
}

function waits({ nodes }: TraceTree): readonly Candidate[] {
  const waiting = nodes.filter(isWait);
  const words = `${counted(waiting.length, 'wait')} in sleeps or for answers`;
  return waiting.length === 0 ? [] : [{ kind: 'wait', nodes: waiting, durationMs: unionOf(waiting), words }];
}

/** Calls below the same parent of the same form, by start. */
function callGroups({ nodes, root }: TraceTree): readonly (readonly TracedCall[])[] {
  return [root, ...nodes.filter((node) => node !== root)].flatMap(({ children }) => {
    const calls = children.flatMap((child) => callOf(child) ?? []);
    return [...Map.groupBy(calls, ({ template }) => template).values()];
  });
}

function repeated(groups: readonly (readonly TracedCall[])[]): readonly Candidate[] {
  return groups
    .flatMap((group) => sequences(group, () => true))
    .filter((sequence) => sequence.length >= LEAST_REPEATS && !sequence.slice(0, -1).every((call) => call.hasFailed))
    .map((sequence) => {
      const isSame = new Set(sequence.map(({ url, node }) => url ?? node.name)).size === 1;
      const words = `${sequence.length} calls ${isSame ? 'of the same' : 'that differ only in their ids (N+1)'}, one after another, ${sequence[0]?.template}`;
      return { kind: 'repeated_calls', nodes: nodesOf(sequence), durationMs: sumOf(sequence), words };
    });
}

function retried(groups: readonly (readonly TracedCall[])[]): readonly Candidate[] {
  return groups
    .flatMap((group) => sequences(group, (call, before) => before.hasFailed && call.url === before.url))
    .filter((sequence) => sequence.length > 1)
    .map((sequence) => ({
      kind: 'retries',
      nodes: nodesOf(sequence),
      durationMs: sumOf(sequence),
      words: `${sequence[0]?.node.name} was called ${sequence.length} times, because it failed`,
    }));
}

function nodesOf(sequence: Sequence): readonly TraceNode[] {
  return sequence.map(({ node }) => node);
}

/** Attempts that failed, with the time until the next one began. */
function repeatedAttempts({ root }: TraceTree): readonly Candidate[] {
  const attempts = root.id === null ? root.children.filter(({ kind }) => kind === 'execution') : [];
  const failed = attempts.filter(({ ok }) => !ok);
  const last = root.children.at(-1);
  if (failed.length === 0 || last === undefined) return [];
  const lost = failed.includes(last) ? last.endedAt - root.startedAt : last.startedAt - root.startedAt;
  const words = `${counted(failed.length, 'attempt')} failed, with the waits between them`;
  return [{ kind: 'retries', nodes: failed, durationMs: lost, words }];
}

/** What the spans of an execution prove about it, in short sentences with numbers. */
import { counted, formatMs, percentOf } from './duration.ts';
import { idsOf, isWait } from './trace-bottlenecks.ts';
import { callOf, sumOf, type TracedCall, unionOf } from './trace-calls.ts';
import { durationOf, type TraceNode, type TraceTree } from './trace-tree.ts';

export interface Insight {
  readonly message: string;
  /** The spans that it follows from; at most a hundred. */
  readonly spanIds: readonly string[];
}

const MAX_HOSTS = 3;
const MAX_SEQUENCES = 3;
const LEAST_PERCENT = 5;
/** Less time with nothing recorded is usual. */
const LEAST_UNRECORDED_PERCENT = 10;
/** Starting and recording take some time always. */
const LEAST_UNSEEN_MS = 50;
const MAX_NAMES = 3;

/** What is known of an execution beside its spans. */
export interface Surroundings {
  /** False while the execution goes on, of which then the last part is not known. */
  readonly hasEnded: boolean;
  /** Wall-clock milliseconds from its first start to its end; null where the spans are not those of all of it. */
  readonly wallMs: number | null;
}

export function insights(tree: TraceTree, { hasEnded, wallMs }: Surroundings): readonly Insight[] {
  return [
    ...(hasEnded ? [] : [{ message: 'The execution has not ended: what goes on now is not counted.', spanIds: [] }]),
    ...failures(tree),
    ...shareOfHosts(tree),
    ...slowest(tree),
    ...couldRunTogether(tree),
    ...waiting(tree),
    ...unrecorded(tree),
    ...unseen(tree, wallMs),
    ...leftOut(tree),
  ];
}

function failures({ nodes }: TraceTree): readonly Insight[] {
  const failed = nodes.filter((node) => node.kind !== 'execution' && (callOf(node)?.hasFailed ?? !node.ok));
  if (failed.length === 0) return [];
  const names = failed.slice(0, MAX_NAMES).map(failureOf).join(', ');
  const more = failed.length > MAX_NAMES ? `, and ${failed.length - MAX_NAMES} more` : '';
  return [{ message: `${counted(failed.length, 'span')} failed: ${names}${more}.`, spanIds: idsOf(failed) }];
}

function failureOf({ name, attributes }: TraceNode): string {
  const status = attributes['http.response.status_code'];
  return typeof status === 'number' ? `${name} (status ${status})` : name;
}

function shareOfHosts({ root, nodes }: TraceTree): readonly Insight[] {
  const calls = nodes.flatMap((node) => callOf(node) ?? []).filter(({ host }) => host !== null);
  return [...Map.groupBy(calls, ({ host }) => host)]
    .map(([host, group]) => ({ host, group, ms: unionOf(group.map(({ node }) => node)) }))
    .toSorted((a, b) => b.ms - a.ms)
    .slice(0, MAX_HOSTS)
    .filter(({ ms }) => percentOf(ms, durationOf(root)) >= LEAST_PERCENT)
    .map(({ host, group, ms }) => ({
      message: `${percentOf(ms, durationOf(root))} % of the time (${formatMs(ms)} of ${formatMs(durationOf(root))}) was spent in ${counted(group.length, 'call')} to ${host}.`,
      spanIds: idsOf(group.map(({ node }) => node)),
    }));
}

function slowest({ root, nodes }: TraceTree): readonly Insight[] {
  const steps = nodes.filter((node) => node.kind === 'step' && node.children.length === 0 && !isWait(node));
  const [first] = steps.toSorted((a, b) => durationOf(b) - durationOf(a));
  if (first === undefined || steps.length < 2 || durationOf(first) === 0) return [];
  const share = percentOf(durationOf(first), durationOf(root));
  return [
    {
      message: `The slowest of ${steps.length} steps is ${first.name} with ${formatMs(durationOf(first))} (${share} %).`,
      spanIds: idsOf([first]),
    },
  ];
}

/** Reading calls below one parent, each of which began when the one before had ended, with no other step between them. */
function couldRunTogether({ root, nodes }: TraceTree): readonly Insight[] {
  return [root, ...nodes.filter((node) => node !== root)]
    .flatMap(({ children }) => runs(children))
    .map((calls) => {
      const longest = calls.reduce((most, { node }) => Math.max(most, durationOf(node)), 0);
      return { calls, saved: sumOf(calls) - longest };
    })
    .filter(({ saved }) => percentOf(saved, durationOf(root)) >= LEAST_PERCENT)
    .toSorted((a, b) => b.saved - a.saved)
    .slice(0, MAX_SEQUENCES)
    .map(({ calls, saved }) => ({
      message: `${calls.length} reading calls ran one after another (${named(calls)}); where none needs the answer of another, running them together would save up to ${formatMs(saved)}.`,
      spanIds: idsOf(calls.map(({ node }) => node)),
    }));
}

function runs(children: readonly TraceNode[]): readonly (readonly TracedCall[])[] {
  const found: TracedCall[][] = [[]];
  let until = Number.NEGATIVE_INFINITY;
  for (const [index, child] of children.entries()) {
    const call = child.kind === 'step' ? callOf(child) : null;
    const isAlone = child.startedAt >= until && (children[index + 1]?.startedAt ?? child.endedAt) >= child.endedAt;
    until = Math.max(until, child.endedAt);
    const isReading = call?.method === 'GET' || call?.method === 'HEAD';
    if (call === null || !isReading || !isAlone) found.push([]);
    else if (call.url === found.at(-1)?.at(-1)?.url) found.push([call]);
    else found.at(-1)?.push(call);
  }
  return found.filter((run) => run.length > 1);
}

function named(calls: readonly TracedCall[]): string {
  const templates = [...new Set(calls.map(({ template }) => template))];
  const more = templates.length > MAX_NAMES ? ', …' : '';
  return `${templates.slice(0, MAX_NAMES).join(', ')}${more}`;
}

function waiting({ root, nodes }: TraceTree): readonly Insight[] {
  const waits = nodes.filter(isWait);
  const ms = unionOf(waits);
  const share = percentOf(ms, durationOf(root));
  if (share < LEAST_PERCENT) return [];
  const message = `${share} % of the time (${formatMs(ms)}) the task waited by itself, in ${counted(waits.length, 'step')}.`;
  return [{ message, spanIds: idsOf(waits) }];
}

function unrecorded({ root, nodes }: TraceTree): readonly Insight[] {
  const isStep = ({ kind, attributes }: TraceNode): boolean =>
    kind === 'step' && attributes['ratchet.kind'] !== 'custom';
  const ms = Math.max(0, durationOf(root) - unionOf(nodes.filter(isStep)));
  const share = percentOf(ms, durationOf(root));
  if (share < LEAST_UNRECORDED_PERCENT) return [];
  const message = `In ${share} % of the time (${formatMs(ms)}) no step was under way: code ran, timers were waited for, or nothing did.`;
  return [{ message, spanIds: idsOf(nodes.filter((node) => node.selfMs > 0 && !isStep(node))) }];
}

/** Time of spans goes on when something is delivered to the task; code that runs after the last delivery is not in it. */
function unseen({ root }: TraceTree, wallMs: number | null): readonly Insight[] {
  const ms = (wallMs ?? 0) - durationOf(root);
  if (wallMs === null || ms < LEAST_UNSEEN_MS || percentOf(ms, wallMs) < LEAST_UNRECORDED_PERCENT) return [];
  const message = `The execution took ${formatMs(wallMs)}, of which its spans show ${formatMs(durationOf(root))}: the rest went into code that ran, and into starting it. A profile tells which code.`;
  return [{ message, spanIds: [] }];
}

function leftOut({ leftOut: count }: TraceTree): readonly Insight[] {
  return count === 0 ? [] : [{ message: `The ${counted(count, 'shortest span')} are not counted.`, spanIds: [] }];
}

/** The spans of an execution as one tree, bounded in size and depth, with the time that each span spent in none of its children. */
import type { JsonObject } from './event.ts';

/** A recorded span. Times are logical milliseconds since the epoch. */
export interface TraceSpan {
  readonly id: string;
  readonly parentId: string | null;
  readonly name: string;
  /** `execution`, `step` or `span`. */
  readonly kind: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly ok: boolean;
  readonly attributes: JsonObject;
}

export interface TraceNode {
  /** Null for the whole, where no single span stands for it. */
  readonly id: string | null;
  readonly name: string;
  readonly kind: string;
  readonly startedAt: number;
  /** Never before {@link startedAt}. */
  readonly endedAt: number;
  readonly ok: boolean;
  readonly attributes: JsonObject;
  /** By start, then end, then id. */
  readonly children: readonly TraceNode[];
  /** Duration without the time in which any child ran. */
  readonly selfMs: number;
}

export interface TraceTree {
  readonly root: TraceNode;
  /** All recorded spans in the tree: each before its children, those by start. */
  readonly nodes: readonly TraceNode[];
  /** Spans left out because there were too many: the shortest ones. */
  readonly leftOut: number;
}

export const MAX_SPANS = 10_000;
/** Spans nested deeper are put below their ancestor at this depth. */
const MAX_DEPTH = 400;

interface Growing extends TraceNode {
  readonly children: Growing[];
  selfMs: number;
}

/**
 * Several roots (attempts, or spans whose parent has not ended yet) are put below a whole of the given name; so is nothing,
 * which takes no time.
 */
export function traceTree(spans: readonly TraceSpan[], whole: string): TraceTree {
  const kept = longest(spans);
  const nodes = new Map(kept.map((span) => [span.id, growing(span)]));
  const below = Map.groupBy(kept, ({ id, parentId }) => {
    return parentId === null || parentId === id || !nodes.has(parentId) ? null : parentId;
  });
  const tops = below.get(null) ?? [];
  const first = tops.length === 1 ? tops[0] : undefined;
  const root = (first === undefined ? undefined : nodes.get(first.id)) ?? wholeOf(tops, whole);
  const open: { readonly node: Growing; readonly depth: number; readonly spans: readonly TraceSpan[] }[] = [
    { node: root, depth: 0, spans: root.id === null ? tops : (below.get(root.id) ?? []) },
  ];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const span of next.spans) {
      const child = nodes.get(span.id);
      if (child === undefined) continue;
      next.node.children.push(child);
      const isDeep = next.depth >= MAX_DEPTH;
      open.push({ node: isDeep ? next.node : child, depth: next.depth + 1, spans: below.get(span.id) ?? [] });
    }
  }
  for (const node of [root, ...nodes.values()]) settle(node);
  const inside = preorder(root);
  return { root, nodes: root.id === null ? inside.slice(1) : inside, leftOut: spans.length - kept.length };
}

/** A parent is at least as long as its children, and recorded after them; so none is left out before its children are. */
function longest(spans: readonly TraceSpan[]): readonly TraceSpan[] {
  if (spans.length <= MAX_SPANS) return spans;
  const length = ({ startedAt, endedAt }: TraceSpan): number => endedAt - startedAt;
  return spans
    .toReversed()
    .sort((a, b) => length(b) - length(a))
    .slice(0, MAX_SPANS);
}

function growing({ id, name, kind, startedAt, endedAt, ok, attributes }: TraceSpan): Growing {
  return {
    id,
    name,
    kind,
    startedAt,
    endedAt: Math.max(startedAt, endedAt),
    ok,
    attributes,
    children: [],
    selfMs: 0,
  };
}

function wholeOf(tops: readonly TraceSpan[], name: string): Growing {
  const start = tops.reduce((least, span) => Math.min(least, span.startedAt), tops[0]?.startedAt ?? 0);
  const end = tops.reduce((most, span) => Math.max(most, span.endedAt), start);
  const last = tops.findLast((span) => span.endedAt === end);
  const whole = growing({
    id: '',
    parentId: null,
    name,
    kind: 'execution',
    startedAt: start,
    endedAt: end,
    ok: last?.ok ?? true,
    attributes: {},
  });
  return { ...whole, id: null };
}

/** Orders the children and takes the union of their times, as far as it lies inside the node, from its duration. */
function settle(node: Growing): void {
  node.children.sort((a, b) => a.startedAt - b.startedAt || a.endedAt - b.endedAt || order(a.id ?? '', b.id ?? ''));
  let covered = 0;
  let until = node.startedAt;
  for (const child of node.children) {
    const from = Math.max(until, child.startedAt);
    const to = Math.min(node.endedAt, child.endedAt);
    if (to <= from) continue;
    covered += to - from;
    until = to;
  }
  node.selfMs = node.endedAt - node.startedAt - covered;
}

function preorder(root: TraceNode): readonly TraceNode[] {
  const found: TraceNode[] = [];
  const open = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    found.push(node);
    open.push(...node.children.toReversed());
  }
  return found;
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** @returns milliseconds from start to end. */
export function durationOf({ startedAt, endedAt }: TraceNode): number {
  return endedAt - startedAt;
}

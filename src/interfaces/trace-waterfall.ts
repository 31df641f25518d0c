/** The waterfall of the trace page: one row a span, its bar at its time, the parts on the critical path underlined. */
import { formatMs } from '../domain/duration.ts';
import type { CriticalPart } from '../domain/trace-analysis.ts';
import { durationOf, type TraceNode, type TraceTree } from '../domain/trace-tree.ts';
import { type Html, html } from './html.ts';
import { indentOf } from './trace-page-style.ts';

/** More rows are not read by anybody; the longest spans are shown. */
const MAX_ROWS = 500;
/** Units of a bar's own coordinates. */
const SCALE = 1_000;
const LEAST_WIDTH = 1.5;
const TICKS = [0, 0.25, 0.5, 0.75, 1];
const MAX_VALUE = 500;

const LEGEND = [
  ['http', 'HTTP'],
  ['wait', 'sleep, question'],
  ['task', 'subtask'],
  ['own', 'step, span'],
  ['execution', 'execution'],
  ['mark', 'on the critical path'],
] as const;

export function waterfall(tree: TraceTree, path: readonly CriticalPart[]): Html {
  const { root } = tree;
  const shown = shownOf(tree);
  const onPath = Map.groupBy(path, ({ spanId }) => spanId);
  const rows: Html[] = [];
  const walk = (node: TraceNode, depth: number): void => {
    if (shown.has(node)) rows.push(row(node, { depth, root, parts: onPath.get(node.id) ?? [] }));
    for (const child of node.children) walk(child, depth + 1);
  };
  walk(root, 0);
  const legend = LEGEND.map(
    ([name, says]) =>
      html`<span><svg viewBox="0 0 12 12" aria-hidden="true"><rect class="${name}" width="12" height="12" rx="2"/></svg>${says}</span>`,
  );
  const ticks = TICKS.map((part) => html`<span>${formatMs(Math.round(durationOf(root) * part))}</span>`);
  const left = tree.nodes.length - rows.filter((_, index) => index > 0 || root.id !== null).length + tree.leftOut;
  const more =
    left > 0 ? html`<p class="none">${left} shorter spans are not shown; the JSON has all of them.</p>` : null;
  return html`<div class="legend">${legend}</div>
<div class="axis"><span>span</span><span class="ticks">${ticks}</span><span class="time">duration</span></div>
${rows}${more}`;
}

function shownOf({ root, nodes }: TraceTree): ReadonlySet<TraceNode> {
  const longest = nodes.toSorted((a, b) => durationOf(b) - durationOf(a)).slice(0, MAX_ROWS);
  return new Set([root, ...longest]);
}

interface Place {
  readonly depth: number;
  readonly root: TraceNode;
  readonly parts: readonly CriticalPart[];
}

function row(node: TraceNode, { depth, root, parts }: Place): Html {
  const at = (from: number, ms: number): { readonly x: number; readonly width: number } => {
    const whole = durationOf(root);
    if (whole <= 0) return { x: 0, width: LEAST_WIDTH };
    const x = Math.min(SCALE - LEAST_WIDTH, Math.max(0, ((from - root.startedAt) / whole) * SCALE));
    return { x: digits(x), width: digits(Math.min(SCALE - x, Math.max(LEAST_WIDTH, (ms / whole) * SCALE))) };
  };
  const bar = at(node.startedAt, durationOf(node));
  const marks = parts.map(({ startedAt, durationMs }) => {
    const { x, width } = at(startedAt, durationMs);
    return html`<rect class="mark" x="${x}" y="13" width="${width}" height="3"/>`;
  });
  const name = `${node.ok ? '' : 'failed: '}${node.name}`;
  return html`<details class="row${node.ok ? '' : ' bad'}" id="${anchorOf(node.id)}"><summary>
<span class="name ${indentOf(depth)}" title="${name}">${parts.length > 0 ? '◆ ' : ''}${name}</span>
<svg class="bar" viewBox="0 0 ${SCALE} 16" preserveAspectRatio="none" aria-hidden="true"><rect class="${classOf(node)}" x="${bar.x}" y="2" width="${bar.width}" height="10"/>${marks}</svg>
<span class="time">${formatMs(durationOf(node))}</span>
</summary><dl class="more">${facts(node, root, parts)}</dl></details>
`;
}

function facts(node: TraceNode, root: TraceNode, parts: readonly CriticalPart[]): readonly Html[] {
  const critical = parts.reduce((sum, { durationMs }) => sum + durationMs, 0);
  const told: readonly (readonly [string, string])[] = [
    ['span', node.id ?? '(the whole)'],
    ['kind', node.kind],
    ['starts after', formatMs(node.startedAt - root.startedAt)],
    ['own time', formatMs(node.selfMs)],
    ['on the critical path', formatMs(critical)],
    ...Object.entries(node.attributes).map(([key, value]) => [key, shortened(value)] as const),
  ];
  return told.map(([key, value]) => html`<dt>${key}</dt><dd>${value}</dd>`);
}

function shortened(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}

/** @returns the id of a span's row on the page. */
export function anchorOf(spanId: string | null): string {
  return `span-${spanId ?? 'whole'}`;
}

function classOf({ kind, attributes }: TraceNode): string {
  if (kind === 'execution') return 'execution';
  switch (attributes['ratchet.kind']) {
    case 'http':
    case 'mcp':
    case 'llm':
      return 'http';
    case 'sleep':
    case 'ask':
      return 'wait';
    case 'task':
      return 'task';
    default:
      return 'own';
  }
}

function digits(value: number): number {
  return Math.round(value * 100) / 100;
}

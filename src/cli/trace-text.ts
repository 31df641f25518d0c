/** A trace as people read it on a terminal: the tree of spans, what lies on the critical path, and what follows. */
import type { ReadTrace } from '../../queries/telemetry.ts';
import { formatMs } from '../domain/duration.ts';
import { analysisOf } from '../domain/trace-analysis.ts';
import { durationOf, type TraceNode } from '../domain/trace-tree.ts';

/** More lines are not read on a terminal; the longest spans are shown. */
const MAX_LINES = 500;
const NAME_WIDTH = 72;

export function traceText({ execution, tree, around }: ReadTrace): string {
  const analysis = analysisOf(tree, around);
  const onPath = new Set(analysis.criticalPath.map(({ spanId }) => spanId));
  const longest = tree.nodes.toSorted((a, b) => durationOf(b) - durationOf(a)).slice(0, MAX_LINES);
  const shown = new Set([tree.root, ...longest]);
  const lines: string[] = [];
  const walk = (node: TraceNode, depth: number): void => {
    if (shown.has(node)) lines.push(line(node, depth, onPath.has(node.id)));
    for (const child of node.children) walk(child, depth + 1);
  };
  walk(tree.root, 0);
  const left = tree.nodes.length - longest.length + tree.leftOut;
  const error =
    execution.error_message === null ? '' : `: ${execution.error_name ?? 'Error'}: ${execution.error_message}`;
  return [
    oneLine(`${execution.task_name} ${execution.status}${error}`),
    `execution ${execution.execution_id}, trace ${execution.trace_id}; ◆ is on the critical path`,
    '',
    ...lines,
    ...(left > 0 ? [`  … and ${left} shorter spans`] : []),
    ...list('Bottlenecks', analysis.bottlenecks),
    ...list('Insights', analysis.insights),
  ].join('\n');
}

function line(node: TraceNode, depth: number, isOnPath: boolean): string {
  const name = oneLine(`${'  '.repeat(depth)}${node.name}${node.ok ? '' : ' (failed)'}`);
  const cut = name.length > NAME_WIDTH ? `${name.slice(0, NAME_WIDTH - 1)}…` : name.padEnd(NAME_WIDTH);
  const own = node.children.length > 0 ? `  own ${formatMs(node.selfMs)}` : '';
  return `${isOnPath ? '◆' : ' '} ${cut} ${formatMs(durationOf(node)).padStart(10)}${own}`;
}

function list(title: string, entries: readonly { readonly message: string }[]): readonly string[] {
  return entries.length === 0 ? [] : ['', title, ...entries.map(({ message }) => `- ${oneLine(message)}`)];
}

/** What a task wrote must not steer the terminal. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}

/** What can be told about the time of an execution from its spans alone: the critical path, the bottlenecks, and what follows. */
import { percentOf } from './duration.ts';
import { type Bottleneck, bottlenecks } from './trace-bottlenecks.ts';
import { criticalPath } from './trace-critical-path.ts';
import { type Insight, insights, type Surroundings } from './trace-insights.ts';
import { durationOf, type TraceTree } from './trace-tree.ts';

export interface CriticalPart {
  /** Null where the whole waited between its attempts, or for what is not recorded yet. */
  readonly spanId: string | null;
  readonly name: string;
  readonly kind: string;
  /** Logical milliseconds since the epoch. */
  readonly startedAt: number;
  readonly durationMs: number;
  /** Of the whole. */
  readonly percent: number;
}

export interface TraceAnalysis {
  readonly durationMs: number;
  /** In order of time, without gap, from the start to the end. */
  readonly criticalPath: readonly CriticalPart[];
  readonly bottlenecks: readonly Bottleneck[];
  readonly insights: readonly Insight[];
}

/** Deterministic: the same spans give the same analysis. */
export function analysisOf(tree: TraceTree, around: Surroundings): TraceAnalysis {
  const durationMs = durationOf(tree.root);
  const parts = criticalPath(tree.root).map(({ node, startedAt, endedAt }) => ({
    spanId: node.id,
    name: node.name,
    kind: node.kind,
    startedAt,
    durationMs: endedAt - startedAt,
    percent: percentOf(endedAt - startedAt, durationMs),
  }));
  return { durationMs, criticalPath: parts, bottlenecks: bottlenecks(tree), insights: insights(tree, around) };
}

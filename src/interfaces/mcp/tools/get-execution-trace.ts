/** Tells where the time of an execution went: its spans, the failed and the slow ones first. */
import { z } from 'zod';
import { type Payload, shortened } from '../fit.ts';
import {
  type Detail,
  defineReadingTool,
  detail,
  type EmptyHints,
  maxTokens,
  reachNow,
  readingOutput,
} from '../reading-tool.ts';
import { executionMeant, executionReference, ofTask } from '../references.ts';
import { type Branch, fitTrees } from '../tree-outline.ts';

const input = z.strictObject({
  execution_id: executionReference,
  task_id: ofTask,
  include_http_calls: z.boolean().default(true),
  format: z.enum(['json', 'flamegraph']).default('json'),
  attempt: z.number().int().min(1).optional(),
  detail,
  max_tokens: maxTokens,
});

interface Span {
  readonly span_id: string;
  readonly name: string;
  readonly kind: string;
  readonly start_time: string;
  readonly duration_ms: number;
  readonly status: string;
  readonly attributes?: unknown;
  readonly children: readonly Span[];
}
const span: z.ZodType<Span> = z.object({
  span_id: z.string(),
  name: z.string(),
  kind: z.string(),
  start_time: z.string(),
  duration_ms: z.number(),
  status: z.string(),
  attributes: z.unknown().optional(),
  get children() {
    return z.array(span);
  },
});

const traced = z.object({
  execution_id: z.string(),
  status: z.string(),
  visualization_url: z.string(),
  trace: z.object({
    trace_id: z.string().nullable(),
    spans: z.array(span),
    critical_path: z.array(z.looseObject({ span_id: z.string() })),
    bottlenecks: z.array(z.unknown()),
  }),
  insights: z.array(z.unknown()),
});

interface Flame {
  readonly name: string;
  readonly value: number;
  readonly children: readonly Flame[];
}
const flame: z.ZodType<Flame> = z.object({
  name: z.string(),
  value: z.number(),
  get children() {
    return z.array(flame);
  },
});

export const getExecutionTraceTool = defineReadingTool({
  name: 'get_execution_trace',
  title: 'Get the trace of an execution',
  description:
    'Tells the spans of an execution as trees, with critical path, bottlenecks and insights; when not all fit, failed and slow spans come first. flamegraph: {name, value in ms, children}.',
  toolset: 'monitoring',
  permission: 'read_traces',
  input,
  output: z.looseObject({
    execution_id: z.string(),
    trace: z.unknown().optional().describe('{spans, critical_path, bottlenecks}'),
    flamegraph: z.unknown().optional(),
    visualization_url: z.string(),
    insights: z.array(z.unknown()).optional(),
    total: z.number(),
    ...readingOutput,
  }),
  run: async (call, asked) => {
    const { include_http_calls, format, attempt } = asked;
    const execution_id = await executionMeant(call, asked.execution_id, asked.task_id);
    await reachNow(call);
    const which = attempt === undefined ? { execution_id } : { execution_id, attempt };
    const answer = await call.ask('get_execution_trace', { ...which, include_http_calls, format });
    return format === 'json'
      ? asSpans(traced.parse(answer), asked)
      : asFlames(flame.parse(answer), execution_id, asked);
  },
});

const MAX_PATH = 20;
const MAX_FOUND = 10;

function asSpans(
  { execution_id, status, visualization_url, trace, insights }: z.infer<typeof traced>,
  { detail: how, max_tokens }: z.infer<typeof input>,
): Payload {
  const onPath: ReadonlySet<string> = new Set(trace.critical_path.map(({ span_id }) => span_id));
  // What was found out is told whole; the spans get what room is left.
  const found = {
    critical_path: shortened(max_tokens / 4, trace.critical_path.slice(0, MAX_PATH)) ?? [],
    bottlenecks: shortened(max_tokens / 4, trace.bottlenecks.slice(0, MAX_FOUND)) ?? [],
  };
  const told = shortened(max_tokens / 8, insights.slice(0, MAX_FOUND)) ?? [];
  return fitTrees(
    max_tokens,
    trace.spans.map((root) => branchOf(root, onPath, how)),
    (spans, shown, total) => ({
      execution_id,
      status,
      provenance: 'task',
      trace: { trace_id: trace.trace_id, spans, ...found },
      insights: told,
      visualization_url,
      ...countsOf(shown, total, max_tokens),
      ...(total === 0 ? { hints: hintsFor(execution_id) } : {}),
    }),
  );
}

function hintsFor(execution_id: string): EmptyHints {
  return {
    summary: 'No span is recorded.',
    possible_causes: [
      'The execution has not begun, or its attempt has not ended.',
      'include_http_calls or attempt leave out what there is.',
    ],
    suggested_actions: [
      { tool: 'get_execution_status', arguments: { execution_id } },
      { tool: 'get_execution_trace', arguments: { execution_id } },
    ],
  };
}

const FAILED = 1e12;
const ON_PATH = 1e9;
const ATTRIBUTE_TOKENS = { summary: 0, standard: 200, full: 1_000 } as const;

/** Failed spans before those that the time of the whole hangs on, before the slowest. */
function branchOf({ children, ...node }: Span, onPath: ReadonlySet<string>, how: Detail): Branch {
  const { attributes, span_id, ...rest } = node;
  const isFailed = node.status === 'error';
  const shown =
    how === 'summary' && !isFailed ? {} : { attributes: shortened(ATTRIBUTE_TOKENS[how] || 200, attributes) };
  return {
    node: { span_id, ...rest, name: shortened(100, node.name), ...shown },
    children: children.map((child) => branchOf(child, onPath, how)),
    score: (isFailed ? FAILED : 0) + (onPath.has(span_id) ? ON_PATH : 0) + node.duration_ms,
  };
}

function asFlames(root: Flame, execution_id: string, { max_tokens }: z.infer<typeof input>): Payload {
  return fitTrees(max_tokens, [flameBranch(root)], ([flamegraph], shown, total) => ({
    execution_id,
    provenance: 'task',
    flamegraph: flamegraph ?? null,
    visualization_url: `/traces/${execution_id}/visualize`,
    ...countsOf(shown, total, max_tokens),
  }));
}

function flameBranch({ name, value, children }: Flame): Branch {
  return { node: { name: shortened(100, name), value }, children: children.map(flameBranch), score: value };
}

function countsOf(shown: number, total: number, maxTokens: number) {
  const isCut = shown < total;
  const reason = `to stay within max_tokens ${maxTokens}; children_omitted tells where`;
  return { total, truncated: isCut, omitted: isCut ? { count: total - shown, reason } : null };
}

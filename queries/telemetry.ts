/** Tells what executions said: log lines in pages, spans as a tree. */
import { z } from 'zod';
import type { ReadModels } from '../projections/read-models.ts';
import { Document } from '../src/domain/document.ts';
import type { Json } from '../src/domain/event.ts';
import { LOG_LEVELS } from '../src/domain/journal.ts';
import { analysisOf, type TraceAnalysis } from '../src/domain/trace-analysis.ts';
import { traceFlame, traceFolded, traceSpeedscope, traceSvg } from '../src/domain/trace-flamegraph.ts';
import type { Surroundings } from '../src/domain/trace-insights.ts';
import { type TraceSpan, type TraceTree, traceTree } from '../src/domain/trace-tree.ts';
import { executionRow } from './execution.ts';
import { cursor, decodeCursor, defineQuery, limit, pageOf, type QueryDeps, stored } from './query.ts';

const keyForm = z.tuple([z.string(), z.number(), z.number()]);

export const getLogs = defineQuery({
  name: 'get_execution_logs',
  permission: 'read_logs',
  description: 'Log lines of an execution, oldest first.',
  input: z.strictObject({
    execution_id: z.string().min(1).max(64),
    level: z.enum(LOG_LEVELS).default('trace').describe('Least level to tell.'),
    search: z.string().max(256).optional().describe('Part of the message.'),
    attempt: z.coerce.number().int().positive().optional(),
    limit: limit(100),
    cursor,
  }),
  read: async (deps, input) => {
    const execution = await executionRow(deps, input.execution_id);
    let query = deps.db
      .selectFrom('log_lines')
      .selectAll()
      .where('execution_id', '=', input.execution_id)
      .where('severity', '>=', LOG_LEVELS.indexOf(input.level))
      .orderBy('position')
      .orderBy('attempt')
      .orderBy('ordinal')
      .limit(input.limit + 1);
    if (input.attempt !== undefined) query = query.where('attempt', '=', input.attempt);
    if (input.search !== undefined)
      query = query.where('message', 'like', `%${input.search.replaceAll(/[%_]/g, '_')}%`);
    if (input.cursor !== undefined) {
      const [position] = decodeCursor(input.cursor, keyForm);
      query = query.where('position', '>', position);
    }
    const page = pageOf(await query.execute(), input.limit, (row) => [row.position, row.attempt, row.ordinal]);
    const logs = page.rows.map(toldLine);
    return {
      execution_id: input.execution_id,
      status: execution.status,
      logs,
      summary: summaryOf(logs, execution),
      next_cursor: page.next_cursor,
    };
  },
});

/** A log line as lists tell it. */
export function toldLine(row: ReadModels['log_lines']) {
  return {
    timestamp: new Date(row.clock).toISOString(),
    level: row.level,
    message: row.message,
    context: row.fields === null ? null : stored(row.fields),
    attempt: row.attempt,
    ordinal: row.ordinal,
    span_id: row.span_id,
    trace_id: row.trace_id,
    position: row.position,
  };
}

function summaryOf(logs: readonly { level: string }[], execution: ReadModels['executions']): string {
  const counted = LOG_LEVELS.map((level) => ({ level, count: logs.filter((log) => log.level === level).length }))
    .filter(({ count }) => count > 0)
    .map(({ level, count }) => `${count} ${level}`)
    .join(', ');
  const said = logs.length === 0 ? 'no log lines' : `${logs.length} log lines (${counted})`;
  const error = execution.error_message === null ? '' : `: ${execution.error_name}: ${execution.error_message}`;
  return `${said}; ${execution.task_name} ${execution.status}${error}`;
}

interface SpanNode {
  readonly span_id: string;
  readonly parent_span_id: string | null;
  readonly name: string;
  readonly kind: string;
  readonly start_time: string;
  readonly duration_ms: number;
  readonly status: 'ok' | 'error';
  readonly attributes: Json;
  readonly children: SpanNode[];
}

const flag = z.union([z.boolean(), z.stringbool()]);

/** Whose spans, and of which attempt; of all attempts when left out. */
export const traceInput = z.strictObject({
  execution_id: z.string().min(1).max(64),
  attempt: z.coerce.number().int().positive().optional(),
});

export const TRACE_FORMATS = ['json', 'flamegraph', 'folded', 'speedscope', 'svg'] as const;

export const getTrace = defineQuery({
  name: 'get_execution_trace',
  permission: 'read_traces',
  description:
    'The spans of an execution as trees, one for each attempt that began anew, or those of the given attempt; with the critical path, bottlenecks and insights, or as a flamegraph.',
  input: traceInput.extend({
    include_http_calls: flag
      .default(true)
      .describe('False leaves HTTP spans out of the tree; the analysis counts them.'),
    format: z
      .enum(TRACE_FORMATS)
      .default('json')
      .describe(
        'flamegraph: nested {name, value, children} in ms. folded: lines of stacks. speedscope: its file format.',
      ),
    analysis: flag.default(true),
  }),
  read: async (deps, input) => {
    const { execution, rows, tree, around } = await readTrace(deps, input);
    switch (input.format) {
      case 'flamegraph':
        return traceFlame(tree);
      case 'folded':
        return new Document('text/plain', traceFolded(tree));
      case 'speedscope':
        return traceSpeedscope(tree);
      case 'svg':
        return new Document('image/svg+xml', traceSvg(tree));
      case 'json': {
        const shown = input.include_http_calls
          ? rows
          : rows.filter((row) => !row.attributes.includes('"http.request.method"'));
        const base = {
          execution_id: input.execution_id,
          status: execution.status,
          trace: { trace_id: execution.trace_id, spans: treeOf(shown) },
          visualization_url: `/traces/${input.execution_id}/visualize`,
        };
        if (!input.analysis) return base;
        const { critical_path, bottlenecks, insights } = toldAnalysis(analysisOf(tree, around));
        return { ...base, trace: { ...base.trace, critical_path, bottlenecks }, insights };
      }
      default:
        return input.format satisfies never;
    }
  },
});

export interface ReadTrace {
  readonly execution: Awaited<ReturnType<typeof executionRow>>;
  readonly rows: readonly ReadModels['spans'][];
  readonly tree: TraceTree;
  readonly around: Surroundings;
}

/** Spans as stored, and as one tree. Fails with `execution_not_found`. */
export async function readTrace(deps: QueryDeps, input: z.infer<typeof traceInput>): Promise<ReadTrace> {
  const execution = await executionRow(deps, input.execution_id);
  let query = deps.db
    .selectFrom('spans')
    .selectAll()
    .where('execution_id', '=', input.execution_id)
    .orderBy('attempt')
    .orderBy('ordinal');
  if (input.attempt !== undefined) query = query.where('attempt', '=', input.attempt);
  const rows = await query.execute();
  const spans = rows.map((row): TraceSpan => {
    const { span_id: id, parent_span_id: parentId, name, kind, started_at: startedAt, ended_at: endedAt } = row;
    return { id, parentId, name, kind, startedAt, endedAt, ok: row.ok === 1, attributes: JSON.parse(row.attributes) };
  });
  const wallMs = input.attempt === undefined ? execution.duration_ms : null;
  const around = { hasEnded: execution.finished_at !== null, wallMs };
  return { execution, rows, tree: traceTree(spans, execution.task_name), around };
}

function toldAnalysis({ criticalPath, bottlenecks, insights }: TraceAnalysis) {
  return {
    critical_path: criticalPath.map(({ spanId, name, kind, startedAt, durationMs, percent }) => ({
      span_id: spanId,
      name,
      kind,
      start_time: new Date(startedAt).toISOString(),
      duration_ms: durationMs,
      percent,
    })),
    bottlenecks: bottlenecks.map(({ kind, message, spanIds, count, durationMs, percent }) => ({
      kind,
      message,
      span_ids: spanIds,
      count,
      duration_ms: durationMs,
      percent,
    })),
    insights: insights.map(({ message, spanIds }) => ({ message, span_ids: spanIds })),
  };
}

function treeOf(rows: readonly ReadModels['spans'][]): readonly SpanNode[] {
  const nodes = new Map(rows.map((row) => [row.span_id, node(row)]));
  const roots: SpanNode[] = [];
  for (const span of nodes.values()) {
    const parent = span.parent_span_id === null ? undefined : nodes.get(span.parent_span_id);
    (parent === undefined ? roots : parent.children).push(span);
  }
  for (const span of nodes.values())
    span.children.sort((a, b) => (a.start_time < b.start_time ? -1 : a.start_time > b.start_time ? 1 : 0));
  return roots;
}

function node(row: ReadModels['spans']): SpanNode {
  return { ...toldSpan(row), children: [] };
}

/** A span as it is told, without those below it. */
export function toldSpan(row: ReadModels['spans']): Omit<SpanNode, 'children'> {
  return {
    span_id: row.span_id,
    parent_span_id: row.parent_span_id,
    name: row.name,
    kind: row.kind,
    start_time: new Date(row.started_at).toISOString(),
    duration_ms: row.ended_at - row.started_at,
    status: row.ok === 1 ? 'ok' : 'error',
    attributes: stored(row.attributes),
  };
}

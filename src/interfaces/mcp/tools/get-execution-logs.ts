/** Tells what an execution logged: errors and what is around them first, repeats once, and every line by its id. */
import { z } from 'zod';
import { countLines, type LineKey, type LinesWanted, type ReadLine, readLines } from '../../../../queries/log-lines.ts';
import { decodeCursor, encodeCursor } from '../../../../queries/query.ts';
import { RatchetError } from '../../../domain/errors.ts';
import { LOG_LEVELS } from '../../../domain/journal.ts';
import type { Core } from '../../operation.ts';
import { AnswerCache } from '../answer-cache.ts';
import { fitItems, type Payload } from '../fit.ts';
import { collapsed, type LogEntry, ranked } from '../log-digest.ts';
import { defineReadingTool, detail, type EmptyHints, maxTokens, reachNow, readingOutput } from '../reading-tool.ts';
import { executionMeant, executionReference, ofTask } from '../references.ts';
import { entryText, toldEntry } from '../told-log.ts';
import type { ToolCall } from '../tool.ts';

const input = z.strictObject({
  execution_id: executionReference,
  task_id: ofTask,
  level: z.enum(LOG_LEVELS).default('trace').describe('Least level.'),
  limit: z.number().int().min(1).max(1_000).default(100),
  format: z.enum(['json', 'text']).default('json'),
  search: z.string().max(256).optional().describe('Part of the message.'),
  around: z.string().max(32).optional().describe('seq of a line: the lines before and after it.'),
  attempt: z.number().int().min(1).optional(),
  cursor: z.string().max(256).optional(),
  detail,
  max_tokens: maxTokens,
});
type Asked = z.infer<typeof input>;

const ENDED = ['completed', 'failed', 'cancelled'];
/** Lines among which the most useful are chosen. */
const MAX_CHOSEN_FROM = 20_000;

const looked = z.looseObject({ status: z.string(), summary: z.string() });
const cursorForm = z.tuple([z.number(), z.number()]);

/** Of each app in this process its own. */
const caches = new WeakMap<Core, AnswerCache>();

export const getExecutionLogsTool = defineReadingTool({
  name: 'get_execution_logs',
  title: 'Get the logs of an execution',
  description:
    'Tells the log lines of an execution; when not all fit, errors and the lines around them come first. around takes the seq of a line, next_cursor reads on line by line.',
  toolset: 'logging',
  permission: 'read_logs',
  input,
  output: z.looseObject({
    execution_id: z.string(),
    logs: z
      .array(z.unknown())
      .optional()
      .describe('{seq, timestamp, level, message, context, error_info, repeated, skipped}'),
    text: z.string().optional(),
    summary: z.string(),
    total: z.number(),
    next_cursor: z.string().nullable(),
    ...readingOutput,
  }),
  synonyms: { min_level: 'level', query: 'search' },
  run: async (call, asked) => {
    const executionId = await executionMeant(call, asked.execution_id, asked.task_id);
    const isFresh = await reachNow(call);
    // Rights and limits are those of the operation, also where the answer is kept already.
    const { status, summary } = looked.parse(
      await call.ask('get_execution_logs', { execution_id: executionId, limit: 1 }),
    );
    const { core, settings } = call;
    const ended = summary.slice(summary.indexOf('; ') + 2);
    if (!isFresh || !ENDED.includes(status)) return read(call, executionId, ended, asked);
    const cache = caches.get(core) ?? new AnswerCache();
    caches.set(core, cache);
    const key = JSON.stringify([...rightsOf(call), executionId, { ...asked, execution_id: '', task_id: '' }]);
    const now = core.execute.runtime.now();
    const kept = cache.get(key, now);
    if (kept !== null) return kept;
    const answer = await read(call, executionId, ended, asked);
    cache.put(key, answer, now + settings.logCacheTtlMs);
    return answer;
  },
});

function rightsOf({ caller }: ToolCall): readonly unknown[] {
  const { permissions, tasks } = caller.principal;
  return [[...permissions].sort(), tasks];
}

interface Chosen {
  readonly entries: readonly LogEntry[];
  /** The most useful first; in their order when left out. */
  readonly order?: readonly number[];
  /** Lines of the execution that were asked for, and how many of each level. */
  readonly total: number;
  readonly counts: string;
  /** Whether lines that were asked for are not among the entries. */
  readonly isPart: boolean;
  /** Where one reads on from these entries; null at the end. */
  readonly after: (last: ReadLine | undefined, isWhole: boolean) => LineKey | null;
}

async function read(call: ToolCall, executionId: string, ended: string, asked: Asked): Promise<Payload> {
  const { level, search = null, attempt = null } = asked;
  const wanted = { executionId, level, search, attempt };
  const limit = Math.min(asked.limit, call.settings.maxLogEntries);
  const chosen = await choose(call, wanted, asked, limit);
  const { entries, order, total, counts } = chosen;
  const hints = total === 0 ? { hints: hintsFor(executionId, asked) } : {};
  return fitItems(asked.max_tokens, {
    items: entries,
    ...(order === undefined ? {} : { ranked: order }),
    most: limit,
    tell: (entry) => (asked.format === 'text' ? entryText(entry, asked.detail) : toldEntry(entry, asked.detail)),
    build: (kept, isWhole) => {
      const lines = kept.reduce((sum, { count }) => sum + count, 0);
      const next = chosen.after(kept.at(-1)?.last, isWhole);
      const isCut = !isWhole || chosen.isPart;
      return {
        execution_id: executionId,
        provenance: 'task',
        ...(asked.format === 'text'
          ? { text: kept.map((entry) => entryText(entry, asked.detail)).join('\n') }
          : { logs: toldWithGaps(kept, entries, asked) }),
        summary: `${total} log lines${counts}, ${lines} told; ${ended}`,
        total,
        next_cursor: next === null ? null : encodeCursor([next.attempt, next.ordinal]),
        truncated: isCut,
        omitted: isCut
          ? {
              count: total - lines,
              reason: 'limit and max_tokens; next_cursor reads line by line, around=<seq> near a line',
            }
          : null,
        ...hints,
      };
    },
  });
}

async function choose(call: ToolCall, wanted: LinesWanted, asked: Asked, limit: number): Promise<Chosen> {
  const deps = call.core.query;
  const counted = await countLines(deps, wanted);
  const total = Object.values(counted).reduce((sum, count) => sum + count, 0);
  const named = Object.entries(counted).map(([name, count]) => `${count} ${name}`);
  const counts = named.length === 0 ? '' : ` (${named.join(', ')})`;
  if (asked.around !== undefined) {
    const entries = await around(deps, wanted, lineOf(asked.around), limit);
    const after = (last: ReadLine | undefined) => last ?? null;
    return {
      entries,
      order: nearest(entries, lineOf(asked.around)),
      total,
      counts,
      isPart: entries.length < total,
      after,
    };
  }
  if (asked.cursor !== undefined) {
    const [attempt, ordinal] = decodeCursor(asked.cursor, cursorForm);
    const lines = await readLines(deps, { ...wanted, after: { attempt, ordinal } }, limit + 1);
    const entries = collapsed(lines.slice(0, limit));
    const isLast = lines.length <= limit;
    return {
      entries,
      total,
      counts,
      isPart: false,
      after: (last, isWhole) => (last === undefined || (isWhole && isLast) ? null : last),
    };
  }
  const lines = await readLines(deps, wanted, MAX_CHOSEN_FROM);
  // Errors far behind the first lines are looked for too.
  const far = lines.at(-1);
  const later = total > lines.length && far !== undefined ? await errorsAfter(call, wanted, far, limit) : [];
  const entries = collapsed([...lines, ...later]);
  const isPart = lines.length + later.length < total;
  const start = { attempt: 0, ordinal: 0 };
  return {
    entries,
    order: ranked(entries),
    total,
    counts,
    isPart,
    after: (_, isWhole) => (isWhole && !isPart ? null : start),
  };
}

function errorsAfter({ core }: ToolCall, wanted: LinesWanted, after: LineKey, limit: number) {
  return readLines(core.query, { ...wanted, level: 'error', after }, limit);
}

/** Half of the lines before the one that is meant, the other half from it on. */
async function around(
  deps: Core['query'],
  wanted: LinesWanted,
  at: LineKey,
  limit: number,
): Promise<readonly LogEntry[]> {
  const before = await readLines(deps, { ...wanted, before: at }, Math.floor((limit - 1) / 2));
  const from = { attempt: at.attempt, ordinal: at.ordinal - 1 };
  const following = await readLines(deps, { ...wanted, after: from }, limit - before.length);
  return [...before, ...following].map((line) => ({ line, count: 1, last: line }));
}

/** @returns the places of entries, those near the line first. */
function nearest(entries: readonly LogEntry[], { attempt, ordinal }: LineKey): readonly number[] {
  const places = entries.map((_, index) => index);
  const at = entries.findIndex(
    ({ line }) => line.attempt > attempt || (line.attempt === attempt && line.ordinal >= ordinal),
  );
  return places.toSorted((a, b) => Math.abs(a - at) - Math.abs(b - at));
}

/** `skipped` tells how many lines are left out before an entry. */
function toldWithGaps(kept: readonly LogEntry[], all: readonly LogEntry[], { detail: how }: Asked): readonly object[] {
  const shown = new Set(kept);
  const told: object[] = [];
  let skipped = 0;
  for (const entry of all) {
    if (!shown.has(entry)) {
      skipped += entry.count;
      continue;
    }
    told.push({ ...toldEntry(entry, how), ...(skipped === 0 ? {} : { skipped }) });
    skipped = 0;
  }
  return told;
}

function lineOf(seq: string): LineKey {
  const [, attempt, ordinal] = /^(\d{1,9}):(\d{1,15})$/.exec(seq) ?? [];
  if (attempt !== undefined && ordinal !== undefined) return { attempt: Number(attempt), ordinal: Number(ordinal) };
  const problem = { field: 'around', message: 'is no seq of a line, such as 1:42' };
  throw new RatchetError('invalid_request', `around: ${problem.message}`, { details: { problems: [problem] } });
}

function hintsFor(execution_id: string, { level, search, attempt }: Asked): EmptyHints {
  const isNarrow = level !== 'trace' || search !== undefined || attempt !== undefined;
  const all = { tool: 'get_execution_logs', arguments: { execution_id } };
  return {
    summary: 'No log line matches.',
    possible_causes: [isNarrow ? 'level, search or attempt leave out what there is.' : 'The task logs nothing.'],
    suggested_actions: [...(isNarrow ? [all] : []), { tool: 'get_execution_trace', arguments: { execution_id } }],
  };
}

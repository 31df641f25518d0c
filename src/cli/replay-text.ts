/** Results of replays as people read them on a terminal. */
import type { FailuresResult, JsonDifference, PatchedResult, PatchedStep, ReplayResult } from '../domain/replay.ts';
import { pretty, table } from './output.ts';

/** @returns a faithful replay, with each difference. */
export function toldReplayText({ identical, attempt, steps, turns, result, differences }: ReplayResult): string {
  const head = `${identical ? 'identical' : 'DIFFERENT'}: attempt ${attempt}, ${steps} steps, ${turns} turns, ${result}`;
  const lines = differences.map(
    ({ what, expected, actual }) => `${what}\n  recorded ${pretty(expected)}\n  replayed ${pretty(actual)}`,
  );
  return [head, ...lines].join('\n');
}

const MARKS = { reused: '=', changed: '~', new: '+', missing: '-' } as const;
const MAX_NAME = 80;
const MAX_VALUE = 120;

/** @returns a patched replay: its steps with a mark each, what differs in the output, and the verdict. */
export function toldPatchedText({ steps, error, outputDiff, verdict, summary }: PatchedResult): string {
  const rows = steps.map(({ change, path, kind, name, answeredBy, outcome }) => [
    `${MARKS[change]} ${change}`,
    path,
    kind,
    name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}…` : name,
    answeredBy,
    outcomeText(outcome),
  ]);
  const steps_ =
    rows.length === 0 ? [] : [table([['  change', 'step', 'kind', 'name', 'answered by', 'outcome'], ...rows])];
  const diff = outputDiff.length === 0 ? [] : ['output', ...outputDiff.map(differenceText)];
  const stack = error === null ? [] : [error.stack ?? `${error.name}: ${error.message}`];
  return [...steps_, ...diff, ...stack, `${verdict}: ${summary}`].join('\n');
}

function outcomeText(outcome: PatchedStep['outcome']): string {
  if (outcome === null) return '';
  if (!outcome.ok) return outcome.error.name;
  const { value } = outcome;
  const isHttp = typeof value === 'object' && value !== null && 'status' in value && 'bodyEncoding' in value;
  return isHttp ? String(value.status) : 'ok';
}

function differenceText({ path, expected, actual }: JsonDifference): string {
  const shown = (value: JsonDifference['expected']): string => {
    const text = value === undefined ? '(nothing)' : JSON.stringify(value);
    return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
  };
  return `  ${path === '' ? '(all)' : path}: ${shown(expected)} -> ${shown(actual)}`;
}

/** @returns one row for each failure, and how many came to which verdict. */
export function toldFailuresText({ rows, counts, fingerprint }: FailuresResult): string {
  const shown = rows.map(({ executionId, verdict, summary }) => [executionId, verdict, summary]);
  const told = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([verdict, count]) => `${count} ${verdict}`);
  const lines = shown.length === 0 ? [] : [table([['execution', 'verdict', 'what came of it'], ...shown])];
  return [...lines, `${rows.length} failures like ${fingerprint}: ${told.join(', ') || 'none'}`].join('\n');
}

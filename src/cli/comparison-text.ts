/** A comparison of two executions as people read it: what differs first, then both sides step by step. */
import type { ComparisonResult, ToldDifference, ToldPair } from '../domain/diagnosis/compare-runs.ts';
import { table } from './output.ts';

const MARKS = { same: ' ', changed_request: '~', changed_outcome: '!', only_in_a: '-', only_in_b: '+' } as const;

/** @returns the comparison as text. */
export function compareRunsText(comparison: ComparisonResult): string {
  const { a, b, first_difference, steps } = comparison;
  const runs = [a, b].map((run, index) => [
    index === 0 ? 'a' : 'b',
    run.execution_id,
    `${run.task} version ${run.version}`,
    run.status,
    `${run.steps} steps`,
    run.duration_ms === null ? '' : `${run.duration_ms} ms`,
  ]);
  return [
    table(runs),
    '',
    `first difference: ${first_difference.sentence}`,
    ...section('input', comparison.input_differences),
    ...(steps.pairs.length === 0 ? [] : ['', 'steps:', table(steps.pairs.map(toldPair))]),
    ...(steps.truncated ? ['(more steps are not shown)'] : []),
    ...section('output', comparison.output_differences),
    ...section('error', comparison.error_differences),
  ].join('\n');
}

function toldPair({ state, a, b }: ToldPair): readonly string[] {
  const side = a ?? b;
  return [
    `${MARKS[state]} ${side?.path ?? ''}`,
    side?.name ?? '',
    a?.outcome ?? '',
    b?.outcome ?? '',
    state.replaceAll('_', ' '),
  ];
}

function section(title: string, differences: readonly ToldDifference[]): readonly string[] {
  const lines = differences.map(({ path, a, b, how }) => {
    const [left, right] = [
      how === 'absent_in_a' ? 'absent' : JSON.stringify(a),
      how === 'absent_in_b' ? 'absent' : JSON.stringify(b),
    ];
    return `  ${path === '' ? '(root)' : path}: ${left} → ${right}`;
  });
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines];
}

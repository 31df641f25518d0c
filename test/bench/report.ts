/** Prints what a benchmark found as a table that people read. */
import { type Benchmark, type Limit, type Line, type Outcome, ratioOf, type Shares, verdictOf } from './benchmark.ts';
import type { Spread } from './measure.ts';

const HEAD = ['', 'median', 'range', 'baseline', 'ratio', 'floor', 'goal', ''];

/** @returns the table, the processor shares and the notes of one benchmark. */
export function tableOf({ name, title }: Benchmark, { lines, shares = [], notes }: Outcome): string {
  const rows = [HEAD, ...lines.flatMap(rowsOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const table = rows.map((row) => row.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join('  '));
  const parts = [`${name}: ${title}`, ...table.map((row) => `  ${row.trimEnd()}`), ...shares.map(sharesOf)];
  return [...parts, ...notes.map((note) => `  note: ${note}`), ''].join('\n');
}

function pad(cell: string, width: number, column: number): string {
  return column === 0 || column === 3 ? cell.padEnd(width) : cell.padStart(width);
}

function rowsOf(line: Line): string[][] {
  const ratio = ratioOf(line);
  const { baseline } = line;
  const first = [
    line.name,
    shown(line.value.median, line.unit),
    range(line.value),
    baseline === null ? '' : `${shown(baseline.value.median, line.unit)} ${baseline.name} (${range(baseline.value)})`,
    ratio === null ? '' : ratio.toFixed(2),
  ];
  const [limit, ...more] = line.limits;
  return [
    [...first, ...(limit === undefined ? ['', '', ''] : limitCells(line, limit))],
    ...more.map((other) => ['', '', '', '', '', ...limitCells(line, other)]),
  ];
}

function limitCells(line: Line, limit: Limit): string[] {
  const told = (bound: number): string => (limit.of === 'ratio' ? `×${bound}` : shown(bound, line.unit));
  const verdict = { goal: 'goal met', floor: 'floor met', missed: 'MISSED' }[verdictOf(line, limit)];
  return [told(limit.floor), told(limit.goal), verdict];
}

function shown(value: number, unit: Line['unit']): string {
  return unit === '/s' ? `${plain(value)}/s` : `${plain(value)} ${unit}`;
}

function range({ min, max }: Spread): string {
  return `${plain(min)}–${plain(max)}`;
}

function plain(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

function sharesOf({ name, micros, budgets }: Shares): string {
  const all = Object.values(micros).reduce((sum, part) => sum + part, 0);
  const stages = Object.entries(micros).map(([stage, part]) => {
    const budget = budgets[stage];
    const limit = budget === undefined ? '' : `, budget ${plain(budget)}`;
    return `${stage} ${plain(part)} (${Math.round((part / all) * 100)} %${limit})`;
  });
  return `  µs of processor ${name}: ${plain(all)} = ${stages.join(' + ')}`;
}

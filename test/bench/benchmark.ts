/** What a benchmark is asked for and what it answers, so that all are printed, stored and compared alike. */
import type { Spread } from './measure.ts';

export interface BenchSettings {
  /** Length of one round of one measurement. */
  readonly seconds: number;
  /** Rounds, at least 3. */
  readonly rounds: number;
}

/** A floor that must be met and a goal that should be, of a value or of its ratio to the baseline. */
export interface Limit {
  readonly of: 'value' | 'ratio';
  readonly floor: number;
  readonly goal: number;
}

export interface Line {
  readonly name: string;
  readonly unit: '/s' | 'ms' | 'MB';
  readonly value: Spread;
  /** Measured in the same run, in turn with the value. */
  readonly baseline: { readonly name: string; readonly value: Spread } | null;
  readonly limits: readonly Limit[];
}

/** Processor time of one unit of work, by the stage that spent it. */
export interface Shares {
  readonly name: string;
  /** Microseconds for each unit of work. */
  readonly micros: Readonly<Record<string, number>>;
  /** Microseconds that a stage may take, where design says so. */
  readonly budgets: Readonly<Record<string, number>>;
}

export interface Outcome {
  readonly lines: readonly Line[];
  readonly shares?: readonly Shares[];
  /** What must be known to read the numbers. */
  readonly notes: readonly string[];
}

export interface Benchmark {
  readonly name: string;
  readonly title: string;
  readonly run: (settings: BenchSettings) => Promise<Outcome>;
}

/** @returns value over baseline, by medians; null without a baseline. */
export function ratioOf({ value, baseline }: Line): number | null {
  return baseline === null ? null : value.median / baseline.value.median;
}

/** Times and sizes are better when smaller. */
export function verdictOf(line: Line, limit: Limit): 'goal' | 'floor' | 'missed' {
  const actual = limit.of === 'value' ? line.value.median : ratioOf(line);
  if (actual === null) return 'missed';
  const meets = (bound: number): boolean => (line.unit === '/s' ? actual >= bound : actual <= bound);
  if (meets(limit.goal)) return 'goal';
  return meets(limit.floor) ? 'floor' : 'missed';
}

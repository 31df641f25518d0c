/** Puts the steps of two journals side by side: the same call first, then the same content elsewhere, then the same place. */
import { canonicalJson } from '../journal.ts';
import type { RecordedStep } from './failure-case.ts';
import { seenValue, statusOf } from './recorded-value.ts';

/** Steps beyond this are counted only. */
export const MAX_ALIGNED = 2_000;

export type PairState = 'same' | 'changed_request' | 'changed_outcome' | 'only_in_a' | 'only_in_b';

export interface StepPair {
  readonly state: PairState;
  readonly a: RecordedStep | null;
  readonly b: RecordedStep | null;
}

type Indexed = readonly (RecordedStep | null)[];

/** @returns pairs in the order of the code: by path, a step's inner ones before it. */
export function alignJournals(a: readonly RecordedStep[], b: readonly RecordedStep[]): readonly StepPair[] {
  const left: (RecordedStep | null)[] = inOrder(a).slice(0, MAX_ALIGNED);
  const right: (RecordedStep | null)[] = inOrder(b).slice(0, MAX_ALIGNED);
  const pairs: StepPair[] = [];
  const pair = (i: number, j: number): void => {
    const [one, other] = [left[i], right[j]];
    if (one === null || one === undefined || other === null || other === undefined) return;
    pairs.push({ state: stateOf(one, other), a: one, b: other });
    left[i] = null;
    right[j] = null;
  };
  byKey(left, right, ({ path, kind, argsHash }) => `${path} ${kind} ${argsHash}`, pair);
  inSequence(left, right, ({ kind, argsHash }) => `${kind} ${argsHash}`, pair);
  byKey(left, right, ({ path, kind }) => `${path} ${kind}`, pair);
  inSequence(left, right, ({ kind, name }) => `${kind} ${shapeOfName(name)}`, pair);
  for (const step of left) if (step !== null) pairs.push({ state: 'only_in_a', a: step, b: null });
  for (const step of right) if (step !== null) pairs.push({ state: 'only_in_b', a: null, b: step });
  return merged(pairs);
}

/** In the order of `a`; what only `b` has stands before the step that follows it there. */
function merged(pairs: readonly StepPair[]): readonly StepPair[] {
  const byPath = (one: StepPair, other: StepPair): number => comparePaths(pathOf(one), pathOf(other));
  const added = pairs.filter(({ a }) => a === null).sort(byPath);
  const order: StepPair[] = [];
  let next = 0;
  for (const pair of pairs.filter(({ a }) => a !== null).sort(byPath)) {
    for (; pair.b !== null && next < added.length; next += 1) {
      const one = added[next];
      if (one === undefined || comparePaths(pathOf(one), pair.b.path) > 0) break;
      order.push(one);
    }
    order.push(pair);
  }
  return [...order, ...added.slice(next)];
}

function byKey(
  left: Indexed,
  right: Indexed,
  keyOf: (step: RecordedStep) => string,
  pair: (i: number, j: number) => void,
) {
  const places = new Map<string, number>();
  right.forEach((step, index) => {
    if (step !== null) places.set(keyOf(step), index);
  });
  left.forEach((step, index) => {
    const place = step === null ? undefined : places.get(keyOf(step));
    if (place !== undefined) pair(index, place);
  });
}

/** The longest common subsequence by dynamic programming (Wagner and Fischer 1974), on what is not paired yet. */
function inSequence(
  left: Indexed,
  right: Indexed,
  keyOf: (step: RecordedStep) => string,
  pair: (i: number, j: number) => void,
) {
  const rest = (steps: Indexed) => steps.flatMap((step, index) => (step === null ? [] : [{ index, key: keyOf(step) }]));
  const [rows, columns] = [rest(left), rest(right)];
  const width = columns.length + 1;
  const lengths = new Uint16Array((rows.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = rows.length - 1; i >= 0; i -= 1) {
    for (let j = columns.length - 1; j >= 0; j -= 1) {
      const isSame = rows[i]?.key === columns[j]?.key;
      lengths[i * width + j] = isSame ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  for (let i = 0, j = 0; i < rows.length && j < columns.length; ) {
    const [row, column] = [rows[i], columns[j]];
    if (row !== undefined && column !== undefined && row.key === column.key) {
      pair(row.index, column.index);
      i += 1;
      j += 1;
    } else if (at(i + 1, j) >= at(i, j + 1)) i += 1;
    else j += 1;
  }
}

function stateOf(a: RecordedStep, b: RecordedStep): PairState {
  if (a.argsHash !== b.argsHash || a.kind !== b.kind) return 'changed_request';
  return outcomeText(a) === outcomeText(b) ? 'same' : 'changed_outcome';
}

/** What of an outcome is compared: headers such as the date differ from call to call, and say nothing. */
function outcomeText(step: RecordedStep): string {
  if (!step.outcome.ok) return `${step.outcome.error.name}: ${step.outcome.error.message}`;
  const status = statusOf(step);
  const value = seenValue(step) ?? null;
  const isAnswer = status !== null && typeof value === 'object' && value !== null && 'body' in value;
  return isAnswer ? `${status} ${canonicalJson(value.body ?? null)}` : canonicalJson(value);
}

/** A name without what differs from call to call. */
function shapeOfName(name: string): string {
  return name.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}|\d+/gi, '*');
}

function inOrder(steps: readonly RecordedStep[]): RecordedStep[] {
  return [...steps].sort((one, other) => comparePaths(one.path, other.path));
}

function pathOf({ a, b }: StepPair): string {
  return (a ?? b)?.path ?? '';
}

/** `2` before `10`; `3/1` before `3`, whose outcome it is part of. */
export function comparePaths(a: string, b: string): number {
  const [left, right] = [a.split('/'), b.split('/')];
  for (let index = 0; index < Math.min(left.length, right.length); index += 1) {
    const difference = Number(left[index]) - Number(right[index]);
    if (difference !== 0) return difference;
  }
  return right.length - left.length;
}

/** Says how two executions differ: task, code, input, steps, result; and which difference comes first. */
import type { Json } from '../event.ts';
import type { ExecutionStatus, Failure } from '../execution.ts';
import { jsonDifferences } from '../json-difference.ts';
import type { JsonDifference } from '../replay.ts';
import { alignJournals, MAX_ALIGNED, type PairState, type StepPair } from './align-journals.ts';
import { cutJson, cutText, shortly, type Told } from './cut-values.ts';
import { answered, called } from './failing-step.ts';
import type { RecordedStep, Run } from './failure-case.ts';
import { seenValue } from './recorded-value.ts';

/** A run with how it came out, as far as it came. */
export interface ComparedRun extends Run {
  readonly attempt: number | null;
  readonly status: ExecutionStatus;
  readonly output: Json;
  readonly failure: Failure | null;
  readonly durationMs: number | null;
}

interface ToldRun {
  readonly execution_id: string;
  readonly task: string;
  readonly version: number;
  readonly attempt: number | null;
  readonly status: ExecutionStatus;
  readonly steps: number;
  readonly duration_ms: number | null;
  readonly error: { readonly error_type: string; readonly message: string; readonly code: string } | null;
}

export interface ToldDifference {
  readonly path: string;
  readonly a: Told | null;
  readonly b: Told | null;
  /** `changed`: in both. `absent_in_a`, `absent_in_b`: in one only. */
  readonly how: 'changed' | 'absent_in_a' | 'absent_in_b';
}

export interface ToldPair {
  readonly state: PairState;
  readonly kind: string;
  readonly a: ToldSide | null;
  readonly b: ToldSide | null;
  /** What changed in the request and in the outcome. */
  readonly request_differences: readonly ToldDifference[];
  readonly outcome_differences: readonly ToldDifference[];
}

interface ToldSide {
  readonly path: string;
  readonly name: string;
  readonly outcome: string;
  readonly duration_ms: number;
  readonly position: string;
}

export interface FirstDifference {
  readonly what: 'task' | 'code' | 'input' | 'step' | 'error' | 'output' | 'status' | 'nothing';
  /** One sentence for people. */
  readonly sentence: string;
}

export interface ComparisonResult {
  readonly a: ToldRun;
  readonly b: ToldRun;
  readonly same_task: boolean;
  readonly same_version: boolean;
  readonly same_code: boolean;
  readonly same_input: boolean;
  readonly first_difference: FirstDifference;
  readonly input_differences: readonly ToldDifference[];
  readonly steps: {
    readonly counts: Readonly<Record<PairState, number>>;
    readonly pairs: readonly ToldPair[];
    readonly truncated: boolean;
  };
  readonly output_differences: readonly ToldDifference[];
  readonly error_differences: readonly ToldDifference[];
}

const MAX_PAIRS = 100;
const MAX_TOLD = 20;
const MAX_VALUE = 300;

/** @returns how `b` differs from `a`. */
export function compareRuns(a: ComparedRun, b: ComparedRun): ComparisonResult {
  const pairs = alignJournals(a.steps, b.steps);
  const counts = { same: 0, changed_request: 0, changed_outcome: 0, only_in_a: 0, only_in_b: 0 };
  for (const { state } of pairs) counts[state] += 1;
  // What differs is told before what does not, so that a long list of equal steps hides nothing.
  const differing = pairs.filter(({ state }) => state !== 'same');
  const shown = new Set([...differing, ...pairs.filter(({ state }) => state === 'same')].slice(0, MAX_PAIRS));
  return {
    a: toldRun(a),
    b: toldRun(b),
    same_task: a.task.id === b.task.id,
    same_version: a.task.id === b.task.id && a.task.version === b.task.version,
    same_code: a.task.contentHash === b.task.contentHash,
    same_input: jsonDifferences(a.input, b.input).length === 0,
    first_difference: firstDifference(a, b, pairs),
    input_differences: differences(a.input, b.input),
    steps: {
      counts,
      pairs: pairs.filter((pair) => shown.has(pair)).map(toldPair),
      truncated: shown.size < pairs.length || Math.max(a.steps.length, b.steps.length) > MAX_ALIGNED,
    },
    output_differences: differences(a.output, b.output),
    error_differences: differences(errorOf(a), errorOf(b)),
  };
}

/** The cause comes before what follows from it: code, then input, then steps in the order of the code, then the result. */
function firstDifference(a: ComparedRun, b: ComparedRun, pairs: readonly StepPair[]): FirstDifference {
  if (a.task.id !== b.task.id) {
    return { what: 'task', sentence: `a ran the task ${a.task.name}, b the task ${b.task.name}` };
  }
  if (a.task.contentHash !== b.task.contentHash) {
    return { what: 'code', sentence: `a ran version ${a.task.version} of ${a.task.name}, b version ${b.task.version}` };
  }
  const [input] = jsonDifferences(a.input, b.input);
  if (input !== undefined) return { what: 'input', sentence: `the input differs at ${placeIn(input, 'a', 'b')}` };
  const step = firstChanged(pairs);
  if (step !== null) return { what: 'step', sentence: sentenceOf(step) };
  const [error] = jsonDifferences(errorOf(a), errorOf(b));
  if (error !== undefined) return { what: 'error', sentence: `a ${endOf(a)}, b ${endOf(b)}` };
  const [output] = jsonDifferences(a.output, b.output);
  if (output !== undefined) return { what: 'output', sentence: `the output differs at ${placeIn(output, 'a', 'b')}` };
  if (a.status !== b.status) return { what: 'status', sentence: `a is ${a.status}, b is ${b.status}` };
  return { what: 'nothing', sentence: 'both did the same, with the same result' };
}

/** @returns the first pair that is not the same; null when all are. */
export function firstChanged(pairs: readonly StepPair[]): StepPair | null {
  return pairs.find(({ state }) => state !== 'same') ?? null;
}

/** @returns what differs in a pair, in one sentence that calls the two runs `one` and `other`. */
export function sentenceOf({ state, a, b }: StepPair, one = 'a', other = 'b'): string {
  if (a === null || b === null) {
    const step = a ?? b;
    const [has, not] = a === null ? [other, one] : [one, other];
    return step === null ? '' : `only ${has} has ${called(step)}, ${not} does not ask for it`;
  }
  if (state === 'changed_request') {
    const [difference] = jsonDifferences(a.request, b.request);
    const where = difference === undefined ? '' : `: the request differs at ${placeIn(difference, one, other)}`;
    return `${called(b)} asks for something else${where}`;
  }
  const [ours, theirs] = [answered(a), answered(b)];
  if (ours !== theirs) return `${called(b)} ${ours} in ${one}, and ${theirs} in ${other}`;
  const [difference] = outcomeDifferences(a, b);
  return `${called(b)} was answered with other data${difference === undefined ? '' : ` at ${placeIn(difference, one, other)}`}`;
}

/** @returns a place that differs, and what stands there on both sides. */
export function placeIn({ path, expected, actual }: JsonDifference, one: string, other: string): string {
  return `${path === '' ? 'its root' : cutText(path, 200)}: ${shortly(expected)} in ${one}, ${shortly(actual)} in ${other}`;
}

function outcomeDifferences(a: RecordedStep, b: RecordedStep): readonly JsonDifference[] {
  if (!a.outcome.ok || !b.outcome.ok) {
    return jsonDifferences(
      a.outcome.ok ? null : toldError(a.outcome.error),
      b.outcome.ok ? null : toldError(b.outcome.error),
    );
  }
  const bodies = [a, b].map((step) => {
    const value = seenValue(step) ?? null;
    const isAnswer = step.kind === 'http' && typeof value === 'object' && value !== null && !Array.isArray(value);
    return isAnswer && 'body' in value ? { status: value['status'] ?? null, body: value['body'] ?? null } : value;
  });
  return jsonDifferences(bodies[0] ?? null, bodies[1] ?? null);
}

function toldError({ name, message }: Failure['error']) {
  return { error_type: name, message: cutText(message, 1_000) };
}

function errorOf({ failure }: ComparedRun): Json {
  return failure === null ? null : { ...toldError(failure.error), code: failure.code };
}

function endOf({ status, failure }: ComparedRun): string {
  return failure === null
    ? `is ${status}`
    : `failed with ${failure.error.name}: ${cutText(failure.error.message, 200)}`;
}

function toldRun(run: ComparedRun): ToldRun {
  const { executionId, task, attempt, status, steps, durationMs, failure } = run;
  const error = failure === null ? null : { ...toldError(failure.error), code: failure.code };
  const counted = { attempt, status, steps: steps.length, duration_ms: durationMs };
  return { execution_id: executionId, task: task.name, version: task.version, ...counted, error };
}

function toldPair({ state, a, b }: StepPair): ToldPair {
  const both = state !== 'same' && a !== null && b !== null;
  return {
    state,
    kind: (a ?? b)?.kind ?? 'custom',
    a: a === null ? null : toldSide(a),
    b: b === null ? null : toldSide(b),
    request_differences: both ? told(jsonDifferences(a.request, b.request)) : [],
    outcome_differences: both ? told(outcomeDifferences(a, b)) : [],
  };
}

function toldSide(step: RecordedStep): ToldSide {
  const { path, name, clock, startedAt, position } = step;
  return { path, name: cutText(name, 200), outcome: answered(step), duration_ms: clock - startedAt, position };
}

/** @returns the places where two values differ, at most 20, their values cut to 300 characters. */
export function differences(a: Json, b: Json): readonly ToldDifference[] {
  return told(jsonDifferences(a, b));
}

function told(found: readonly JsonDifference[]): readonly ToldDifference[] {
  return found.slice(0, MAX_TOLD).map(({ path, expected, actual }) => ({
    path: cutText(path, 300),
    a: expected === undefined ? null : cutJson(expected, MAX_VALUE),
    b: actual === undefined ? null : cutJson(actual, MAX_VALUE),
    how: expected === undefined ? 'absent_in_a' : actual === undefined ? 'absent_in_b' : 'changed',
  }));
}

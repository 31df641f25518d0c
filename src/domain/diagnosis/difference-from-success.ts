/** What is different about a failed execution, compared with the last one of its task that completed. */
import type { Json, Position } from '../event.ts';
import { alignJournals, type StepPair } from './align-journals.ts';
import { differences, firstChanged, sentenceOf, type ToldDifference } from './compare-runs.ts';
import type { RecordedStep, Run } from './failure-case.ts';
import { seenValue, statusOf } from './recorded-value.ts';

export interface DifferenceFromSuccess {
  /** The last success. */
  readonly execution_id: string;
  readonly what: 'code' | 'input' | 'step' | 'nothing';
  /** One sentence for people: the first difference, causes before what follows from them. */
  readonly sentence: string;
  readonly same_code: boolean;
  readonly version: number;
  readonly version_of_success: number;
  /** `a` is the last success, `b` the failed one. */
  readonly input_differences: readonly ToldDifference[];
  readonly step: { readonly path: string; readonly sentence: string; readonly data_only: boolean } | null;
  /** Event of this execution at which the steps differ first. */
  readonly position: Position | null;
}

const MAX_SHAPES = 20;
const MAX_DEPTH = 20;

export function differenceFromSuccess(failed: Run, success: Run): DifferenceFromSuccess {
  const pairs = alignJournals(success.steps, failed.steps);
  const same_code = failed.task.contentHash === success.task.contentHash;
  const input_differences = differences(success.input, failed.input);
  const { pair, dataOnly } = firstStep(pairs);
  const sentence = pair === null ? null : sentenceOf(pair, 'the last success', 'this execution');
  const path = (pair?.b ?? pair?.a)?.path ?? '';
  const versions = { version: failed.task.version, version_of_success: success.task.version };
  const base = {
    execution_id: success.executionId,
    same_code,
    ...versions,
    input_differences,
    step: sentence === null ? null : { path, sentence, data_only: dataOnly },
    position: pair?.b?.position ?? null,
  };
  if (!same_code) {
    return {
      ...base,
      what: 'code',
      sentence: `it ran version ${versions.version}, the last success version ${versions.version_of_success}`,
    };
  }
  const [input] = input_differences;
  if (input !== undefined && (pair === null || dataOnly || pair.state !== 'changed_outcome')) {
    return { ...base, what: 'input', sentence: inputSentence(input) };
  }
  if (sentence !== null) return { ...base, what: 'step', sentence };
  return {
    ...base,
    what: 'nothing',
    sentence: 'code, input and steps are the same as in the last success, as far as it came',
  };
}

/** The first step whose request or form of answer differs; else the first with other data. Steps that it no longer reached are no difference. */
function firstStep(pairs: readonly StepPair[]): { readonly pair: StepPair | null; readonly dataOnly: boolean } {
  const candidates = pairs.slice(0, pairs.findLastIndex(({ b }) => b !== null) + 1);
  const formed = candidates.find((pair) => pair.state !== 'same' && !isDataOnly(pair)) ?? null;
  if (formed !== null) return { pair: formed, dataOnly: false };
  const first = firstChanged(candidates);
  return { pair: first, dataOnly: first !== null };
}

function isDataOnly({ state, a, b }: StepPair): boolean {
  return state === 'changed_outcome' && a !== null && b !== null && formOf(a) === formOf(b);
}

function formOf(step: RecordedStep): string {
  if (!step.outcome.ok) return `error ${step.outcome.error.name}`;
  const value = seenValue(step) ?? null;
  const isAnswer = step.kind === 'http' && typeof value === 'object' && value !== null && 'body' in value;
  return `${statusOf(step) ?? ''} ${shapeOf(isAnswer ? (value.body ?? null) : value, 0)}`;
}

/** The form of a value: its types and names, without its data. */
function shapeOf(value: Json, depth: number): string {
  if (value === null) return 'null';
  if (typeof value !== 'object' || depth >= MAX_DEPTH) return typeof value;
  if (Array.isArray(value)) {
    const forms = new Set((value as readonly Json[]).slice(0, 200).map((element) => shapeOf(element, depth + 1)));
    return `[${[...forms].sort().slice(0, MAX_SHAPES).join('|')}]`;
  }
  const fields = Object.entries(value).map(([name, field]) => `${JSON.stringify(name)}:${shapeOf(field, depth + 1)}`);
  return `{${fields.sort().join(',')}}`;
}

function inputSentence({ path, a, b, how }: ToldDifference): string {
  const place = path === '' ? 'as a whole' : `at ${path}`;
  if (how === 'absent_in_b') return `its input lacks ${path}, which the last success had`;
  if (how === 'absent_in_a') return `its input has ${path}, which the last success had not`;
  return `its input differs ${place}: ${JSON.stringify(a)} in the last success, ${JSON.stringify(b)} here`;
}

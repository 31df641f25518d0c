/** Finds the step that a failure is about: the one whose error came out, the one whose answer was used, or the last that failed. */
import { isObject } from '../event.ts';
import type { Failure } from '../execution.ts';
import type { TaskErrorData } from '../journal.ts';
import type { RecordedStep } from './failure-case.ts';
import { hasFailed, statusOf } from './recorded-value.ts';

/** `raised`: its error is the failure. `used`: the failing line worked on its answer. `failed_earlier`: it failed before, and may have to do with it. */
export type StepRelation = 'raised' | 'used' | 'failed_earlier';

export interface FailingStep {
  readonly step: RecordedStep;
  readonly relation: StepRelation;
}

/** @returns the step whose own error the failure is, or is caused by; the last one of several. */
export function raisingStep(steps: readonly RecordedStep[], { error }: Failure): RecordedStep | null {
  for (let one: TaskErrorData | null = error; one !== null; one = one.cause) {
    const seen = one;
    const found = steps.findLast((step) => step.kind !== 'custom' && raises(step, seen));
    if (found !== undefined) return found;
  }
  return null;
}

function raises(step: RecordedStep, error: TaskErrorData): boolean {
  if (!step.outcome.ok) return step.outcome.error.name === error.name && step.outcome.error.message === error.message;
  const status = statusOf(step);
  // The blocking fetch makes an error of an answer; it names status, method and URL.
  return (
    status !== null &&
    status >= 400 &&
    error.message.startsWith(`HTTP ${status}`) &&
    error.message.endsWith(calledAs(step))
  );
}

function calledAs({ request }: RecordedStep): string {
  const url = String(request['url']).replace(/[?#].*$/s, '');
  return ` from ${String(request['method'] ?? 'GET')} ${url}`;
}

/** @returns the last step that failed, whatever became of it. */
export function lastFailed(steps: readonly RecordedStep[]): RecordedStep | null {
  return steps.findLast((step) => step.kind !== 'custom' && hasFailed(step)) ?? null;
}

/** @returns the last step with this text in its answer. */
export function stepWithText(steps: readonly RecordedStep[], text: string): RecordedStep | null {
  if (text.length < 3) return null;
  return (
    steps.findLast(({ outcome }) => {
      if (!outcome.ok) return false;
      const body = isObject(outcome.value) ? outcome.value['body'] : outcome.value;
      return typeof body === 'string' && body.includes(text);
    }) ?? null
  );
}

/** @returns how people name a step: `step 2 (GET https://…)`. */
export function called({ path, name }: { readonly path: string; readonly name: string }): string {
  const short = name.length <= 160 ? name : `${name.slice(0, 159)}…`;
  return `step ${path} (${short})`;
}

/** @returns what a step answered, in a few words. */
export function answered(step: RecordedStep): string {
  if (!step.outcome.ok) return `failed with ${step.outcome.error.name}: ${step.outcome.error.message.slice(0, 200)}`;
  const status = statusOf(step);
  return status === null ? 'answered' : `answered ${status}`;
}

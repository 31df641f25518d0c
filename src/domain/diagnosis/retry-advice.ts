/** Whether a failed execution should be run again, when, and what that would do a second time. */

import { timeOf } from '../time.ts';
import { cutText } from './cut-values.ts';
import type { FailureCase, RecordedStep } from './failure-case.ts';
import { FAILURE_KINDS, type FailureKind, type RetryHelp } from './failure-kinds.ts';
import { headerOf } from './recorded-value.ts';

export interface RetryAdvice {
  readonly helps: RetryHelp;
  readonly after_seconds: number | null;
  readonly reason: string;
  /** Calls that took effect and that a new execution would make again. */
  readonly done_again: readonly { readonly path: string; readonly name: string }[];
}

const SAFE_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];
const MAX_DONE = 10;

/** @param failing the step that the failure is about, if there is one */
export function retryAdvice(kind: FailureKind, subject: FailureCase, failing: RecordedStep | null): RetryAdvice {
  const helps = FAILURE_KINDS[kind].retry;
  const after = helps === 'later' ? secondsAsked(subject, failing) : null;
  return {
    helps,
    after_seconds: after,
    reason: reasonOf(kind, helps, after),
    done_again: doneAgain(subject.run.steps),
  };
}

/** What the server said in `retry-after`, in whole seconds; a date is counted from the time of the answer. */
function secondsAsked({ end }: FailureCase, failing: RecordedStep | null): number | null {
  const header = failing === null ? null : headerOf(failing, 'retry-after');
  const told = header ?? (end.is === 'failed' ? String(end.failure.error.data['retryAfter'] ?? '') : '');
  if (/^\d{1,9}(?:[.]\d+)?$/.test(told)) return Math.ceil(Number(told));
  const at = failing === null ? Number.NaN : (timeOf(told) - failing.clock) / 1000;
  return Number.isFinite(at) ? Math.max(0, Math.ceil(at)) : null;
}

function reasonOf(kind: FailureKind, helps: RetryHelp, after: number | null): string {
  switch (helps) {
    case 'yes':
      return 'nothing about the task or its data caused it';
    case 'later':
      return after === null
        ? 'it can pass when what failed outside has recovered'
        : `the server asks to wait ${after} s`;
    case 'no':
      return 'the same code on the same data fails in the same way';
    case 'maybe':
      return kind === 'unknown_outcome'
        ? 'first find out whether the call took effect'
        : 'the record does not tell whether it would come out otherwise';
    default:
      return helps satisfies never;
  }
}

/** A new execution has idempotency keys of its own, so what is not safe to repeat happens twice. */
function doneAgain(steps: readonly RecordedStep[]): RetryAdvice['done_again'] {
  return steps
    .filter(({ kind, request, outcome }) => {
      if (!outcome.ok) return false;
      if (kind === 'http') return !SAFE_METHODS.includes(String(request['method'] ?? 'GET').toUpperCase());
      return kind === 'task' || kind === 'mcp';
    })
    .slice(0, MAX_DONE)
    .map(({ path, name }) => ({ path, name: cutText(name, 200) }));
}

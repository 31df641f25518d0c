/** Puts an analysis together: the answer to why an execution failed, with its proof, and never larger than 64 KiB. */

import { isObject } from '../event.ts';
import { explain } from '../explain.ts';
import { fingerprintOf } from '../fingerprint.ts';
import type { TaskErrorData } from '../journal.ts';
import { cutFields, cutJson, cutText, type Told } from './cut-values.ts';
import type { DifferenceFromSuccess } from './difference-from-success.ts';
import { type Evidence, evidenceOf } from './evidence.ts';
import { type FailingLine, failingFrame, shownPlace } from './failing-line.ts';
import { answered, type StepRelation } from './failing-step.ts';
import type { FailureCase, FailureHistory, RecordedStep, SeenVariable, Subanalysis } from './failure-case.ts';
import { FAILURE_KINDS, type FailureKind } from './failure-kinds.ts';
import { type Findings, findingsOf } from './findings.ts';
import { type NextCall, nextCalls } from './next-calls.ts';
import { seenValue } from './recorded-value.ts';
import type { RetryAdvice } from './retry-advice.ts';
import { suggestionsFor } from './suggestions.ts';
import { summaryOf } from './summary.ts';

/** An answer is cut until its JSON text has at most this many UTF-8 bytes. */
export const MAX_ANALYSIS_BYTES = 64 * 1024;
const MAX_BODY = 4 * 1024;
const MAX_CAUSES = 10;

export interface ToldStep {
  readonly path: string;
  readonly kind: string;
  readonly name: string;
  readonly relation: StepRelation;
  readonly outcome: string;
  readonly request: { readonly [field: string]: Told };
  readonly response: { readonly [field: string]: Told } | null;
  readonly duration_ms: number;
  readonly position: string;
}

export interface ToldCause {
  readonly error_type: string;
  readonly message: string;
  readonly file: string | null;
  readonly line: number | null;
  readonly function: string | null;
}

/** Context of a failure; left out when it is not asked for. */
export interface AnalysisContext {
  readonly failing_line: FailingLine | null;
  readonly code_unavailable: string | null;
  readonly variables: readonly SeenVariable[] | null;
  readonly variables_unavailable: string | null;
  readonly failing_step: ToldStep | null;
  readonly missing_value: {
    readonly expression: string | null;
    readonly value: 'undefined' | 'null' | null;
    readonly property: string | null;
    readonly came_from: {
      readonly from: string;
      readonly step: string | null;
      readonly pointer: string | null;
      readonly said: string;
    } | null;
  } | null;
  /** Recorded values that the failing line rests on. */
  readonly related_values: readonly {
    readonly expression: string;
    readonly from: string;
    readonly step: string | null;
    readonly pointer: string;
    readonly said: string;
  }[];
  readonly waiting_for: {
    readonly doing: string;
    readonly steps: readonly { readonly path: string; readonly kind: string; readonly name: string }[];
    readonly timer: boolean;
  } | null;
  readonly subtask: Subanalysis | { readonly execution_id: string } | null;
  readonly first_difference: DifferenceFromSuccess | null;
  readonly history: {
    readonly count: number;
    readonly first_seen: string;
    readonly last_seen: string;
    readonly versions: readonly number[];
    readonly recent: { readonly executions: number; readonly with_this_failure: number; readonly completed: number };
  } | null;
}

export interface Analysis {
  readonly execution_id: string;
  readonly task: { readonly id: string; readonly name: string; readonly version: number };
  readonly attempt: number;
  readonly attempts: number;
  readonly status: 'failed' | 'cancelled';
  readonly kind: FailureKind;
  readonly title: string;
  readonly meaning: string;
  /** One sentence: what failed, where, and why. */
  readonly summary: string;
  readonly code: string;
  readonly error_type: string;
  readonly message: string;
  readonly stack: string | null;
  readonly fingerprint: string | null;
  readonly recoverable: boolean;
  readonly retry: RetryAdvice;
  /** The error and its causes, the outermost first. */
  readonly root_cause: readonly ToldCause[];
  readonly cancelled: { readonly by: string | null; readonly at: string; readonly reason: string | null } | null;
  readonly context: AnalysisContext | null;
  readonly suggestions: readonly string[];
  readonly next_calls: readonly NextCall[];
  readonly evidence: readonly Evidence[];
  /** True when context was cut further to keep the answer small. */
  readonly truncated: boolean;
}

export interface AnalysisWish {
  readonly includeSuggestions: boolean;
  readonly includeContext: boolean;
}

/** @returns why it failed. The same case gives the same answer. */
export function analysisOf(subject: FailureCase, wish: AnalysisWish): Analysis {
  const findings = findingsOf(subject);
  const { run, attempt, attempts, end } = subject;
  const { title, meaning } = FAILURE_KINDS[findings.kind];
  const { id, name, version } = run.task;
  const analysis: Analysis = {
    execution_id: run.executionId,
    task: { id, name, version },
    attempt,
    attempts,
    status: end.is,
    kind: findings.kind,
    title,
    meaning,
    summary: summaryOf(subject, findings),
    ...errorFields(subject, findings),
    retry: findings.retry,
    root_cause: findings.error === null ? [] : causesOf(subject, findings.error),
    cancelled:
      end.is === 'cancelled'
        ? { by: end.asked?.by ?? null, at: end.asked?.at ?? end.endedAt, reason: end.reason }
        : null,
    context: wish.includeContext ? contextOf(subject, findings) : null,
    suggestions: wish.includeSuggestions ? suggestionsFor(subject, findings) : [],
    next_calls: wish.includeSuggestions ? nextCalls(subject, findings) : [],
    evidence: evidenceOf(subject, findings),
    truncated: false,
  };
  return bounded(analysis);
}

function errorFields({ end }: FailureCase, { kind, code }: Findings) {
  if (end.is === 'cancelled') {
    const message = end.reason ?? 'the execution was cancelled';
    return { code, error_type: 'CancelledError', message, stack: null, fingerprint: null, recoverable: false };
  }
  const { error } = end.failure;
  const { recoverable } = explain(end.failure.code, error);
  return {
    code,
    error_type: error.name,
    message: cutText(error.message, 2_000),
    stack: error.stack === null ? null : cutText(error.stack, 4_000),
    fingerprint: fingerprintOf(end.failure),
    recoverable: recoverable || ['yes', 'later'].includes(FAILURE_KINDS[kind].retry),
  };
}

function causesOf(subject: FailureCase, error: TaskErrorData): readonly ToldCause[] {
  const causes: ToldCause[] = [];
  for (let one: TaskErrorData | null = error; one !== null && causes.length < MAX_CAUSES; one = one.cause) {
    const frame = failingFrame({ ...one, cause: null })?.frame;
    const at = frame === undefined ? null : shownPlace(subject, frame);
    const place = { file: at?.file ?? null, line: at?.line ?? null, function: frame?.function ?? null };
    causes.push({ error_type: one.name, message: cutText(one.message, 1_000), ...place });
  }
  return causes;
}

function contextOf(subject: FailureCase, findings: Findings): AnalysisContext {
  const { variables, waiting, history, subtask, codeUnavailable } = subject;
  const { missing, failing } = findings;
  const origin = missing?.origin;
  const isSeen = 'seen' in variables;
  return {
    failing_line: findings.line,
    code_unavailable: codeUnavailable,
    variables: isSeen ? variables.seen : null,
    variables_unavailable: isSeen ? null : variables.unavailable,
    failing_step: failing === null ? null : toldStep(failing.step, failing.relation),
    missing_value:
      missing === null
        ? null
        : {
            expression: missing.expression,
            value: missing.complaint.value,
            property: missing.complaint.property,
            came_from: origin
              ? { from: origin.from, step: origin.step?.path ?? null, pointer: origin.pointer, said: origin.said }
              : null,
          },
    related_values: findings.related.map(({ expression, from, step, pointer, said }) => ({
      expression,
      from,
      step: step?.path ?? null,
      pointer,
      said,
    })),
    waiting_for:
      waiting === null && (findings.kind !== 'attempt_timed_out' || subject.open.length === 0)
        ? null
        : {
            doing: waiting?.doing ?? 'waiting',
            steps: (waiting?.open ?? subject.open)
              .slice(0, 20)
              .map(({ path, kind, name }) => ({ path, kind, name: cutText(name, 300) })),
            timer: waiting?.timer ?? false,
          },
    subtask: subtask === null ? null : (subtask.analysis ?? { execution_id: subtask.executionId }),
    first_difference: findings.difference,
    history: history === null ? null : toldHistory(history),
  };
}

function toldHistory({
  count,
  firstSeen,
  lastSeen,
  versions,
  recent,
}: FailureHistory): NonNullable<AnalysisContext['history']> {
  const { executions, withThisFailure, completed } = recent;
  return {
    count,
    first_seen: firstSeen,
    last_seen: lastSeen,
    versions,
    recent: { executions, with_this_failure: withThisFailure, completed },
  };
}

function toldStep(step: RecordedStep, relation: StepRelation): ToldStep {
  const { path, kind, name, request, clock, startedAt, position } = step;
  const told = { path, kind, name: cutText(name, 300), relation, outcome: answered(step) };
  return {
    ...told,
    request: cutFields(request, MAX_BODY),
    response: toldResponse(step),
    duration_ms: clock - startedAt,
    position,
  };
}

function toldResponse(step: RecordedStep): ToldStep['response'] {
  const value = seenValue(step);
  if (value === undefined) return null;
  return isObject(value) ? cutFields(value, MAX_BODY) : { value: cutJson(value, MAX_BODY) };
}

/** What is largest and least needed goes first. */
function bounded(analysis: Analysis): Analysis {
  let told = analysis;
  for (const smaller of SMALLER) {
    if (bytesOf(told) <= MAX_ANALYSIS_BYTES) return told;
    told = { ...smaller(told), truncated: true };
  }
  return told;
}

const SMALLER: readonly ((analysis: Analysis) => Analysis)[] = [
  (told) =>
    withContext(told, ({ variables }) => ({ variables: variables?.map((one) => ({ ...one, value: null })) ?? null })),
  (told) =>
    withContext(told, ({ first_difference }) => ({
      first_difference: first_difference === null ? null : { ...first_difference, input_differences: [] },
    })),
  (told) =>
    withContext(told, ({ failing_step }) => ({
      failing_step: failing_step === null ? null : { ...failing_step, request: {}, response: null },
    })),
  (told) => withContext(told, () => ({ variables: null, variables_unavailable: 'they are too large' })),
  (told) => ({ ...told, evidence: told.evidence.slice(0, 10), root_cause: told.root_cause.slice(0, 3), stack: null }),
  (told) => ({ ...told, context: null, next_calls: told.next_calls.slice(0, 5) }),
];

function withContext(told: Analysis, change: (context: AnalysisContext) => Partial<AnalysisContext>): Analysis {
  return told.context === null ? told : { ...told, context: { ...told.context, ...change(told.context) } };
}

function bytesOf(told: Analysis): number {
  return new TextEncoder().encode(JSON.stringify(told)).length;
}

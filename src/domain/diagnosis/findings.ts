/** What the rules find out about a failure, before it is put into words. */
import type { TaskErrorData } from '../journal.ts';
import { TASK_GLOBALS } from '../task-globals.ts';
import { classify } from './classify.ts';
import { type DifferenceFromSuccess, differenceFromSuccess } from './difference-from-success.ts';
import { type FailingLine, failingLine } from './failing-line.ts';
import { type FailingStep, lastFailed, raisingStep, stepWithText } from './failing-step.ts';
import type { FailureCase, RecordedStep } from './failure-case.ts';
import type { FailureKind } from './failure-kinds.ts';
import { type MissingValue, missingValue } from './missing-origin.ts';
import { nearNames } from './near-names.ts';
import { hasFailed, hostOf } from './recorded-value.ts';
import { type RelatedValue, relatedValues } from './related-values.ts';
import { type RetryAdvice, retryAdvice } from './retry-advice.ts';
import { child, children, isFunction, nameOf, nodesOf } from './syntax.ts';

export interface Findings {
  readonly kind: FailureKind;
  readonly code: string;
  readonly error: TaskErrorData | null;
  readonly line: FailingLine | null;
  readonly failing: FailingStep | null;
  readonly missing: MissingValue | null;
  /** Recorded values that the failing line rests on. */
  readonly related: readonly RelatedValue[];
  /** Names that exist and are written almost like the one that does not. */
  readonly near: readonly string[];
  /** The host that the failing step called, and the steps that failed on it, in all attempts. */
  readonly host: { readonly name: string; readonly failed: readonly RecordedStep[] } | null;
  readonly difference: DifferenceFromSuccess | null;
  readonly retry: RetryAdvice;
}

/** Failures of a host rather than of a request. */
const OF_THE_HOST: readonly FailureKind[] = ['network_failed', 'service_unavailable', 'step_timed_out'];
/** Executions among the last hundred that make one failure a habit. */
const REPEATED = 3;

export function findingsOf(subject: FailureCase): Findings {
  const { end, run } = subject;
  const difference = subject.lastSuccess === null ? null : differenceFromSuccess(run, subject.lastSuccess);
  if (end.is === 'cancelled') {
    const retry = retryAdvice('cancelled', subject, null);
    const nothing = { error: null, line: null, failing: null, missing: null, related: [], near: [], host: null };
    return { kind: 'cancelled', code: 'cancelled', ...nothing, difference, retry };
  }
  const { failure } = end;
  const { error } = failure;
  const raising = raisingStep(run.steps, failure);
  const missing = missingValue(subject, error);
  const related = missing === null && raising === null ? relatedValues(subject, error) : [];
  const host = hostFailures(subject, raising);
  const kind = refined(classify(failure, raising, subject.subtask !== null), subject, host);
  const failing = failingStep(subject, kind, { raising, missing, related, error });
  const asked =
    raising ?? (kind === 'attempt_timed_out' ? (subject.waiting?.open[0] ?? subject.open[0] ?? null) : null);
  return {
    kind,
    code: failure.code,
    error,
    line: failingLine(subject, error, asked),
    failing,
    missing,
    related,
    near: nearOf(kind, subject, { error, missing, related, raising }),
    host,
    difference,
    retry: retryAdvice(kind, subject, failing?.relation === 'raised' ? failing.step : null),
  };
}

function hostFailures({ run, earlier }: FailureCase, raising: RecordedStep | null): Findings['host'] {
  const name = raising === null ? null : hostOf(raising);
  if (name === null) return null;
  return { name, failed: [...earlier, ...run.steps].filter((step) => hostOf(step) === name && hasFailed(step)) };
}

function refined(kind: FailureKind, { history }: FailureCase, host: Findings['host']): FailureKind {
  if (!OF_THE_HOST.includes(kind) || host === null) return kind;
  const isHabit = (history?.recent.withThisFailure ?? 0) >= REPEATED;
  return host.failed.length > 1 || isHabit ? 'dependency_down' : kind;
}

interface Clues {
  readonly raising: RecordedStep | null;
  readonly missing: MissingValue | null;
  readonly related: readonly RelatedValue[];
  readonly error: TaskErrorData;
}

function failingStep(
  { run }: FailureCase,
  kind: FailureKind,
  { raising, missing, related, error }: Clues,
): FailingStep | null {
  if (raising !== null) return { step: raising, relation: 'raised' };
  const used = missing?.origin?.step ?? (kind === 'json_not_valid' ? textSource(run.steps, error) : null);
  const worked = used ?? related.find(({ step }) => step !== null)?.step ?? null;
  if (worked !== null) return { step: worked, relation: 'used' };
  const failed = lastFailed(run.steps);
  return failed === null ? null : { step: failed, relation: 'failed_earlier' };
}

/** The engine's own messages are short; a task can make longer ones. */
const MAX_MESSAGE = 2_000;

/** The engine quotes the text around the place that is no JSON. */
function textSource(steps: readonly RecordedStep[], { message }: TaskErrorData): RecordedStep | null {
  const quoted =
    message.length > MAX_MESSAGE ? undefined : /, (?:\.\.\.)?"(.*?)"(?:\.\.\.)? is not valid JSON$/s.exec(message)?.[1];
  return quoted === undefined ? null : stepWithText(steps, quoted);
}

function nearOf(kind: FailureKind, subject: FailureCase, { error, missing, raising }: Clues): readonly string[] {
  switch (kind) {
    case 'unknown_name': {
      const name = /^(\S+) is not defined$/.exec(error.message)?.[1];
      return name === undefined ? [] : nearNames(name, [...namesIn(subject), ...TASK_GLOBALS]);
    }
    case 'subtask_not_found':
      return nearNames(String(raising?.request['task'] ?? ''), subject.taskNames);
    case 'not_a_function': {
      const name = /[.]([\w$]+)$/.exec(missing?.complaint.expression ?? '')?.[1];
      return name === undefined ? [] : nearNames(name, METHODS);
    }
    case 'null_access':
      return missing?.origin?.near ? [missing.origin.near] : [];
    default:
      return [];
  }
}

const METHODS: readonly string[] = [Array, String, Map, Set, Promise].flatMap((made) =>
  Object.getOwnPropertyNames(made.prototype).filter((name) => name !== 'constructor'),
);

/** Names that the code declares. */
function namesIn({ code }: FailureCase): readonly string[] {
  if (code === null || code.tree === null) return [];
  const names: string[] = [];
  for (const node of nodesOf(code.tree)) {
    const declares = [child(node, 'id'), ...(isFunction(node) ? children(node, 'params') : []), child(node, 'param')];
    for (const pattern of declares) {
      for (const part of pattern === null ? [] : nodesOf(pattern)) names.push(nameOf(part) ?? '');
    }
  }
  return names.filter((name) => name !== '');
}

/** One sentence on why an execution failed, made of what was found. */
import { cutText } from './cut-values.ts';
import { answered, called } from './failing-step.ts';
import type { FailureCase } from './failure-case.ts';
import { FAILURE_KINDS } from './failure-kinds.ts';
import type { Findings } from './findings.ts';

const MAX_SUMMARY = 600;

/** @returns the sentence, without a final stop. */
export function summaryOf(subject: FailureCase, findings: Findings): string {
  const place = where(findings);
  const what = whatHappened(subject, findings).replaceAll(/\s+/g, ' ');
  return `${cutText(what, MAX_SUMMARY)}${place}`;
}

function where({ line, kind }: Findings): string {
  if (line === null || kind === 'cancelled') return '';
  return ` (${line.file}:${line.line}${line.function === null ? '' : ` in ${line.function}`})`;
}

function whatHappened(subject: FailureCase, findings: Findings): string {
  const { kind, error, missing, host } = findings;
  const message = error === null ? '' : `${error.name}: ${cutText(error.message, 300)}`;
  switch (kind) {
    case 'cancelled':
      return cancellation(subject);
    case 'null_access':
    case 'not_a_function':
    case 'not_iterable':
      return missing === null ? message : missingWords(missing);
    case 'attempt_timed_out':
      return `the attempt did not end within ${subject.request.options.timeoutMs / 1000} s; ${waitedFor(subject)}`;
    case 'dependency_down':
      return `${host?.name ?? 'a host'} is down: ${hostWords(subject, findings)}`;
    case 'subtask_failed':
      return subtaskWords(subject, findings);
    case 'error_thrown':
    case 'own_error_class':
      return `the code threw ${message}${causeWords(findings)}`;
    case 'value_thrown':
      return `the code threw a value that is no error: ${cutText(error?.message ?? '', 300)}`;
    default:
      return stepWords(findings) ?? `${FAILURE_KINDS[kind].title}: ${message}`;
  }
}

function stepWords({ failing }: Findings): string | null {
  if (failing?.relation !== 'raised') return null;
  return `${called(failing.step)} ${answered(failing.step)}`;
}

function missingWords({ complaint, expression, origin }: NonNullable<Findings['missing']>): string {
  const what = expression ?? 'a value';
  const because = origin === null ? '' : `: ${origin.said}`;
  switch (complaint.about) {
    case 'missing': {
      const read = complaint.property === null ? '' : `, and the code needs its ${complaint.property}`;
      return `${what} is ${complaint.value ?? 'nothing'}${read}${because}`;
    }
    case 'not_a_function':
      return `${what} is no function${because}`;
    case 'not_iterable':
      return `${what} can not be gone through${because}`;
    default:
      return complaint.about satisfies never;
  }
}

function causeWords({ error }: Findings): string {
  const cause = error?.cause ?? null;
  return cause === null ? '' : `, caused by ${cause.name}: ${cutText(cause.message, 200)}`;
}

/** @returns what an attempt was doing when its time was over, as far as the record shows it. */
export function waitedFor({ waiting, open }: FailureCase): string {
  const calls = (waiting?.open ?? open).map(called);
  if (waiting?.doing === 'computing') return 'its code was computing, and waited for nothing';
  if (waiting?.timer === true) calls.push('a timer');
  if (calls.length > 0) return `it waited for ${cutText(calls.slice(0, 5).join(', '), 400)}`;
  return 'the record does not show what it waited for';
}

function hostWords({ history }: FailureCase, { host, failing }: Findings): string {
  const failed = host?.failed.length ?? 0;
  const here =
    failed > 1
      ? `${failed} steps of this execution failed on it`
      : failing === null
        ? 'a step failed'
        : `${called(failing.step)} ${answered(failing.step)}`;
  const recent = history?.recent;
  if (recent === undefined || recent.withThisFailure < 2) return here;
  return `${here}, and ${recent.withThisFailure} of the last ${recent.executions} executions of the task failed so`;
}

function subtaskWords({ subtask }: FailureCase, { failing, error }: Findings): string {
  const step = failing === null ? 'a subtask' : called(failing.step);
  const analysis = subtask?.analysis;
  if (analysis === undefined || analysis === null)
    return `${step} failed with ${error?.name}: ${cutText(error?.message ?? '', 300)}`;
  return `${step} failed: ${analysis.summary}`;
}

function cancellation({ end }: FailureCase): string {
  if (end.is !== 'cancelled') return '';
  const by = end.asked === null ? 'somebody' : end.asked.by;
  const at = end.asked?.at ?? end.endedAt;
  const state = end.neverStarted ? 'before it had begun' : 'while it ran';
  return `${by} cancelled it at ${at}, ${state}${end.reason === null ? ', without a reason' : `: ${cutText(end.reason, 300)}`}`;
}

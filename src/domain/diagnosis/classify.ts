/** Says which kind of failure one is, from its code, its error, and the step that it came out of. */
import type { Failure } from '../execution.ts';
import type { RecordedStep } from './failure-case.ts';
import type { FailureKind } from './failure-kinds.ts';
import { complaintOf } from './missing-value.ts';

/** Codes of ours that say it all. */
const BY_CODE: Readonly<Record<string, FailureKind>> = {
  execution_timeout: 'attempt_timed_out',
  memory_limit_exceeded: 'memory_exhausted',
  output_too_large: 'output_too_large',
  log_limit_exceeded: 'too_many_logs',
  step_limit_exceeded: 'too_many_steps',
  output_schema_violation: 'output_schema_violated',
  invalid_entry_point: 'entry_point_missing',
  syntax_error: 'syntax_error',
  invalid_task: 'syntax_error',
  task_stalled: 'stalled',
  sandbox_crashed: 'sandbox_crashed',
  sandbox_protocol: 'sandbox_crashed',
  replay_mismatch: 'replay_mismatch',
};

/** Codes that errors of steps carry. */
const BY_STEP_CODE: Readonly<Record<string, FailureKind>> = {
  unknown_outcome: 'unknown_outcome',
  secret_unavailable: 'secret_unavailable',
  file_refused: 'file_refused',
  not_found: 'file_refused',
  address_refused: 'address_refused',
  body_too_large: 'body_too_large',
  input_schema_violation: 'input_schema_violated',
  task_not_found: 'subtask_not_found',
  task_disabled: 'subtask_not_found',
};

const BY_NAME: Readonly<Record<string, FailureKind>> = {
  AuthenticationError: 'authentication_refused',
  AuthorizationError: 'authorization_refused',
  NetworkError: 'network_failed',
  HttpError: 'http_refused',
  ValidationError: 'validation_failed',
  ConfigurationError: 'configuration_missing',
  RateLimitError: 'rate_limited',
  ServiceUnavailableError: 'service_unavailable',
  TimeoutError: 'step_timed_out',
  DataError: 'data_not_usable',
  ReferenceError: 'unknown_name',
  EvalError: 'wrong_type',
};

/** Error classes of the language that have no kind of their own. */
const PLAIN: readonly string[] = ['Error', 'AggregateError', 'URIError', 'DOMException'];

/**
 * @param raising the step whose error came out, if one did
 * @param subtaskRan true when that step asked for an execution that exists
 */
export function classify({ code, error }: Failure, raising: RecordedStep | null, subtaskRan: boolean): FailureKind {
  const byCode = Object.hasOwn(BY_CODE, code) ? BY_CODE[code] : undefined;
  if (byCode !== undefined) return byCode;
  if (raising?.kind === 'task' && subtaskRan) return 'subtask_failed';
  const stepCode = raising !== null && !raising.outcome.ok ? String(raising.outcome.error.data['code']) : '';
  const byStep = Object.hasOwn(BY_STEP_CODE, stepCode) ? BY_STEP_CODE[stepCode] : undefined;
  if (byStep !== undefined) return byStep;
  const byName = Object.hasOwn(BY_NAME, error.name) ? BY_NAME[error.name] : undefined;
  if (byName !== undefined) return byName;
  return ofLanguage(error.name, error.message) ?? thrown(error);
}

function ofLanguage(name: string, message: string): FailureKind | null {
  if (name === 'TypeError') return ofTypeError(message);
  if (name === 'RangeError')
    return message.startsWith('Maximum call stack') || message.startsWith('out of stack')
      ? 'stack_overflow'
      : 'out_of_range';
  if (name === 'SyntaxError') return / JSON\b/.test(message) ? 'json_not_valid' : 'wrong_type';
  return null;
}

function ofTypeError(message: string): FailureKind {
  if (message.startsWith('the result of main must be')) return 'output_not_json';
  switch (complaintOf(message)?.about) {
    case 'missing':
      return 'null_access';
    case 'not_a_function':
      return 'not_a_function';
    case 'not_iterable':
      return 'not_iterable';
    default:
      return message === 'Cannot convert undefined or null to object' ? 'null_access' : 'wrong_type';
  }
}

/** What is no error at all was recorded under the plain name, without a stack. */
function thrown({ name, stack }: Failure['error']): FailureKind {
  if (!PLAIN.includes(name)) return 'own_error_class';
  return stack === null ? 'value_thrown' : 'error_thrown';
}

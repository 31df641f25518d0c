/** What an error of an execution means to its reader: kind, whether trying again can help, and what to do. */
import { ERRORS } from './errors.ts';
import type { Json } from './event.ts';
import type { TaskErrorData } from './journal.ts';
import { PASSING_ERRORS } from './retry.ts';

export interface Explained {
  readonly code: string;
  readonly error_type: string;
  readonly message: string;
  readonly stack: string | null;
  readonly data: Json;
  readonly cause: string | null;
  /** True when the same request can succeed later without a change. */
  readonly recoverable: boolean;
  readonly suggestions: readonly string[];
}

/** Remedies by the name of the error that task code saw. */
const REMEDIES: Readonly<Record<string, string>> = {
  NetworkError: 'The server could not be reached: check its address and that it is up, then retry.',
  TimeoutError: 'Something took too long: retry, or raise the timeout.',
  RateLimitError: 'The server asks for fewer calls: retry later, with backoff.',
  ServiceUnavailableError: 'The server failed: retry later, with backoff.',
  AuthenticationError: 'The credentials were refused: check the secret that the task sends.',
  AuthorizationError: 'The call is not allowed: check the permissions behind the credentials, or the outbound rules.',
  ValidationError: 'A value has the wrong form: compare it with what the message asks for.',
  ConfigurationError: 'The configuration lacks something that the task needs.',
  DataError: 'The data is not as the task expects: look at the response of the failing step.',
  HttpError: 'The server refused the request: look at status and body of the failing step.',
  TypeError: 'A value is not of the kind the code expects: look at the failing line and the data it works on.',
  ReferenceError: 'The code uses a name that does not exist here: see which globals tasks have.',
};

/** @returns the error as interfaces tell it. */
export function explain(code: string, error: TaskErrorData): Explained {
  const rule = Object.hasOwn(ERRORS, code) ? ERRORS[code as keyof typeof ERRORS] : ERRORS.task_failed;
  const byName = REMEDIES[error.name];
  const suggestions = code === 'task_failed' && byName !== undefined ? [byName] : [rule.remedy];
  return {
    code,
    error_type: error.name,
    message: error.message,
    stack: error.stack,
    data: error.data,
    cause: error.cause === null ? null : `${error.cause.name}: ${error.cause.message}`,
    recoverable: PASSING_ERRORS.includes(error.name) || code === 'sandbox_crashed',
    suggestions,
  };
}

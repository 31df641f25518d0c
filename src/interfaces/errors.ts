/** Tells errors to HTTP clients as RFC 9457 problem details; what is not ours is told as `internal` and nothing more. */
import { asRatchetError, ERRORS, type ErrorCode } from '../domain/errors.ts';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  /** What to do about it. */
  readonly remedy: string;
  /** Correlation id, to be found in the server's log. */
  readonly instance: string;
  readonly [extension: string]: unknown;
}

/** @returns the problem document of any error. */
export function problemOf(error: unknown, correlationId: string): Problem {
  const { code, message, details } = asRatchetError(error);
  const { status, remedy } = ERRORS[code];
  return {
    type: `urn:ratchet:error:${code}`,
    title: code.replaceAll('_', ' '),
    status,
    detail: message,
    code,
    remedy,
    instance: correlationId,
    ...(Object.keys(details).length === 0 ? {} : { details }),
  };
}

/** @returns seconds after which a client may try again, when the error says so. */
export function retryAfterOf(error: unknown): number | null {
  const seconds = asRatchetError(error).details['retryAfterSeconds'];
  return typeof seconds === 'number' ? seconds : null;
}

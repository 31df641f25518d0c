/** The one error that the web client throws: what happened, as a code that programs can tell apart. */

export interface FailureFacts {
  /** Whether the same call can succeed later. */
  readonly retryable?: boolean;
  /** When to come back, in milliseconds; null where the server does not say. */
  readonly retryAfterMs?: number | null;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** An abort by the caller's own signal is no failure: it rejects with the reason of the signal. */
export class RatchetClientError extends Error {
  override readonly name = 'RatchetClientError';
  /** `unreachable`, `connection_lost`, `timeout`, `closed`, `protocol_error`, or a code of the server (docs/errors.md). */
  readonly code: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number | null;
  readonly details: Readonly<Record<string, unknown>>;
  /** The execution that was waited for, where its id is known: it goes on. */
  readonly executionId: string | null;

  constructor(code: string, message: string, facts: FailureFacts & { readonly executionId?: string | null } = {}) {
    super(message, { cause: facts.cause });
    this.code = code;
    this.retryable = facts.retryable ?? false;
    this.retryAfterMs = facts.retryAfterMs ?? null;
    this.details = facts.details ?? {};
    this.executionId = facts.executionId ?? null;
  }

  /** @returns the same error, that names the execution too. */
  of(executionId: string | null): RatchetClientError {
    const { code, message, retryable, retryAfterMs, details, cause } = this;
    return new RatchetClientError(code, message, { retryable, retryAfterMs, details, cause, executionId });
  }
}

/** @returns an error for a connection that broke; the same call can be made again. */
export function connectionLost(what: string, cause?: unknown): RatchetClientError {
  return new RatchetClientError('connection_lost', what, { retryable: true, cause });
}

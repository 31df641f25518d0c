/** Tells errors as GraphQL does, with the codes that every surface uses; what is not ours is told as `internal` and nothing more. */
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { asRatchetError, ERRORS, type ErrorCode, isErrorCode, isRatchetError } from '../../domain/errors.ts';
import { retryAfterOf } from '../errors.ts';
import { record } from './values.ts';

export interface ErrorTelling {
  readonly correlationId: string;
  /** Whether the schema may be asked for; else no message gives parts of it away. */
  readonly introspection: boolean;
  /** Told about what nobody expected. */
  readonly onUnexpected: (error: unknown) => void;
  /** Told about what was refused to somebody, by the field that was asked for. */
  readonly onRefusal: (code: ErrorCode, field: string) => void;
}

/** Answers that say no to somebody, as opposed to something that went wrong. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'unauthenticated',
  'permission_denied',
  'dangerous_task',
  'queue_full',
  'rate_limited',
]);

const HINT = /\s*Did you mean .*$/s;

/** @returns the error as clients see it. */
export function toldError(error: unknown, telling: ErrorTelling): GraphQLFormattedError {
  const located = error instanceof GraphQLError ? error : null;
  const { code, message, details } = meaningOf(error);
  if (code === 'internal') telling.onUnexpected(located?.originalError ?? error);
  if (REFUSALS.has(code)) telling.onRefusal(code, located?.path?.map(String).join('.') ?? '(request)');
  const retryAfterSeconds = retryAfterOf(located?.originalError ?? error);
  return {
    message: telling.introspection ? message : message.replace(HINT, ''),
    ...(located?.locations === undefined ? {} : { locations: located.locations }),
    ...(located?.path === undefined ? {} : { path: located.path }),
    extensions: {
      code,
      remedy: ERRORS[code].remedy,
      correlationId: telling.correlationId,
      ...(Object.keys(details).length === 0 ? {} : { details }),
      ...(retryAfterSeconds === null ? {} : { retryAfterSeconds }),
    },
  };
}

interface Meaning {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** An error of GraphQL itself says what is wrong with the document or its variables. */
function meaningOf(error: unknown): Meaning {
  if (!(error instanceof GraphQLError)) return asRatchetError(error);
  const { originalError, extensions, message } = error;
  if (isRatchetError(originalError)) return originalError;
  // A value that the schema does not allow in an answer is a defect of ours; in a question, one of the caller's.
  if (originalError !== undefined && error.path !== undefined) return asRatchetError(originalError);
  if (originalError !== undefined && !(originalError instanceof GraphQLError)) return asRatchetError(originalError);
  const code = codeIn(extensions['code']) ?? 'invalid_request';
  return { code, message: withoutValues(message), details: record(extensions['details']) };
}

/** Names of the schema are short. */
const LONGEST_TOLD = 40;

/** Long text is told by its length: it may be one that nobody else should read, and what is wrong with it is its form. */
function withoutValues(message: string): string {
  return message.replaceAll(/"(?:[^"\\]|\\.)*"/gs, (text) =>
    text.length - 2 > LONGEST_TOLD ? `text of ${text.length - 2} characters` : text,
  );
}

function codeIn(code: unknown): ErrorCode | null {
  return typeof code === 'string' && isErrorCode(code) ? code : null;
}

/** @returns the HTTP status that goes with a told error. */
export function statusOf({ extensions }: GraphQLFormattedError): number {
  const code = codeIn(extensions?.['code']);
  return code === null ? 500 : ERRORS[code].status;
}

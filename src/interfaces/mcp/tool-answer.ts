/** Answers of tools: the same facts once as data and once as text, because clients show their models one of the two. */
import type { CallToolResult } from '@modelcontextprotocol/server';
import { asRatchetError, ERRORS, type RatchetError } from '../../domain/errors.ts';

/** @returns a result whose text is the payload as JSON. */
export function toolResult(payload: object): CallToolResult {
  return { content: [{ type: 'text', text: JSON.stringify(payload) }], structuredContent: { ...payload } };
}

/** What an agent is told of an error. */
export interface ToldError {
  readonly code: string;
  readonly what: string;
  readonly fix: string;
  readonly retryable: boolean;
  readonly retry_after_ms: number | null;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** @returns a result that says what went wrong, and what to do about it; of a defect, nothing but that it is one. */
export function toolError(error: unknown): CallToolResult {
  return { ...toolResult({ error: toldError(asRatchetError(error)) }), isError: true };
}

function toldError({ code, message, details }: RatchetError): ToldError {
  const { fault, remedy } = ERRORS[code];
  const seconds = details['retryAfterSeconds'];
  return {
    code,
    what: message,
    fix: remedy,
    retryable: fault === 'state' || code === 'store_unavailable',
    retry_after_ms: typeof seconds === 'number' ? seconds * 1000 : null,
    ...(Object.keys(details).length === 0 ? {} : { details }),
  };
}

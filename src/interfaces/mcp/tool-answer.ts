/** Answers of tools: the same facts once as data and once as text, because clients show their models one of the two. */
import type { CallToolResult } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { asRatchetError, ERRORS, RatchetError } from '../../domain/errors.ts';
import { within } from './fit.ts';

/** @returns a result whose text is the payload as JSON. */
export function toolResult(payload: object): CallToolResult {
  return { content: [{ type: 'text', text: JSON.stringify(payload) }], structuredContent: { ...payload } };
}

/** @param maxBytes of the text. Fails with `response_too_large`. */
export function boundedResult(payload: object, maxBytes: number): CallToolResult {
  const result = toolResult(payload);
  const [block] = result.content;
  const bytes = block?.type === 'text' ? Buffer.byteLength(block.text) : 0;
  if (bytes <= maxBytes) return result;
  const message = `the answer has ${bytes} bytes, more than the ${maxBytes} of mcp.security.max_output_size`;
  throw new RatchetError('response_too_large', message, { details: { bytes, maxBytes } });
}

/** A call that a client can make as it stands. */
export interface ReadyCall {
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** What an agent is told of an error. */
export interface ToldError {
  readonly code: string;
  readonly what: string;
  readonly fix: string;
  /** The call to make instead, where there is one. */
  readonly fix_call?: ReadyCall;
  readonly retryable: boolean;
  readonly retry_after_ms: number | null;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Errors repeat what was sent, which can be anything. */
const MAX_ERROR_TOKENS = 4_000;

const readyCall = z.object({ tool: z.string(), arguments: z.record(z.string(), z.unknown()) });

/** @returns a result that says what went wrong, and what to do about it; of a defect, nothing but that it is one. */
export function toolError(error: unknown): CallToolResult {
  const told = within(MAX_ERROR_TOKENS, { error: toldError(asRatchetError(error)) });
  return { ...toolResult(told), isError: true };
}

function toldError({ code, message, details: { call, ...details } }: RatchetError): ToldError {
  const { fault, remedy } = ERRORS[code];
  const seconds = details['retryAfterSeconds'];
  const ready = readyCall.safeParse(call);
  return {
    code,
    what: message,
    fix: remedy,
    ...(ready.success ? { fix_call: ready.data } : {}),
    retryable: fault === 'state' || code === 'store_unavailable',
    retry_after_ms: typeof seconds === 'number' ? seconds * 1000 : null,
    ...(Object.keys(details).length === 0 ? {} : { details }),
  };
}

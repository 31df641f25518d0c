/** Reads what a request carries besides its path: who calls and how, and its input as one object. */
import type { FastifyRequest } from 'fastify';
import { RatchetError } from '../domain/errors.ts';
import { START } from '../domain/event.ts';
import { principalOf } from './identity.ts';
import type { Caller } from './operation.ts';

/** @returns the caller; `minPosition` is that of the query string. Fails with `invalid_request` for a key that is too long. */
export function callerOf(request: FastifyRequest, minPosition: unknown): Omit<Caller, 'seen'> {
  const key = headerOf(request, 'idempotency-key');
  if (key !== null && key.length > 256) {
    throw new RatchetError('invalid_request', 'idempotency-key: at most 256 characters', {
      details: { problems: [{ field: 'idempotency-key', message: 'at most 256 characters' }] },
    });
  }
  const wanted = typeof minPosition === 'string' ? minPosition : headerOf(request, 'x-min-position');
  return {
    principal: principalOf(request),
    source: { kind: 'rest', sessionId: null, clientInfo: headerOf(request, 'user-agent')?.slice(0, 256) ?? null },
    idempotencyKey: key,
    traceparent: headerOf(request, 'traceparent')?.slice(0, 256) ?? null,
    minPosition: wanted?.slice(0, 64) ?? START,
  };
}

/** @returns a header that came once; null otherwise. */
export function headerOf(request: FastifyRequest, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' ? value : null;
}

/** @returns the members of an object; none for anything else. */
export function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** @returns the members of a body; none for an empty one. Fails with `invalid_request` for a body that is no object. */
export function bodyOf(body: unknown): Record<string, unknown> {
  if (body === undefined || body === null) return {};
  if (typeof body === 'object' && !Array.isArray(body)) return { ...body };
  throw new RatchetError(
    'invalid_request',
    `(body): an object is expected, ${Array.isArray(body) ? 'a list' : typeof body} came`,
  );
}

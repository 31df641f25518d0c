/** What comes and goes over HTTP is bounded: connections, addresses and answers; bodies are bounded where they are read. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RatchetError } from '../domain/errors.ts';

export interface Bounds {
  readonly maxResponseBytes: number;
  /** Whether the connection of a request is one too many. */
  readonly isOneTooMany: (request: FastifyRequest) => boolean;
}

const MAX_URL = 8 * 1024;
const RETRY_SECONDS = 1;

/** Adds them to every route. Streams are not bounded: they hold one piece at a time. */
export function addBounds(http: FastifyInstance, { maxResponseBytes, isOneTooMany }: Bounds): void {
  http.addHook('onRequest', async (request, reply) => {
    if (isOneTooMany(request)) {
      reply.header('connection', 'close');
      throw new RatchetError(
        'too_many_connections',
        'as many connections are open as limits.max_concurrent_connections',
        {
          details: { retryAfterSeconds: RETRY_SECONDS },
        },
      );
    }
    if (request.url.length <= MAX_URL) return;
    throw new RatchetError(
      'url_too_long',
      `the address has ${request.url.length} characters, at most ${MAX_URL} are taken`,
    );
  });
  http.addHook('onSend', async (_request, _reply, payload) => {
    const bytes = sizeOf(payload, maxResponseBytes);
    if (bytes <= maxResponseBytes) return;
    throw new RatchetError(
      'response_too_large',
      `the answer has ${bytes} bytes, limits.max_response_size allows ${maxResponseBytes}`,
      { details: { bytes, maxBytes: maxResponseBytes } },
    );
  });
}

/** Text is only measured where it could be too large: no character takes more than three bytes for each unit of its length. */
function sizeOf(payload: unknown, maxBytes: number): number {
  if (payload instanceof Uint8Array) return payload.byteLength;
  if (typeof payload !== 'string') return 0;
  return payload.length * 3 <= maxBytes ? payload.length : Buffer.byteLength(payload);
}

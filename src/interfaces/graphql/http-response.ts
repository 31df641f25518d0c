/** Writes answers as the GraphQL-over-HTTP specification says: each media type has its own rules for the status. */
import type { FastifyReply } from 'fastify';
import type { ExecutionResult, GraphQLFormattedError } from 'graphql';
import { GRAPHQL_RESPONSE, type MediaType } from './media-types.ts';
import { statusOf } from './telling-errors.ts';

export interface ToldResult {
  readonly data?: ExecutionResult['data'];
  readonly errors?: readonly GraphQLFormattedError[];
}

/** A request that was understood gets 200 as `application/json`, whatever came of it: clients rely on nothing else there. */
function statusFor({ data, errors }: ToldResult, mediaType: MediaType, isWellFormed: boolean): number {
  if (data !== undefined) return 200;
  if (mediaType !== GRAPHQL_RESPONSE && isWellFormed) return 200;
  const [first] = errors ?? [];
  return first === undefined ? 500 : statusOf(first);
}

export interface Sending {
  readonly mediaType: MediaType;
  /** False for a request that is no GraphQL request at all, or that nobody may send. */
  readonly isWellFormed: boolean;
  /** Instead of the status that follows from the result. */
  readonly status?: number;
}

/** Sends a result. */
export function sendResult(
  reply: FastifyReply,
  result: ToldResult,
  { mediaType, isWellFormed, status }: Sending,
): FastifyReply {
  const seconds = result.errors?.[0]?.extensions?.['retryAfterSeconds'];
  if (typeof seconds === 'number') reply.header('retry-after', String(seconds));
  return reply
    .code(status ?? statusFor(result, mediaType, isWellFormed))
    .headers({ 'content-type': `${mediaType}; charset=utf-8`, vary: 'Accept', 'cache-control': 'no-store' })
    .send(JSON.stringify(result));
}

/** Who calls: found out once for each request, before anything else is done with it, and the same for every surface. */
import type { FastifyRequest } from 'fastify';
import { LOCAL_ADMIN, type Principal } from '../domain/access.ts';
import { RatchetError } from '../domain/errors.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Null on routes that are open to all. */
    principal: Principal | null;
  }
  interface FastifyContextConfig {
    /** Open to callers that nobody knows. */
    isPublic?: boolean;
  }
}

/** Fails with `unauthenticated`. */
export type Authenticate = (request: FastifyRequest) => Promise<Principal>;

/** @returns who was found to call. Fails with `unauthenticated` on a route that is open to all. */
export function principalOf({ principal }: FastifyRequest): Principal {
  if (principal !== null) return principal;
  throw new RatchetError('unauthenticated', 'nobody is known to call');
}

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1|::ffff:127(?:\.\d{1,3}){3})$/;
const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i;
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'] as const;

/**
 * The caller where no keys are configured: a request from this machine, for this machine, that no proxy handed on, acts as local admin; the check of the
 * Host header keeps web pages from borrowing that right through a name of their own (DNS rebinding).
 * Fails with `unauthenticated` for all others.
 */
export const localOnly: Authenticate = async (request) => {
  const isLocal = LOOPBACK.test(request.socket.remoteAddress ?? '') && LOOPBACK_HOST.test(request.headers.host ?? '');
  const isForwarded = FORWARDED.some((name) => request.headers[name] !== undefined);
  const isForeignPage = request.headers['sec-fetch-site'] === 'cross-site';
  if (isLocal && !isForwarded && !isForeignPage) return LOCAL_ADMIN;
  throw new RatchetError('unauthenticated', 'only requests from this machine are accepted without a key');
};

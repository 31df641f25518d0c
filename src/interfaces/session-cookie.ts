/** The cookie that a session of a browser travels in: out of reach of scripts, sent to this server alone and by its own pages only. */
import type { FastifyRequest } from 'fastify';

/** Browsers keep a cookie of this prefix to the very host, and take it over TLS only. */
const SECURE_PREFIX = '__Host-';
export const SESSION_COOKIE = 'ratchet_session';
/** Longer than any of ours. */
const MAX_VALUE = 512;
const FIXED = 'Path=/; HttpOnly; SameSite=Strict';

/** TLS ends here, or at a proxy that is trusted and says so. */
function isSecure(request: FastifyRequest): boolean {
  return request.protocol === 'https';
}

function nameFor(request: FastifyRequest): string {
  return isSecure(request) ? `${SECURE_PREFIX}${SESSION_COOKIE}` : SESSION_COOKIE;
}

/** @returns the value of the cookie; null when none came. */
export function sessionCookieIn(request: FastifyRequest): string | null {
  const { cookie } = request.headers;
  if (cookie === undefined) return null;
  const start = `${nameFor(request)}=`;
  const found = cookie.split(';').find((part) => part.trimStart().startsWith(start));
  return found?.trim().slice(start.length, start.length + MAX_VALUE) ?? null;
}

/** @returns the header that gives the cookie to a browser, for so many seconds. */
export function sessionCookie(request: FastifyRequest, value: string, seconds: number): string {
  return `${nameFor(request)}=${value}; ${FIXED}; Max-Age=${seconds}${isSecure(request) ? '; Secure' : ''}`;
}

/** @returns the header that takes it away again. */
export function endedCookie(request: FastifyRequest): string {
  return sessionCookie(request, '', 0);
}

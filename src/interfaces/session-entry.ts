/** Lets in whoever comes with the cookie of a session: with the rights that its key or token has now, and from pages of this server only. */
import type { FastifyRequest } from 'fastify';
import type { Principal } from '../domain/access.ts';
import { isRatchetError, RatchetError } from '../domain/errors.ts';
import { callerKept } from '../domain/mcp-session.ts';
import type { Admission, KeyDirectory } from '../ports/key-directory.ts';
import type { Login, Logins } from '../ports/logins.ts';
import type { Tokens } from '../ports/tokens.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Sessions of browsers do not count here. */
    refusesSessions?: boolean;
  }
}

/** What sessions stand on. */
export interface SessionAccess {
  readonly entrance: string;
  readonly keys: KeyDirectory;
  readonly tokens: Tokens;
  readonly logins: Logins;
}

/** Finds out who calls without key and token. Fails with `unauthenticated`. */
type WithoutCredential = (request: FastifyRequest) => Promise<Principal>;

/** Requests that change nothing by the rules of HTTP. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
export const CSRF_HEADER = 'x-csrf-token';

/** @returns what proves that `principal` may enter, so that a session can tell later whether it still would; null where nothing does. */
export function proofOf({ entrance, keys, tokens }: SessionAccess, principal: Principal): string | null {
  switch (principal.kind) {
    case 'key':
      return keys.proofOf(principal);
    case 'token':
      return tokens.proofOf(principal.id);
    case 'local':
      return entrance;
    case 'worker':
    case 'system':
      return null;
    default:
      return principal.kind satisfies never;
  }
}

/**
 * @returns who opened the session of `cookie`, as of now; or why nobody is let in.
 * Fails with `permission_denied` where the request may have been made by a page of somebody else.
 */
export async function admitBySession(
  access: SessionAccess,
  request: FastifyRequest,
  cookie: string,
  withoutCredential: WithoutCredential,
): Promise<Admission & { readonly isGuess?: boolean }> {
  const found = await access.logins.find(cookie);
  if ('refused' in found) return found;
  const admission = await standing(access, request, found.login, withoutCredential);
  if ('refused' in admission) return admission;
  assertOwnPage(request, found.login);
  access.logins.admitted(admission.principal, found.login);
  return admission;
}

/** A session is worth what its key or token is worth now, and never more than it was opened for. */
async function standing(
  { entrance, keys, tokens }: SessionAccess,
  request: FastifyRequest,
  login: Login,
  withoutCredential: WithoutCredential,
): Promise<Admission> {
  const { basis, until, standsOn } = login;
  switch (basis.kind) {
    case 'key':
      return keys.admitHolder({ name: basis.name, isProof: standsOn, until }, request.ip);
    case 'token': {
      const proof = tokens.proofOf(basis.caller.id);
      if (proof === null || !standsOn(proof)) return { refused: 'tokens like that of the session are not taken now' };
      return { principal: { ...callerKept(basis.caller), until } };
    }
    case 'entrance': {
      if (!standsOn(entrance)) return { refused: 'this server now asks for a key or token' };
      try {
        return { principal: { ...(await withoutCredential(request)), until } };
      } catch (error) {
        if (isRatchetError(error, 'unauthenticated')) return { refused: error.message };
        throw error;
      }
    }
    default:
      return basis satisfies never;
  }
}

/** Browsers send cookies along with requests of any page: what a page of ours has, and no other, is the token and its origin. */
function assertOwnPage(request: FastifyRequest, login: Login): void {
  const given = request.headers[CSRF_HEADER];
  if (typeof given === 'string' && login.isCsrfToken(given)) return;
  if (!SAFE.has(request.method)) {
    throw new RatchetError(
      'permission_denied',
      `Permission denied: a session changes things only with its CSRF token; send it as ${CSRF_HEADER} (GET /session tells it)`,
      { details: { header: CSRF_HEADER } },
    );
  }
  const { accept, upgrade } = request.headers;
  const isLive = upgrade !== undefined || accept?.includes('text/event-stream') === true;
  if (!isLive || isOwnOrigin(request)) return;
  throw new RatchetError(
    'permission_denied',
    'Permission denied: with a session, sockets and event streams are opened by pages of this server only; ' +
      `its origin must come as Origin or Sec-Fetch-Site, or its CSRF token as ${CSRF_HEADER}`,
    { details: { origin: request.headers.origin?.slice(0, 200) ?? null } },
  );
}

/** What the browser tells of the page must say so, each of it, and something must. */
function isOwnOrigin(request: FastifyRequest): boolean {
  const { origin, 'sec-fetch-site': site } = request.headers;
  if (origin === undefined && site === undefined) return false;
  if (site !== undefined && site !== 'same-origin') return false;
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === request.host);
}

/** Who calls: found out once for each request, before anything else is done with it, and the same for every surface. */
import type { FastifyRequest } from 'fastify';
import { ANYBODY, LOCAL_ADMIN, type Principal } from '../domain/access.ts';
import { isRatchetError, RatchetError } from '../domain/errors.ts';
import type { KeyDirectory } from '../ports/key-directory.ts';
import type { Logins } from '../ports/logins.ts';
import type { RateLimits } from '../ports/rate-limits.ts';
import type { Tokens } from '../ports/tokens.ts';
import { callerAt } from './addresses.ts';
import { assertAllowed } from './limit-answers.ts';
import { sessionCookieIn } from './session-cookie.ts';
import { admitBySession } from './session-entry.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Null on routes that are open to all. */
    principal: Principal | null;
  }
  interface FastifyContextConfig {
    /** Open to callers that nobody knows. */
    isPublic?: boolean;
    /** Finds out itself who opens a socket, because browsers can tell it in the first message only. */
    identifiesSockets?: boolean;
  }
}

/** Fails with `unauthenticated`, or `rate_limited` for an address that has failed too often. */
export type Authenticate = (request: FastifyRequest) => Promise<Principal>;

/** Whom a caller without key and token is taken for: on this machine the local admin, nobody, or somebody who may do all. */
export type Entrance = 'local' | 'guarded' | 'open';

/** What callers are known by. */
export interface Access {
  readonly entrance: Entrance;
  readonly keys: KeyDirectory;
  readonly tokens: Tokens;
  readonly logins: Logins;
}

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
  throw new RatchetError(
    'unauthenticated',
    'only requests from this machine are accepted without a key; the first start of the server printed one on its standard error, ' +
      'and POST /keys from this machine makes others. Send it as x-api-key',
  );
};

/** Who calls without anything that tells it. */
const WITHOUT: Readonly<Record<Entrance, Authenticate>> = {
  local: localOnly,
  open: async () => ANYBODY,
  guarded: async () => {
    throw new RatchetError(
      'unauthenticated',
      'neither a key nor a token came with the request; send a key as x-api-key, or a token as Authorization: Bearer',
    );
  },
};

/** Wrong keys and tokens from one address, after which it has to wait. */
const FAILURES = { requests: 20, windowMs: 60_000, burst: null } as const;
const FAILURES_NAME = 'auth.failures';
/** Longer than any key or token. */
const MAX_CREDENTIAL = 8_192;
const CREDENTIAL = /^(?:Bearer|ApiKey) +([\x21-\x7e]+) *$/i;
const NO_CREDENTIAL = { refused: 'it is neither a key nor a token' } as const;
const TOKEN_FORM = /^[\w-]+\.[\w-]*\.[\w-]*$/;

/**
 * Keys and tokens come in headers only, since addresses are written into logs. What is wrong is told to the log of the
 * server; callers get one and the same answer, and after 20 failures in a minute from their address none at all.
 */
export function authenticateBy(access: Access, failures: RateLimits): Authenticate {
  const { keys, tokens } = access;
  return async (request) => {
    const given = credentialIn(request);
    if (given === null) return withoutCredential(access, failures, request);
    await countFailures(failures, request, 0);
    const byKey = given === '' ? NO_CREDENTIAL : keys.admit(given, request.ip);
    const admission = 'refused' in byKey && TOKEN_FORM.test(given) ? await tokens.admit(given) : byKey;
    if ('principal' in admission) return admission.principal;
    request.log.warn({ reason: admission.refused, address: request.ip }, 'a key or token was refused');
    await countFailures(failures, request, 1);
    throw new RatchetError('unauthenticated', 'the key or token is not accepted');
  };
}

/** Fails with `rate_limited` where too many failures of the address of a request are counted already. */
async function countFailures(failures: RateLimits, { ip }: FastifyRequest, cost: 0 | 1): Promise<void> {
  const allowance = await failures.consume(`${FAILURES_NAME} ${callerAt(ip)}`, FAILURES, cost);
  assertAllowed({ name: FAILURES_NAME, limit: FAILURES, allowance });
}

/** A session that has ended is none: whoever needs no key goes on without it. Only cookies that nobody was given count as failures. */
async function withoutCredential(access: Access, failures: RateLimits, request: FastifyRequest): Promise<Principal> {
  const enter = WITHOUT[access.entrance];
  const cookie = sessionCookieIn(request);
  if (cookie === null) return enter(request);
  if (request.routeOptions.config.refusesSessions === true) {
    return enter(request).catch(() => {
      throw new RatchetError(
        'unauthenticated',
        'sessions of browsers do not count at this address: send a key as x-api-key, or a token as Authorization: Bearer',
      );
    });
  }
  await countFailures(failures, request, 0);
  const admission = await admitBySession(access, request, cookie, enter);
  if ('principal' in admission) return admission.principal;
  try {
    return await enter(request);
  } catch (error) {
    if (!isRatchetError(error, 'unauthenticated')) throw error;
    request.log.warn({ reason: admission.refused, address: request.ip }, 'a session was refused');
    if (admission.isGuess === true) await countFailures(failures, request, 1);
    throw new RatchetError('unauthenticated', 'the session has ended, or never was; log in again: POST /session');
  }
}

/** @returns whether a browser came with a session that does not count any more, so that it can be told to forget it. */
export function cameWithEndedSession(request: FastifyRequest): boolean {
  const { isPublic = false, refusesSessions = false } = request.routeOptions.config;
  return !isPublic && !refusesSessions && credentialIn(request) === null && sessionCookieIn(request) !== null;
}

/** Empty text for what is no key and no token: it is refused like a wrong one. */
function credentialIn({ headers }: FastifyRequest): string | null {
  const key = headers['x-api-key'];
  const given = typeof key === 'string' ? key : headers.authorization;
  if (given === undefined) return key === undefined ? null : '';
  if (given.length > MAX_CREDENTIAL) return '';
  return typeof key === 'string' ? key : (CREDENTIAL.exec(given)?.[1] ?? '');
}

/** @returns the header that tells a caller how to say who it is (RFC 9110 §11.6.1, RFC 6750 §3). */
export function challengeFor({ headers }: FastifyRequest): string {
  const isWrong = headers['x-api-key'] !== undefined || headers.authorization !== undefined;
  return `Bearer realm="ratchet"${isWrong ? ', error="invalid_token"' : ''}, ApiKey realm="ratchet"`;
}

/** Limits on requests, counted before bodies are read: all that are set are enforced, and the strictest wins. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RateLimit, RateLimits } from '../ports/rate-limits.ts';
import { callerAt } from './addresses.ts';
import { assertAllowed, tellCounted } from './limit-answers.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Not counted: those who look after the server must see it under load, too. */
    isUnlimited?: boolean;
  }
}

/** Null: not set, which imposes nothing. */
export interface RequestLimits {
  readonly global: RateLimit | null;
  readonly rest: RateLimit | null;
  readonly perUser: RateLimit | null;
  readonly security: RateLimit | null;
  readonly window: RateLimit | null;
  /** By path, absolute or below the REST prefix. */
  readonly endpoints: Readonly<Record<string, RateLimit>>;
}

export interface RequestLimiter {
  /** Looks at what is known before the caller is: spares the search for who that is. Fails with `rate_limited`. */
  arrived(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /**
   * Counts the request, once it is known who calls or that nobody knows: narrow limits before wide ones, so that who is over
   * an own limit takes nothing from all others. Fails with `rate_limited`.
   */
  identified(request: FastifyRequest, reply: FastifyReply): Promise<void>;
}

export interface LimitedSurface {
  readonly prefix: string;
  /** Whether a path without the prefix is REST, too. */
  readonly isRest: (path: string) => boolean;
}

/** @returns null where no limit is set, so that nothing is spent on it. */
export function requestLimiter(
  counts: RateLimits,
  limits: RequestLimits,
  { prefix, isRest }: LimitedSurface,
): RequestLimiter | null {
  const { global, rest, perUser, security, window } = limits;
  const endpoints = Object.entries(limits.endpoints);
  const hasAny = [global, rest, perUser, security, window].some((limit) => limit !== null) || endpoints.length > 0;
  if (!hasAny) return null;
  const byCaller = [
    ['rate_limiting.security', security],
    ['rate_limiting.window', window],
  ] as const;
  const count = async (reply: FastifyReply, { name, key, limit }: Limited, cost: number): Promise<void> => {
    const allowance = await counts.consume(`${name} ${key}`, limit, cost);
    const counted = { name, limit, allowance };
    // A mere look is told only where it refuses: the count that matters to the caller follows.
    if (cost > 0 || !allowance.allowed) tellCounted(reply, counted);
    assertAllowed(counted);
  };
  const ofCaller = (key: string): readonly Limited[] =>
    byCaller.flatMap(([name, limit]) => (limit === null ? [] : [{ name, key, limit }]));
  const ofUser = ({ principal }: FastifyRequest): readonly Limited[] =>
    perUser === null || principal === null
      ? []
      : [{ name: 'rate_limiting.per_user', key: principal.id, limit: perUser }];
  const ofAll = (request: FastifyRequest): readonly Limited[] => {
    const path = request.url.split('?')[0] ?? '/';
    const isBelow = rest !== null && (path.startsWith(`${prefix}/`) || isRest(path));
    return [
      ...endpoints
        .filter(([endpoint]) => isAt(request, path, prefix, endpoint))
        .map(([endpoint, limit]) => ({ name: `rate_limiting.endpoints.${endpoint}`, key: '', limit })),
      ...(isBelow ? [{ name: 'rate_limiting.rest', key: '', limit: rest }] : []),
      ...(global === null ? [] : [{ name: 'rate_limiting.global', key: '', limit: global }]),
    ];
  };
  return {
    arrived: async (request, reply) => {
      for (const limited of [...ofCaller(addressOf(request)), ...ofAll(request)]) await count(reply, limited, 0);
    },
    identified: async (request, reply) => {
      const caller = callerOf(request) ?? addressOf(request);
      for (const limited of [...ofUser(request), ...ofCaller(caller), ...ofAll(request)])
        await count(reply, limited, 1);
    },
  };
}

/** One limit, and whom it counts. */
interface Limited {
  readonly name: string;
  readonly key: string;
  readonly limit: RateLimit;
}

/** By the route that was found, so that no other spelling of a path goes past its limit; or by the very path. */
function isAt(request: FastifyRequest, path: string, prefix: string, endpoint: string): boolean {
  const wanted = [endpoint, `${prefix}${endpoint}`];
  const route = request.routeOptions.url;
  return wanted.some((candidate) => candidate === route || candidate === decoded(path));
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function addressOf(request: FastifyRequest): string {
  return `address:${callerAt(request.ip)}`;
}

/** Null for whoever brought no proof of being somebody. */
function callerOf({ principal }: FastifyRequest): string | null {
  return principal === null || principal.kind === 'local' ? null : principal.id;
}

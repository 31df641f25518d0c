/** What callers are told about limits: how much is left, in headers, and which limit refused them, as an error. */
import type { FastifyReply } from 'fastify';
import { RatchetError } from '../domain/errors.ts';
import type { Allowance, RateLimit } from '../ports/rate-limits.ts';

/** One limit that a request was counted under. */
export interface Counted {
  /** As the configuration names it, such as `rate_limiting.per_user`. */
  readonly name: string;
  readonly limit: RateLimit;
  readonly allowance: Allowance;
}

const told = new WeakMap<FastifyReply, Counted[]>();

/** Puts the tightest of all limits counted so far into the headers of the answer, and all of them as its policy. */
export function tellCounted(reply: FastifyReply, counted: Counted): void {
  const all = [...(told.get(reply) ?? []), counted];
  told.set(reply, all);
  const { limit, allowance } = all.reduce((one, other) => (goesBefore(other, one) ? other : one));
  reply.headers({
    'ratelimit-limit': String(limit.requests),
    'ratelimit-remaining': String(allowance.remaining),
    'ratelimit-reset': String(Math.ceil(allowance.resetMs / 1000)),
    'ratelimit-policy': all.map(policyOf).join(', '),
  });
}

/** A limit that refuses goes before all others; the one that has less left before one that has more. */
function goesBefore({ allowance: one }: Counted, { allowance: other }: Counted): boolean {
  return one.allowed === other.allowed ? one.remaining < other.remaining : !one.allowed;
}

function policyOf({ limit: { requests, windowMs, burst } }: Counted): string {
  return `${requests};w=${Math.ceil(windowMs / 1000)}${burst === null ? '' : `;burst=${burst}`}`;
}

/** Fails with `rate_limited`, saying which limit refused and when to come back, unless the caller was let through. */
export function assertAllowed({ name, limit, allowance }: Counted): void {
  if (allowance.allowed) return;
  const seconds = Math.max(1, Math.ceil(allowance.resetMs / 1000));
  const window = limit.windowMs / 1000;
  const atOnce = limit.burst === null ? '' : `, ${limit.burst} at once`;
  throw new RatchetError(
    'rate_limited',
    `the limit ${name} (${limit.requests} in ${window} s${atOnce}) is used up; come back in ${seconds} s`,
    {
      details: { limit: name, requests: limit.requests, windowSeconds: window, retryAfterSeconds: seconds },
    },
  );
}

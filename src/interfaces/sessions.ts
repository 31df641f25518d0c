/** Sessions of browsers over HTTP: opened with a key or token, looked at, and ended; besides the operations, because only HTTP has cookies. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { handle } from '../../commands/handle.ts';
import { logIn, logOut } from '../../commands/login.ts';
import type { Principal } from '../domain/access.ts';
import { RatchetError } from '../domain/errors.ts';
import { START } from '../domain/event.ts';
import type { LoginBasis } from '../domain/login.ts';
import { keptCaller } from '../domain/mcp-session.ts';
import { isoTime, timeOf } from '../domain/time.ts';
import type { Login } from '../ports/logins.ts';
import { principalOf } from './identity.ts';
import { type Caller, type Core, metaOf, parse } from './operation.ts';
import { bodyOf, callerOf } from './rest-request.ts';
import { endedCookie, sessionCookie } from './session-cookie.ts';
import { proofOf } from './session-entry.ts';

const nothing = z.strictObject({});

/** Adds `POST`, `GET` and `DELETE` of `<prefix>/session`. */
export function addSessions(http: FastifyInstance, core: Core, prefix: string): void {
  const url = `${prefix}/session`;
  http.post(url, { config: { operation: 'open_session' } }, async (request, reply) => {
    parse(nothing, bodyOf(request.body));
    const principal = principalOf(request);
    const { cookie, csrfToken, facts } = await opened(core, request, principal);
    const seconds = Math.max(0, Math.floor((timeOf(facts.endsAt) - core.execute.runtime.now()) / 1000));
    reply.headers({ 'cache-control': 'no-store', 'set-cookie': sessionCookie(request, cookie, seconds) });
    return reply.code(201).send(told(principal, csrfToken, facts.endsAt));
  });
  http.get(url, { config: { operation: 'get_session' } }, async (request, reply) => {
    reply.header('cache-control', 'no-store');
    const principal = principalOf(request);
    const login = core.access.logins.of(principal);
    const { until } = principal;
    return told(principal, login?.csrfToken ?? null, until === undefined ? null : isoTime(until));
  });
  http.delete(url, { config: { operation: 'close_session' } }, async (request, reply) => {
    const principal = principalOf(request);
    const login = core.access.logins.of(principal);
    if (login === null) throw new RatchetError('not_found', 'the request came with no session that could be ended');
    await closed(core, request, login);
    reply.header('set-cookie', endedCookie(request));
    return { status: 'ended' };
  });
}

/** A session that opened others would never end. Fails with `permission_denied` for one that tries. */
async function opened(core: Core, request: FastifyRequest, principal: Principal) {
  const { logins } = core.access;
  const proof = proofOf(core.access, principal);
  if (logins.of(principal) !== null || proof === null) {
    throw new RatchetError(
      'permission_denied',
      'Permission denied: a session is opened with a key or token, not with another session; send a key as x-api-key',
    );
  }
  const begun = logins.begin(principal, proof);
  const input = { ...begun.facts, basis: basisOf(principal) };
  await handle(core.execute, logIn, input, metaOf(core, calling(request), 'log_in', {}));
  await logins.refresh(begun.facts.accountId);
  return begun;
}

async function closed(core: Core, request: FastifyRequest, { accountId, loginId }: Login): Promise<void> {
  const input = { accountId, loginId };
  await handle(core.execute, logOut, input, metaOf(core, calling(request), 'log_out', input));
  await core.access.logins.refresh(accountId);
}

/** The secret is told once and kept nowhere: a request that is repeated opens another session. */
function calling(request: FastifyRequest): Caller {
  return { ...callerOf(request, null), seen: START, idempotencyKey: null };
}

function basisOf(principal: Principal): LoginBasis {
  switch (principal.kind) {
    case 'key':
      return { kind: 'key', name: principal.name };
    case 'token':
      return { kind: 'token', caller: keptCaller(principal) };
    case 'local':
    case 'worker':
    case 'system':
      return { kind: 'entrance' };
    default:
      return principal.kind satisfies never;
  }
}

function told({ id, permissions, tasks }: Principal, csrfToken: string | null, expiresAt: string | null) {
  return { principal: id, permissions: [...permissions], tasks, csrf_token: csrfToken, expires_at: expiresAt };
}

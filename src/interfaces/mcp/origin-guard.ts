/** Keeps web pages from calling through a browser on this machine (DNS rebinding): who is asked for, and which page asks. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RatchetError } from '../../domain/errors.ts';

export interface OriginRules {
  /** Whether the listener is bound to this machine alone: then only names of this machine may be asked for. */
  readonly isLocal: boolean;
  /** Pages that may call, besides those of this machine where the listener is local; `*` means all. */
  readonly origins: readonly string[];
}

const LOCAL_NAMES: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Requests from clients that are no browsers carry no Origin and pass. Fails with `permission_denied`. */
export function guardOrigins(scope: FastifyInstance, rules: OriginRules): void {
  scope.addHook('onRequest', async (request) => assertFromHere(request, rules));
}

function assertFromHere({ headers }: FastifyRequest, { isLocal, origins }: OriginRules): void {
  const { host, origin } = headers;
  if (isLocal && !LOCAL_NAMES.has(hostnameOf(`http://${host ?? ''}`) ?? '')) {
    throw new RatchetError(
      'permission_denied',
      `Permission denied: the host ${String(host).slice(0, 256)} is not this machine`,
    );
  }
  if (origin === undefined || origins.includes('*') || origins.some((listed) => isSame(listed, origin))) return;
  if (isLocal && LOCAL_NAMES.has(hostnameOf(origin) ?? '')) return;
  throw new RatchetError(
    'permission_denied',
    `Permission denied: pages of ${origin.slice(0, 256)} may not call; list them in cors.origins`,
  );
}

function hostnameOf(url: string): string | null {
  return URL.parse(url)?.hostname ?? null;
}

function isSame(listed: string, origin: string): boolean {
  return listed.replace(/\/$/, '').toLowerCase() === origin.toLowerCase();
}

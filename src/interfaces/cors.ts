/** Which web pages may call: each surface has its own list of origins, and a page that is not on it gets no permission. */
import cors, { type FastifyCorsOptions } from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';

export interface CorsRule {
  /** Such as `https://app.example.com`; `*` lets all pages in, without their credentials. */
  readonly origins: readonly string[];
  /** Whether pages of named origins may send cookies and credentials. */
  readonly credentials: boolean;
}

/** Null: pages of other origins may not call. */
export interface CorsRules {
  readonly server: CorsRule | null;
  /** Undefined: as the server. */
  readonly rest: CorsRule | null | undefined;
  readonly isRest: (path: string) => boolean;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
/** What pages may read of an answer, beyond what they always may. */
const EXPOSED = [
  'allow',
  'etag',
  'last-event-id',
  'location',
  'mcp-protocol-version',
  'mcp-session-id',
  'ratelimit-limit',
  'ratelimit-policy',
  'ratelimit-remaining',
  'ratelimit-reset',
  'retry-after',
  'www-authenticate',
  'x-correlation-id',
  'x-ratchet-position',
];
/** Seconds for which a browser remembers that it may call. */
const MAX_AGE = 600;

/** Answers preflights, before it is asked who calls, and adds the headers to all other answers. Costs nothing where no page may call. */
export function addCors(http: FastifyInstance, rules: CorsRules): void {
  if (![rules.server, rules.rest].some((rule) => (rule?.origins ?? []).length > 0)) return;
  void http.register(cors, {
    delegator: (request, done) => {
      const path = request.url.split('?')[0] ?? '/';
      const rule = rules.rest !== undefined && rules.isRest(path) ? rules.rest : rules.server;
      done(null, optionsFor(rule, request));
    },
  });
}

function optionsFor(rule: CorsRule | null, { method, headers }: FastifyRequest): FastifyCorsOptions {
  const { origin } = headers;
  if (rule === null || rule.origins.length === 0) return { origin: false };
  const isPreflight = method === 'OPTIONS' && origin !== undefined && 'access-control-request-method' in headers;
  const common = { methods: METHODS, maxAge: MAX_AGE, preflight: isPreflight };
  if (rule.origins.includes('*')) return { ...common, origin: '*', ...exposed(origin !== undefined) };
  const isListed = origin !== undefined && rule.origins.some((listed) => isSame(listed, origin));
  if (!isListed) return { ...common, origin: [] };
  return { ...common, origin: [origin], credentials: rule.credentials, ...exposed(true) };
}

function exposed(isCrossOrigin: boolean): FastifyCorsOptions {
  return isCrossOrigin ? { exposedHeaders: EXPOSED } : {};
}

/** People write origins with a slash at the end, and in any case. */
function isSame(listed: string, origin: string): boolean {
  return listed.replace(/\/$/, '').toLowerCase() === origin.toLowerCase();
}

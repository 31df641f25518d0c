/** The HTTP listener: who calls, how large, under which correlation id; errors as problem details; health. */
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
  LogController,
} from 'fastify';
import { type ErrorCode, RatchetError } from '../domain/errors.ts';
import { addBounds, type Bounds } from './bounds.ts';
import { tellBrokenRequest } from './broken-requests.ts';
import { addCors, type CorsRules } from './cors.ts';
import { problemOf, retryAfterOf } from './errors.ts';
import { type Authenticate, cameWithEndedSession, challengeFor } from './identity.ts';
import { readJson } from './json-body.ts';
import type { RequestLimiter } from './limits.ts';
import { addRequestLog } from './request-log.ts';
import { addSecurityHeaders } from './security-headers.ts';
import { endedCookie } from './session-cookie.ts';

export interface HttpOptions {
  readonly logger: FastifyBaseLogger;
  readonly maxRequestBytes: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly newId: () => string;
  /** Makes the server below, with its own bounds in time; one without any where left out. */
  readonly serverFactory?: FastifyServerOptions['serverFactory'];
  readonly bounds?: Bounds;
  /** Pages of other origins may not call where left out. */
  readonly cors?: CorsRules;
  readonly isTls?: boolean;
  /** Proxies whose X-Forwarded headers are believed. */
  readonly trustProxy?: readonly string[];
  /** Counts requests under the limits that are set. */
  readonly limiter?: RequestLimiter | null;
  /** Finds out who calls; routes with `config: { isPublic: true }` are open to all. */
  readonly authenticate: Authenticate;
  /** Methods that a path answers to; none when there is nothing. */
  readonly methodsAt: (path: string) => readonly string[];
  /** Told about each request that was refused. */
  readonly onRefusal: (refusal: { principal: string; operation: string; reason: string }) => void;
}

/** Answers that say no to somebody, as opposed to something that went wrong. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'unauthenticated',
  'permission_denied',
  'dangerous_task',
  'queue_full',
  'rate_limited',
  'too_many_connections',
]);

/** Those that routes are made for, to be told where another one was tried. */
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** Codes for what fastify itself refuses. */
const FRAMEWORK: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_request',
  FST_ERR_BAD_URL: 'invalid_request',
  FST_ERR_MAX_PARAM_LENGTH: 'invalid_request',
  FST_ERR_HANDLER_TIMEOUT: 'timeout',
};

const MAX_PART = 512;

/** Texts in place of those of the framework that repeat the whole address. */
const SAID: Readonly<Record<string, string>> = {
  FST_ERR_BAD_URL: '(address): it is not percent-encoded as addresses are (RFC 3986)',
  FST_ERR_MAX_PARAM_LENGTH: `(address): no part of it that names something may be longer than ${MAX_PART} characters`,
};

/** @returns a listener with no routes yet. */
export function createHttp(options: HttpOptions): FastifyInstance {
  const http = fastify({
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'correlationId' }),
    bodyLimit: options.maxRequestBytes,
    requestTimeout: options.requestTimeoutMs,
    handlerTimeout: options.requestTimeoutMs,
    trustProxy: options.trustProxy === undefined || options.trustProxy.length === 0 ? false : [...options.trustProxy],
    clientErrorHandler: tellBrokenRequest(options.newId),
    ...(options.serverFactory === undefined ? {} : { serverFactory: options.serverFactory }),
    keepAliveTimeout: options.keepAliveMs,
    forceCloseConnections: true,
    genReqId: (request) => correlationId(request.headers['x-correlation-id']) ?? options.newId(),
    routerOptions: { maxParamLength: MAX_PART },
    // Addresses that the router can not read come here, before any hook has run.
    frameworkErrors: (error, request, reply) => {
      reply.header('x-correlation-id', request.id);
      tellError(options, error, request, reply);
    },
  });
  acceptJson(http);
  http.decorateRequest('principal', null);
  addRequestLog(http);
  if (options.bounds !== undefined) addBounds(http, options.bounds);
  addSecurityHeaders(http, options.isTls === true);
  if (options.cors !== undefined) addCors(http, options.cors);
  // After the headers, and after preflights, which come without credentials, have been answered.
  http.after(() => addIdentity(http, options));
  http.addHook('onSend', async (request, reply) => {
    reply.header('x-correlation-id', request.id).header('x-content-type-options', 'nosniff');
  });
  http.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '/';
    const described = options.methodsAt(path);
    const allowed = described.length > 0 ? described : METHODS.filter((method) => http.hasRoute({ method, url: path }));
    if (allowed.length === 0) throw new RatchetError('not_found', `there is nothing at ${request.method} ${path}`);
    reply.header('allow', allowed.join(', '));
    throw new RatchetError('method_not_allowed', `${path} takes ${allowed.join(', ')}, not ${request.method}`, {
      details: { allowed },
    });
  });
  http.setErrorHandler((error, request, reply) => tellError(options, error, request, reply));
  return http;
}

/** Finds out who calls, and counts the request. */
function addIdentity(http: FastifyInstance, options: HttpOptions): void {
  http.addHook('onRequest', async (request, reply) => {
    const { isUnlimited = false, isPublic = false, identifiesSockets = false } = request.routeOptions.config;
    const isKnownLater = identifiesSockets && request.headers.upgrade !== undefined;
    const limiter = isUnlimited ? null : options.limiter;
    await limiter?.arrived(request, reply);
    try {
      if (!request.is404 && !isPublic && !isKnownLater) request.principal = await options.authenticate(request);
    } finally {
      await limiter?.identified(request, reply);
    }
  });
}

function tellError(options: HttpOptions, error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const known = ours(error, options, request);
  const problem = problemOf(known, request.id);
  request.problem = problem.code;
  if (problem.code === 'internal') request.log.error({ err: error }, 'unexpected error');
  if (REFUSALS.has(problem.code)) {
    const operation = `${request.method} ${request.routeOptions.url ?? '(no route)'}`;
    const principal = request.principal?.id ?? `address:${request.ip}`;
    options.onRefusal({ principal, operation, reason: problem.code });
  }
  if (problem.status === 401) {
    reply.header('www-authenticate', challengeFor(request));
    if (cameWithEndedSession(request)) reply.header('set-cookie', endedCookie(request));
  }
  const seconds = retryAfterOf(known);
  if (seconds !== null) reply.header('retry-after', String(seconds));
  reply.code(problem.status).type('application/problem+json').send(problem);
}

/** An empty body is no input. */
function acceptJson(http: FastifyInstance): void {
  http.removeAllContentTypeParsers();
  http.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    async (_request: unknown, body: string | Buffer) => (body.length === 0 ? {} : readJson(body.toString())),
  );
}

function ours(error: unknown, { maxRequestBytes }: HttpOptions, { headers }: FastifyRequest): unknown {
  if (error instanceof RatchetError || !(error instanceof Error) || !('code' in error)) return error;
  const code = typeof error.code === 'string' ? FRAMEWORK[error.code] : undefined;
  if (code === 'timeout') return new RatchetError(code, 'the answer took longer than server.request_timeout allows');
  if (code === 'payload_too_large') {
    const said = `the body is larger than the ${maxRequestBytes} bytes that limits.max_request_size allows`;
    return new RatchetError(code, said, { details: { maxBytes: maxRequestBytes }, cause: error });
  }
  if (code === 'unsupported_media_type') {
    const came = headers['content-type'] ?? 'none';
    return new RatchetError(code, `content-type: application/json is expected; ${came.slice(0, 100)} came`, {
      cause: error,
    });
  }
  const said = SAID[String(error.code)];
  return code === undefined ? error : new RatchetError(code, said ?? error.message, { cause: error });
}

function correlationId(header: string | string[] | undefined): string | null {
  return typeof header === 'string' && /^[\w.:-]{1,128}$/.test(header) ? header : null;
}

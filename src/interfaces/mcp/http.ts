/** MCP over HTTP on the listener: both eras of the protocol on one path, and the transport of the oldest clients beside it. */
import {
  createMcpHandler,
  isInitializeRequest,
  isLegacyRequest,
  type McpHttpHandler,
  type Server,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { principalOf } from '../identity.ts';
import { whileStanding } from '../standing.ts';
import { countMessages } from './call-limits.ts';
import { KnownCaller, principalOverHttp } from './contact.ts';
import { acceptAnyJson, jsonRpcBody } from './http-body.ts';
import { HttpSessions } from './http-sessions.ts';
import { rpcError } from './json-rpc.ts';
import type { McpMount } from './mount.ts';
import { guardOrigins, type OriginRules } from './origin-guard.ts';
import { type AuthorizationServer, ProtectedResource } from './protected-resource.ts';
import { refusedListening } from './resource-sight.ts';
import { mcpServer } from './server.ts';
import { type SessionBounds, SessionPlaces } from './session-places.ts';
import { SseSessions } from './sse.ts';

export interface McpRoutes {
  /** Of Streamable HTTP, in both eras. */
  readonly path: string;
  readonly origins: OriginRules;
  readonly sessions: SessionBounds;
  /** Largest request; as the listener has it where left out. */
  readonly maxInputBytes?: number;
  /** Paths of HTTP+SSE; null: it is not spoken. */
  readonly sse: { readonly stream: string; readonly messages: string } | null;
  /** Whose tokens are taken; null: none of an authorisation server. */
  readonly authorization: AuthorizationServer | null;
}

/** Answers wait for tools, which have limits of their own; timers of the runtime reach no further. Agents use keys: cookies would let pages in. */
const OWN_RULES = { handlerTimeout: 2 ** 31 - 1, config: { refusesSessions: true } };

/** Adds the paths; whoever calls has been found out by the listener. */
export function addMcp(http: FastifyInstance, mount: McpMount, routes: McpRoutes): void {
  const places = new SessionPlaces(mount, routes.sessions);
  const alone = () => mcpServer(mount, { transport: 'http', sessionId: null, principalOf: principalOverHttp });
  const modern = createMcpHandler(alone, {
    onerror: mount.onTrouble,
    legacy: 'reject',
    bus: mount.changes,
  });
  const sessions = new HttpSessions(mount, places);
  const bounds = { ...OWN_RULES, ...(routes.maxInputBytes === undefined ? {} : { bodyLimit: routes.maxInputBytes }) };
  const { sse, authorization } = routes;
  const resource = authorization === null ? null : new ProtectedResource(authorization, routes.path);
  const oldest = sse === null ? null : new SseSessions(mount, places, sse.messages);
  void http.register(async (scope) => {
    acceptAnyJson(scope);
    guardOrigins(scope, routes.origins);
    resource?.addTo(scope);
    scope.route({
      method: ['GET', 'POST', 'DELETE'],
      url: routes.path,
      ...bounds,
      handler: async (request, reply) =>
        reply.send(await answer({ mount, modern, sessions, alone, resource }, request, reply)),
    });
    if (sse !== null && oldest !== null) addSse(scope, mount, oldest, { ...sse, bounds });
  });
  // Streams are ended first: the listener waits for those who read them.
  http.addHook('preClose', async () => {
    await Promise.all([sessions.close(), oldest?.close(), modern.close()]);
    places.close();
  });
}

interface Legs {
  readonly mount: McpMount;
  readonly modern: McpHttpHandler;
  readonly sessions: HttpSessions;
  readonly alone: () => Server;
  readonly resource: ProtectedResource | null;
}

async function answer(legs: Legs, request: FastifyRequest, reply: FastifyReply): Promise<Response> {
  const { mount, modern, sessions } = legs;
  const body = jsonRpcBody(request.body);
  if ('refused' in body) return body.refused;
  const principal = principalOf(request);
  await countMessages(mount.core.rateLimits, mount.limits, principal, messagesOf(body.value));
  const stepUp = legs.resource?.stepUp(request, principal, mount.toolbox, body.value) ?? null;
  if (stepUp !== null) return refusedFor(mount, principal.id, stepUp);
  const asked = new Request(new URL(request.url, 'http://localhost'), {
    method: request.method,
    headers: headersOf(request.headers, body.value !== undefined),
    signal: goneSignal(mount, request, reply),
  });
  const authInfo = new KnownCaller(principal);
  const options = { authInfo, ...(body.value === undefined ? {} : { parsedBody: body.value }) };
  if (!(await isLegacyRequest(asked, body.value))) {
    const unseen = await refusedListening(mount.core, principal, body.value);
    return unseen === null ? modern.fetch(asked, options) : refusedFor(mount, principal.id, unseen);
  }
  const sessionId = asked.headers.get('mcp-session-id');
  if (sessionId !== null) {
    const answered = await sessions.answer(sessionId, { request: asked, body: body.value, principal });
    return request.method === 'GET' ? opened(answered) : answered;
  }
  const plain = isPlain(request.headers);
  if (isInitializeRequest(body.value) && !plain) return sessions.open({ request: asked, body: body.value, principal });
  return standAlone(legs.alone(), asked, options, plain);
}

function refusedFor({ onRefusal }: McpMount, principal: string, answered: Response): Response {
  onRefusal({ principal, operation: 'tools/call', reason: 'permission_denied' });
  return answered;
}

/** Ends with the connection; and the connection ends when the caller may not be there any more. */
function goneSignal({ core }: McpMount, request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  const stopWatch = whileStanding(core.access, principalOf(request), () => reply.raw.destroy());
  const end = (): void => {
    stopWatch();
    gone.abort();
  };
  // Who has left while the request was looked at is not heard leaving any more.
  if (reply.raw.destroyed) end();
  else reply.raw.once('close', end);
  return gone.signal;
}

function messagesOf(body: unknown): number {
  return Array.isArray(body) ? body.length : 1;
}

/** A stream that has nothing to tell yet says so: its headers travel with its first piece. */
function opened(answered: Response): Response {
  const { body, status, headers } = answered;
  if (body === null || headers.get('content-type') !== 'text/event-stream') return answered;
  const opening = new TransformStream<Uint8Array, Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode(': listening\n\n')),
  });
  return new Response(body.pipeThrough(opening), { status, headers });
}

/** A request of the older era that belongs to no session. Plain clients read no streams. */
async function standAlone(
  server: Server,
  request: Request,
  options: Parameters<WebStandardStreamableHTTPServerTransport['handleRequest']>[1],
  enableJsonResponse: boolean,
): Promise<Response> {
  if (request.method !== 'POST') {
    return rpcError(405, 'refused', 'Method not allowed: the request names no session (Mcp-Session-Id)', {
      allow: 'POST',
    });
  }
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse });
  await server.connect(transport);
  request.signal.addEventListener('abort', () => void server.close(), { once: true });
  return transport.handleRequest(request, options);
}

function addSse(
  scope: FastifyInstance,
  mount: McpMount,
  sessions: SseSessions,
  { stream, messages, bounds }: { stream: string; messages: string; bounds: object },
): void {
  scope.get(stream, { ...bounds }, async (request, reply) => {
    const principal = principalOf(request);
    goneSignal(mount, request, reply);
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) reply.raw.setHeader(name, value);
    }
    const refused = await sessions.open(principal, reply.raw);
    if (refused !== null) return reply.send(refused);
    return reply.hijack();
  });
  scope.post<{ Querystring: { sessionId?: string } }>(messages, { ...bounds }, async (request, reply) => {
    const body = jsonRpcBody(request.body);
    if ('refused' in body) return reply.send(body.refused);
    const principal = principalOf(request);
    await countMessages(mount.core.rateLimits, mount.limits, principal, messagesOf(body.value));
    return reply.send(await sessions.message(request.query.sessionId ?? '', body.value, principal));
  });
}

/** Such as curl: says neither what it sends nor what it takes. */
function isPlain({ accept }: FastifyRequest['headers']): boolean {
  return accept === undefined || !accept.includes('text/event-stream');
}

/** What arrived is JSON, whatever it calls itself; and who names no form of answer takes ours. */
function headersOf(given: FastifyRequest['headers'], hasBody: boolean): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  if (hasBody) headers.set('content-type', 'application/json');
  const accept = headers.get('accept') ?? '*/*';
  if (accept.includes('*/*')) headers.set('accept', 'application/json, text/event-stream');
  return headers;
}

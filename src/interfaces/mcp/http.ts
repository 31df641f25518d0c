/** MCP over Streamable HTTP on the listener: both eras of the protocol on one path, each request for itself. */
import {
  createMcpHandler,
  isLegacyRequest,
  type McpHttpHandler,
  type Server,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { principalOf } from '../identity.ts';
import { KnownCaller, principalOverHttp } from './contact.ts';
import { acceptAnyJson, jsonRpcBody } from './http-body.ts';
import type { McpMount } from './mount.ts';
import { guardOrigins, type OriginRules } from './origin-guard.ts';
import { mcpServer } from './server.ts';

/** Adds the path; whoever calls has been found out by the listener. */
export function addMcp(http: FastifyInstance, mount: McpMount, path: string, origins: OriginRules): void {
  const serverFor = () => mcpServer(mount, { transport: 'http', sessionId: null, principalOf: principalOverHttp });
  const modern = createMcpHandler(serverFor, { onerror: mount.onTrouble, legacy: 'reject' });
  void http.register(async (scope) => {
    acceptAnyJson(scope);
    guardOrigins(scope, origins);
    scope.route({
      method: ['GET', 'POST', 'DELETE'],
      url: path,
      handler: async (request, reply) => reply.send(await answer({ modern, serverFor }, request, reply)),
    });
  });
  http.addHook('onClose', () => modern.close());
}

interface Legs {
  readonly modern: McpHttpHandler;
  readonly serverFor: () => Server;
}

async function answer({ modern, serverFor }: Legs, request: FastifyRequest, reply: FastifyReply): Promise<Response> {
  const body = jsonRpcBody(request.body);
  if ('refused' in body) return body.refused;
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  const headers = headersOf(request.headers, body.value !== undefined);
  const asked = new Request(new URL(request.url, 'http://localhost'), {
    method: request.method,
    headers,
    signal: gone.signal,
  });
  const authInfo = new KnownCaller(principalOf(request));
  const options = { authInfo, ...(body.value === undefined ? {} : { parsedBody: body.value }) };
  if (!(await isLegacyRequest(asked, body.value))) return modern.fetch(asked, options);
  return alone(serverFor(), asked, options, isPlain(request.headers));
}

/** A request of the older era that belongs to no session. Plain clients read no streams. */
async function alone(
  server: Server,
  request: Request,
  options: Parameters<WebStandardStreamableHTTPServerTransport['handleRequest']>[1],
  enableJsonResponse: boolean,
): Promise<Response> {
  if (request.method !== 'POST') {
    return Response.json(
      { jsonrpc: '2.0', id: null, error: { code: -32_000, message: 'Method not allowed: there is no session' } },
      { status: 405, headers: { allow: 'POST' } },
    );
  }
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse });
  await server.connect(transport);
  request.signal.addEventListener('abort', () => void server.close(), { once: true });
  return transport.handleRequest(request, options);
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

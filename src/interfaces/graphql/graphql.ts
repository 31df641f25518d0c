/** GraphQL at one address: queries and mutations over POST and GET, subscriptions over event streams and WebSockets. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLError,
  getOperationAST,
  type OperationDefinitionNode,
} from 'graphql';
import { processRequest } from 'graphql-helix';
import type { Principal } from '../../domain/access.ts';
import { RatchetError } from '../../domain/errors.ts';
import { type Position, START } from '../../domain/event.ts';
import { type Authenticate, principalOf } from '../identity.ts';
import { tellCounted } from '../limit-answers.ts';
import type { Caller, Core } from '../operation.ts';
import { callerOf, headerOf } from '../rest-request.ts';
import { whileStanding } from '../standing.ts';
import { GraphqlContext, type Seen } from './context.ts';
import { Engine } from './engine.ts';
import { type EventStream, openEventStream } from './event-stream.ts';
import { sendResult, type ToldResult } from './http-response.ts';
import { GRAPHQL_LIMITS, type GraphqlLimits, refusal } from './limits.ts';
import { acceptedType, EVENT_STREAM, GRAPHQL_RESPONSE, HTML, type MediaType } from './media-types.ts';
import { playground } from './playground.ts';
import { type GraphqlRequest, requestParameters } from './request-parameters.ts';
import { schemaOf } from './schema.ts';
import { GraphqlSockets, SOCKET_TIMING, type SocketTiming, type Visit } from './sockets.ts';
import { type ErrorTelling, toldError } from './telling-errors.ts';

export interface GraphqlSettings {
  readonly endpoint: string;
  /** Whether a browser gets an editor there. */
  readonly playground: boolean;
  /** Whether the schema may be asked for. */
  readonly introspection: boolean;
  readonly limits?: GraphqlLimits;
  readonly timing?: SocketTiming;
}

export interface GraphqlDeps {
  readonly core: Core;
  readonly authenticate: Authenticate;
  readonly health: () => Promise<{ readonly status: string } & object>;
  readonly version: string;
  /** Pages of these origins may open sockets, besides pages of this server. */
  readonly origins: readonly string[];
  readonly onRefusal: (refusal: { principal: string; operation: string; reason: string }) => void;
}

/** Milliseconds after which a request begins no further operation. */
const REQUEST_MS = 60_000;
/** Operations have limits of their own; streams have none. */
const NO_TIMEOUT = { handlerTimeout: 2 ** 31 - 1 };

/** Adds the routes to a scope that takes WebSockets. */
export function addGraphql(scope: FastifyInstance, deps: GraphqlDeps, settings: GraphqlSettings): void {
  void scope.register(async (own) => new GraphqlRoutes(deps, settings).addTo(own));
}

class GraphqlRoutes {
  readonly #deps: GraphqlDeps;
  readonly #settings: GraphqlSettings;
  readonly #engine: Engine;
  readonly #sockets: GraphqlSockets;
  readonly #seen: Seen = { position: START };
  readonly #timing: SocketTiming;

  constructor(deps: GraphqlDeps, settings: GraphqlSettings) {
    this.#deps = deps;
    this.#settings = settings;
    const { introspection, limits = GRAPHQL_LIMITS, timing = SOCKET_TIMING } = settings;
    this.#timing = timing;
    this.#engine = new Engine(schemaOf(), { limits, introspection });
    this.#sockets = new GraphqlSockets({
      core: deps.core,
      engine: this.#engine,
      authenticate: deps.authenticate,
      timing,
      contextFor: (principal, visit, resumeAfter) =>
        this.#context(socketCaller(principal, visit), new AbortController(), Infinity, resumeAfter),
      tellingFor: (principal, visit) => this.#telling(principal, visit),
    });
  }

  addTo(scope: FastifyInstance): void {
    const { endpoint: url } = this.#settings;
    scope.addHook('preSerialization', async (request, reply, payload) => asGraphql(request, reply, payload));
    scope.addHook('preClose', async () => this.#sockets.close());
    scope.route({ ...NO_TIMEOUT, method: 'POST', url, handler: (request, reply) => this.#answer(request, reply) });
    const known = new WeakMap<FastifyRequest, Upgrade>();
    scope.route({
      ...NO_TIMEOUT,
      method: 'GET',
      url,
      config: { identifiesSockets: true },
      preValidation: async (request, reply) => {
        if (request.ws) known.set(request, { principal: await this.#enter(request), response: reply.raw });
      },
      handler: (request, reply) => this.#answer(request, reply),
      wsHandler: (socket, request) => {
        const upgrade = known.get(request);
        // What the plugin does about errors keeps the request for as long as the socket.
        socket.removeAllListeners('error');
        this.#sockets.open(socket, request, upgrade?.principal ?? null);
        if (upgrade !== undefined) forget(request, upgrade);
      },
    });
    scope.route({
      method: ['PUT', 'PATCH', 'DELETE'],
      url,
      handler: (request, reply) => {
        reply.header('allow', 'GET, POST');
        throw new RatchetError('method_not_allowed', `${url} takes GET and POST, not ${request.method}`);
      },
    });
  }

  async #answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const principal = principalOf(request);
    const hasPage = this.#settings.playground && request.method === 'GET';
    const offered: readonly MediaType[] = [
      GRAPHQL_RESPONSE,
      'application/json',
      EVENT_STREAM,
      ...(hasPage ? ([HTML] as const) : []),
    ];
    const mediaType = acceptedType(headerOf(request, 'accept') ?? undefined, offered);
    if (mediaType === null)
      throw new RatchetError('not_acceptable', `${offered.join(', ')} are offered`, { details: { offered } });
    if (mediaType === HTML) return playground(reply, this.#deps.core.execute.runtime);
    if (request.method === 'POST' && headerOf(request, 'content-type') === null) {
      throw new RatchetError('unsupported_media_type', 'a content-type is missing');
    }
    const { method, headers, query, body } = request;
    const wanted = requestParameters({ method, headers, query, body });
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const caller: Omit<Caller, 'seen'> = {
      ...callerOf(request, null),
      source: { kind: 'graphql', sessionId: null, clientInfo: headerOf(request, 'user-agent')?.slice(0, 256) ?? null },
      onCounted: (counted) => tellCounted(reply, counted),
    };
    const telling = this.#telling(principal, request);
    const tell = (result: ExecutionResult): ToldResult => told(result, telling);
    const stream = mediaType === EVENT_STREAM ? openEventStream(reply, gone.signal, this.#timing.slowMs) : null;
    const context = this.#context(caller, gone, stream === null ? this.#now() + REQUEST_MS : Infinity);
    const result = await this.#process(request, wanted, context, stream);
    if (stream !== null) {
      await streamed(result, {
        stream,
        tell,
        gone,
        watch: (end) => whileStanding(this.#deps.core.access, principal, end),
      });
      return reply;
    }
    if (result.type !== 'RESPONSE')
      throw new RatchetError('internal', 'a result came as a stream that nobody asked for');
    if (context.stored !== START) reply.header('x-ratchet-position', context.stored);
    const isRefusedMethod = result.payload.errors?.[0]?.extensions['code'] === 'method_not_allowed';
    if (isRefusedMethod) reply.header('allow', 'POST');
    const status = isRefusedMethod ? { status: 405 } : {};
    return sendResult(reply, tell(result.payload), { mediaType, isWellFormed: true, ...status });
  }

  #process(
    request: FastifyRequest,
    { query, operationName, variables }: GraphqlRequest,
    context: GraphqlContext,
    stream: EventStream | null,
  ) {
    const engine = this.#engine;
    const { method, headers } = request;
    const accept = stream === null ? 'application/json' : EVENT_STREAM;
    return processRequest<GraphqlContext>({
      request: { method, headers: { ...headers, accept }, query: request.query, body: request.body },
      schema: engine.schema,
      query,
      variables,
      ...(operationName === null ? {} : { operationName }),
      parse: engine.parse,
      validate: (_schema: unknown, document: DocumentNode) => {
        const refused = refusedFor(getOperationAST(document, operationName), { method, isStream: stream !== null });
        const errors = engine.check(document, variables);
        return errors.length > 0 || refused === null ? errors : [refused];
      },
      contextFactory: () => context,
      execute: engine.execute,
      subscribe: (args: ExecutionArgs) => engine.subscribe(args, stream === null ? undefined : () => stream.ready()),
    });
  }

  /** Who opens a socket; null where the first message has to tell. Fails with `permission_denied` for pages of other origins. */
  async #enter(request: FastifyRequest): Promise<Principal | null> {
    const { origin, host } = request.headers;
    const isOwn = origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
    const isListed = this.#deps.origins.some((listed) => listed === '*' || listed.replace(/\/$/, '') === origin);
    if (!isOwn && !isListed) {
      throw new RatchetError('permission_denied', 'Permission denied: the page that asks is of another origin', {
        details: { operation: 'graphql', origin: origin.slice(0, 200) },
      });
    }
    const isTold = request.headers['x-api-key'] !== undefined || request.headers.authorization !== undefined;
    if (isTold) return this.#deps.authenticate(request);
    return this.#deps.authenticate(request).catch(() => null);
  }

  #context(
    caller: Omit<Caller, 'seen'>,
    controller: AbortController,
    deadline: number,
    resumeAfter: Position | null = null,
  ): GraphqlContext {
    const { core, health, version } = this.#deps;
    return new GraphqlContext({ core, caller, seen: this.#seen, controller, deadline, health, version }, resumeAfter);
  }

  #now(): number {
    return this.#deps.core.execute.runtime.now();
  }

  #telling(principal: Principal | null, { id, ip, log }: Pick<FastifyRequest, 'id' | 'ip' | 'log'>): ErrorTelling {
    const who = principal?.id ?? `address:${ip}`;
    return {
      correlationId: id,
      introspection: this.#settings.introspection,
      onUnexpected: (error) => log.error({ err: error, correlationId: id }, 'unexpected error'),
      onRefusal: (reason, field) => this.#deps.onRefusal({ principal: who, operation: `graphql ${field}`, reason }),
    };
  }
}

interface Upgrade {
  /** Null where the first message has to tell. */
  readonly principal: Principal | null;
  readonly response: FastifyReply['raw'];
}

/** A request that has become a socket is over: neither its response nor its timer need stay as long as the socket does. */
function forget({ raw }: FastifyRequest, { response }: Upgrade): void {
  response.detachSocket(raw.socket);
  raw.emit('close');
}

function told({ data, errors }: ExecutionResult, telling: ErrorTelling): ToldResult {
  return {
    ...(errors === undefined ? {} : { errors: errors.map((error) => toldError(error, telling)) }),
    ...(data === undefined ? {} : { data }),
  };
}

/** @returns why an operation can not be run by this request, null when it can. */
function refusedFor(
  operation: OperationDefinitionNode | null | undefined,
  { method, isStream }: { readonly method: string; readonly isStream: boolean },
): GraphQLError | null {
  if (operation === null || operation === undefined) {
    return refusal('invalid_request', 'operationName: it does not name one operation of the document', {});
  }
  if (operation.operation === 'mutation' && method === 'GET') {
    return refusal('method_not_allowed', 'mutations are sent by POST', { allowed: ['POST'] });
  }
  if (operation.operation !== 'subscription' || isStream) return null;
  const offered = [EVENT_STREAM];
  return refusal('not_acceptable', `subscriptions are told as ${EVENT_STREAM}, or over a WebSocket`, { offered });
}

/** What a request over a socket may bring along. */
function socketCaller(principal: Principal, { clientInfo }: Visit): Omit<Caller, 'seen'> {
  const source = { kind: 'graphql', sessionId: null, clientInfo } as const;
  return { principal, source, idempotencyKey: null, traceparent: null, minPosition: START };
}

interface Streaming {
  readonly stream: EventStream;
  readonly tell: (result: ExecutionResult) => ToldResult;
  readonly gone: AbortController;
  /** Calls back when the caller may listen no longer. */
  readonly watch: (end: () => void) => () => void;
}

async function streamed(
  result: Awaited<ReturnType<typeof processRequest>>,
  { stream, tell, gone, watch }: Streaming,
): Promise<void> {
  const stop = watch(() => gone.abort());
  try {
    if (result.type === 'RESPONSE') stream.next(tell(result.payload));
    else await result.subscribe((payload) => stream.next(tell(payload)));
  } finally {
    stop();
    stream.end();
  }
}

/** What went wrong before GraphQL saw the request is told in the same form as all else here. */
function asGraphql(request: FastifyRequest, reply: FastifyReply, payload: unknown): unknown {
  if (!String(reply.getHeader('content-type')).startsWith('application/problem+json')) return payload;
  const { detail, code, remedy, instance, details } = { details: undefined, ...Object(payload) };
  const accepted = acceptedType(headerOf(request, 'accept') ?? undefined, [GRAPHQL_RESPONSE, 'application/json']);
  reply.header('content-type', `${accepted ?? 'application/json'}; charset=utf-8`);
  const extensions = { code, remedy, correlationId: instance, ...(details === undefined ? {} : { details }) };
  return { errors: [{ message: detail, extensions }] };
}

/** Operations and subscriptions over WebSocket, in the protocol `graphql-transport-ws`. */
import type { FastifyRequest } from 'fastify';
import { type ExecutionArgs, type ExecutionResult, GraphQLError } from 'graphql';
import { CloseCode, type Context, makeServer, type SubscribePayload } from 'graphql-ws';
import type { WebSocket } from 'ws';
import type { Principal } from '../../domain/access.ts';
import { isRatchetError, RatchetError } from '../../domain/errors.ts';
import type { Json, Position } from '../../domain/event.ts';
import { canonicalJson } from '../../domain/journal.ts';
import type { Authenticate } from '../identity.ts';
import { checkJson } from '../json-body.ts';
import type { Core } from '../operation.ts';
import { headerOf } from '../rest-request.ts';
import { whileStanding } from '../standing.ts';
import type { GraphqlContext } from './context.ts';
import type { Engine } from './engine.ts';
import { refusal } from './limits.ts';
import { type Begun, SharedResults } from './shared-results.ts';
import { type ErrorTelling, toldError } from './telling-errors.ts';
import { record, textOf } from './values.ts';

export interface SocketOptions {
  readonly core: Core;
  readonly engine: Engine;
  readonly authenticate: Authenticate;
  /** A context for one operation of a caller. */
  readonly contextFor: (principal: Principal, visit: Visit, resumeAfter: Position | null) => GraphqlContext;
  readonly tellingFor: (principal: Principal | null, visit: Visit) => ErrorTelling;
  readonly timing: SocketTiming;
}

/** All in milliseconds. */
export interface SocketTiming {
  /** Within it a client has to say who it is. */
  readonly initMs: number;
  /** Between signs of life; a client that gives none is cut off. */
  readonly pingMs: number;
  /** How long a client may take nothing of what waits for it. */
  readonly slowMs: number;
}

export const SOCKET_TIMING: SocketTiming = { initMs: 5_000, pingMs: 30_000, slowMs: 30_000 };

/** Bytes that may wait for one client before it is waited for. */
const MAX_WAITING_BYTES = 1024 * 1024;
const MAX_SUBSCRIPTIONS = 200;
/** Close codes beside those of the protocol: try again later, more slowly. */
const SLOW_READER = 4429;
/** How long a client that is cut off has to read why. */
const FAREWELL_MS = 1_000;

/** What stays of the request that opened a socket: thousands of sockets are idle for hours. */
export interface Visit extends Pick<FastifyRequest, 'id' | 'ip'> {
  readonly log: FastifyRequest['log'];
  readonly clientInfo: string | null;
}

/** One connection. */
interface Line {
  readonly socket: WebSocket;
  readonly connection: FastifyRequest['raw']['socket'];
  readonly visit: Visit;
  /** Until it is known who calls. */
  request: FastifyRequest | null;
  /** Who the request itself says is calling. */
  readonly known: Principal | null;
  principal: Principal | null;
  stopWatch: () => void;
  /** Whether what is sent waits for the end of this turn. */
  isGathering: boolean;
}

/** One operation that is asked for over a line, in place of its context, which is made when it is carried out. */
class Asked {
  readonly line: Line;
  readonly principal: Principal;
  readonly id: string;
  readonly text: string;

  constructor(line: Line, principal: Principal, id: string, text: string) {
    this.line = line;
    this.principal = principal;
    this.id = id;
    this.text = text;
  }
}

type LineContext = Context<Record<string, unknown>, Line>;

export class GraphqlSockets {
  readonly #options: SocketOptions;
  readonly #server;
  readonly #alive = new Map<WebSocket, boolean>();
  readonly #shared = new SharedResults();
  #pings: NodeJS.Timeout | null = null;

  constructor(options: SocketOptions) {
    this.#options = options;
    this.#server = makeServer<Record<string, unknown>, Line>({
      // It would keep its timer for as long as the socket.
      connectionInitWaitTimeout: 0,
      onConnect: (context) => this.#identify(context),
      onSubscribe: (context, id, payload) => this.#prepare(context, id, payload),
      execute: (args) => this.#execute(args),
      subscribe: (args) => this.#subscribe(args),
      onNext: ({ extra }, _id, _payload, _args, result) => this.#told(extra, result.data, result.errors),
      onError: ({ extra }, _id, _payload, errors) =>
        errors.map((error) => toldError(error, options.tellingFor(extra.principal, extra.visit))),
      onClose: ({ extra }) => extra.stopWatch(),
    });
  }

  /** @param known who the request of the upgrade says is calling; null where the first message has to tell */
  open(socket: WebSocket, request: FastifyRequest, known: Principal | null): void {
    const { id, ip, server, raw } = request;
    const visit = { id, ip, log: server.log, clientInfo: headerOf(request, 'user-agent')?.slice(0, 256) ?? null };
    const line: Line = {
      socket,
      connection: raw.socket,
      visit,
      request,
      known,
      principal: null,
      stopWatch: this.#awaitFirst(socket),
      isGathering: false,
    };
    this.#alive.set(socket, true);
    this.#pings ??= setInterval(() => this.#ping(), this.#options.timing.pingMs);
    socket.on('pong', () => this.#alive.set(socket, true));
    const closed = this.#server.opened(
      {
        protocol: socket.protocol,
        send: (text) => this.#send(line, text),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (take) => void socket.on('message', (data) => void this.#take(line, take, String(data))),
      },
      line,
    );
    socket.on('error', () => socket.terminate());
    socket.once('close', (code, reason) => {
      this.#alive.delete(socket);
      void closed(code, String(reason));
    });
  }

  /** Closes a socket that says nothing; answers what stops that. */
  #awaitFirst(socket: WebSocket): () => void {
    const close = (): void =>
      socket.close(CloseCode.ConnectionInitialisationTimeout, 'Connection initialisation timeout');
    const timer = setTimeout(close, this.#options.timing.initMs);
    return () => clearTimeout(timer);
  }

  close(): void {
    if (this.#pings !== null) clearInterval(this.#pings);
    for (const socket of this.#alive.keys()) socket.close(1001, 'the server is going away');
  }

  async #take({ socket, visit }: Line, take: (text: string) => Promise<void>, text: string): Promise<void> {
    try {
      await take(text);
    } catch (error) {
      if (isRatchetError(error)) return socket.close(CloseCode.Unauthorized, error.code);
      const said = 'a message over a GraphQL socket broke off';
      visit.log.error({ err: error, correlationId: visit.id }, said);
      socket.close(CloseCode.InternalServerError, 'internal');
    }
  }

  /** Keys and tokens come in the first message where a browser can send no headers; they go before what the headers say. */
  async #identify({ connectionParams, extra: line }: LineContext): Promise<void> {
    const { authenticate, core } = this.#options;
    const given = record(connectionParams);
    const key = textOf(given['apiKey']) ?? textOf(given['x-api-key']);
    const authorization = textOf(given['authorization']) ?? textOf(given['Authorization']);
    const isTold = key !== null || authorization !== null;
    const { request } = line;
    line.request = null;
    const isNew = isTold && request !== null;
    const principal = isNew ? await authenticate(withCredentials(request, key, authorization)) : line.known;
    if (principal === null)
      throw new RatchetError('unauthenticated', 'connection_init brings neither apiKey nor authorization');
    line.principal = principal;
    line.stopWatch();
    line.stopWatch = whileStanding(core.access, principal, () =>
      line.socket.close(CloseCode.Unauthorized, 'the key, token or session has ended'),
    );
  }

  #prepare({ subscriptions, extra: line }: LineContext, id: string, payload: SubscribePayload) {
    const { engine } = this.#options;
    if (line.principal === null) throw new RatchetError('unauthenticated', 'nobody is known to call');
    this.#options.core.access.logins.used(line.principal);
    if (Object.keys(subscriptions).length > MAX_SUBSCRIPTIONS) {
      const said = `at most ${MAX_SUBSCRIPTIONS} operations run over one socket`;
      return [refusal('rate_limited', said, { most: MAX_SUBSCRIPTIONS })];
    }
    try {
      const variableValues = payload.variables ?? {};
      checkJson(variableValues);
      const document = engine.parse(payload.query);
      const errors = engine.check(document, variableValues);
      if (errors.length > 0) return errors;
      const contextValue = new Asked(line, line.principal, id, payload.query);
      return { schema: engine.schema, document, variableValues, operationName: payload.operationName, contextValue };
    } catch (error) {
      if (error instanceof GraphQLError) return [error];
      const originalError = error instanceof Error ? error : null;
      return [new GraphQLError(originalError?.message ?? 'the request can not be read', { originalError })];
    }
  }

  #execute(args: ExecutionArgs) {
    const { engine, contextFor } = this.#options;
    const { line, principal } = askedIn(args);
    return engine.execute({ ...args, contextValue: contextFor(principal, line.visit, null) });
  }

  #subscribe(args: ExecutionArgs) {
    const { engine, contextFor, core } = this.#options;
    const { line, principal, id, text } = askedIn(args);
    const { visit } = line;
    const begin = async (after: Position | null): Promise<Begun> => {
      const context = contextFor(principal, visit, after);
      const results = await engine.subscribe({ ...args, contextValue: context });
      const tell = ({ data, errors }: ExecutionResult) => this.#told({ principal, visit }, data, errors);
      return { results, tell, isFromNow: context.isFromNow, position: () => context.told };
    };
    const { permissions, tasks } = principal;
    const rights = [principal.id, [...permissions].sort(), tasks];
    const key = canonicalJson(toJson([text, args.operationName ?? null, args.variableValues ?? {}, rights]));
    const head = () => core.query.store.head();
    return this.#shared.join({ key, head, begin }, { id, send: (frames) => sendFrames(line, frames) });
  }

  #told(
    { principal, visit }: Pick<Line, 'principal' | 'visit'>,
    data: ExecutionResult['data'],
    errors: ExecutionResult['errors'] | undefined,
  ) {
    if (errors === undefined) return { data: data ?? null };
    const telling = this.#options.tellingFor(principal, visit);
    return { ...(data === undefined ? {} : { data }), errors: errors.map((error) => toldError(error, telling)) };
  }

  /** Resolves when the client can take more: until then nothing more is read for it. */
  #send(line: Line, text: string): Promise<void> {
    const { socket } = line;
    if (socket.readyState !== socket.OPEN) return Promise.resolve();
    gather(line);
    if (socket.bufferedAmount < MAX_WAITING_BYTES) {
      socket.send(text);
      return Promise.resolve();
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => cutOff(socket), this.#options.timing.slowMs);
    socket.send(text, () => {
      clearTimeout(timer);
      resolve();
    });
    return promise;
  }

  #ping(): void {
    for (const [socket, isAlive] of this.#alive) {
      if (!isAlive) socket.terminate();
      else if (socket.readyState === socket.OPEN) {
        this.#alive.set(socket, false);
        socket.ping();
      }
    }
  }
}

/** What is told in one turn of the loop leaves in one piece: a write for each message would cost more than all else. */
function gather(line: Line): void {
  if (line.isGathering) return;
  line.isGathering = true;
  const { connection } = line;
  connection.cork();
  setImmediate(() => {
    line.isGathering = false;
    connection.uncork();
  });
}

/** Whole frames stand on the connection as they would be sent by the socket, which never holds a part of one back. */
function sendFrames({ socket, connection }: Line, frames: Buffer): boolean {
  if (socket.readyState !== socket.OPEN) return true;
  if (socket.bufferedAmount >= MAX_WAITING_BYTES) return false;
  connection.write(frames);
  return true;
}

function askedIn({ contextValue }: ExecutionArgs): Asked {
  if (contextValue instanceof Asked) return contextValue;
  throw new RatchetError('internal', 'an operation came without the line that it came by');
}

function toJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value));
}

function cutOff(socket: WebSocket): void {
  socket.close(SLOW_READER, 'slow_reader');
  setTimeout(() => socket.terminate(), FAREWELL_MS).unref();
}

/** The request as if the credentials of the first message had come in its headers. */
function withCredentials(request: FastifyRequest, key: string | null, authorization: string | null): FastifyRequest {
  const { 'x-api-key': _, authorization: __, ...rest } = request.headers;
  const told = { ...(key === null ? {} : { 'x-api-key': key }), ...(authorization === null ? {} : { authorization }) };
  return new Proxy(request, {
    get: (target, name) => (name === 'headers' ? { ...rest, ...told } : Reflect.get(target, name, target)),
  });
}

/** Operations and subscriptions over WebSocket, in the protocol `graphql-transport-ws`. */
import type { FastifyRequest } from 'fastify';
import { type ExecutionResult, GraphQLError } from 'graphql';
import { CloseCode, type Context, makeServer, type SubscribePayload } from 'graphql-ws';
import type { WebSocket } from 'ws';
import type { Principal } from '../../domain/access.ts';
import { isRatchetError, RatchetError } from '../../domain/errors.ts';
import type { Authenticate } from '../identity.ts';
import { checkJson } from '../json-body.ts';
import type { Core } from '../operation.ts';
import { whileStanding } from '../standing.ts';
import type { GraphqlContext } from './context.ts';
import type { Engine } from './engine.ts';
import { refusal } from './limits.ts';
import { type ErrorTelling, toldError } from './telling-errors.ts';
import { record, textOf } from './values.ts';

export interface SocketOptions {
  readonly core: Core;
  readonly engine: Engine;
  readonly authenticate: Authenticate;
  /** A context for one operation of a caller. */
  readonly contextFor: (principal: Principal, request: FastifyRequest) => GraphqlContext;
  readonly tellingFor: (principal: Principal | null, request: FastifyRequest) => ErrorTelling;
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

/** One connection. */
interface Line {
  readonly socket: WebSocket;
  readonly request: FastifyRequest;
  /** Who the request itself says is calling. */
  readonly known: Principal | null;
  principal: Principal | null;
  stopWatch: () => void;
  /** Whether what is sent waits for the end of this turn. */
  isGathering: boolean;
}

type LineContext = Context<Record<string, unknown>, Line>;

export class GraphqlSockets {
  readonly #options: SocketOptions;
  readonly #server;
  readonly #alive = new Map<WebSocket, boolean>();
  #pings: NodeJS.Timeout | null = null;

  constructor(options: SocketOptions) {
    this.#options = options;
    const { engine, timing } = options;
    this.#server = makeServer<Record<string, unknown>, Line>({
      connectionInitWaitTimeout: timing.initMs,
      onConnect: (context) => this.#identify(context),
      onSubscribe: (context, _id, payload) => this.#prepare(context, payload),
      execute: (args) => engine.execute(args),
      subscribe: (args) => engine.subscribe(args),
      onNext: ({ extra }, _id, _payload, _args, result) => this.#told(extra, result.data, result.errors),
      onError: ({ extra }, _id, _payload, errors) =>
        errors.map((error) => toldError(error, options.tellingFor(extra.principal, extra.request))),
      onClose: ({ extra }) => extra.stopWatch(),
    });
  }

  /** @param known who the request of the upgrade says is calling; null where the first message has to tell */
  open(socket: WebSocket, request: FastifyRequest, known: Principal | null): void {
    const line: Line = { socket, request, known, principal: null, stopWatch: () => undefined, isGathering: false };
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

  close(): void {
    if (this.#pings !== null) clearInterval(this.#pings);
    for (const socket of this.#alive.keys()) socket.close(1001, 'the server is going away');
  }

  async #take({ socket, request }: Line, take: (text: string) => Promise<void>, text: string): Promise<void> {
    try {
      await take(text);
    } catch (error) {
      if (isRatchetError(error)) return socket.close(CloseCode.Unauthorized, error.code);
      request.log.error({ err: error }, 'a message over a GraphQL socket broke off');
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
    const principal = isTold ? await authenticate(withCredentials(line.request, key, authorization)) : line.known;
    if (principal === null)
      throw new RatchetError('unauthenticated', 'connection_init brings neither apiKey nor authorization');
    line.principal = principal;
    line.stopWatch = whileStanding(core.access, principal, () =>
      line.socket.close(CloseCode.Unauthorized, 'the key or token has ended'),
    );
  }

  #prepare({ subscriptions, extra: line }: LineContext, payload: SubscribePayload) {
    const { engine, contextFor } = this.#options;
    if (line.principal === null) throw new RatchetError('unauthenticated', 'nobody is known to call');
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
      const contextValue = contextFor(line.principal, line.request);
      return { schema: engine.schema, document, variableValues, operationName: payload.operationName, contextValue };
    } catch (error) {
      if (error instanceof GraphQLError) return [error];
      const originalError = error instanceof Error ? error : null;
      return [new GraphQLError(originalError?.message ?? 'the request can not be read', { originalError })];
    }
  }

  #told({ principal, request }: Line, data: ExecutionResult['data'], errors: ExecutionResult['errors'] | undefined) {
    if (errors === undefined) return { data: data ?? null };
    const telling = this.#options.tellingFor(principal, request);
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
  const connection = line.request.raw.socket;
  connection.cork();
  setImmediate(() => {
    line.isGathering = false;
    connection.uncork();
  });
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

/** The network as tasks may see it: HTTP to allowed addresses only, bounded in time and size, and with plain words for what fails. */
import type { LookupFunction } from 'node:net';
import { isIP } from 'node:net';
import type { buildConnector, Dispatcher } from 'undici';
import {
  HeldBackError,
  type Outbound,
  OutboundError,
  type OutboundRequest,
  type OutboundResponse,
} from '../src/ports/outbound.ts';
import { type AddressGuard, addressGuard } from './address-guard.ts';
import { type KeptConnections, keptConnections } from './kept-connections.ts';
import { dropBody, readBody, tooLarge } from './outbound-body.ts';
import { firstHop, type Hop, isRedirect, nextHop } from './outbound-request.ts';

const MAX_REDIRECTS = 10;

export interface OutboundOptions {
  /** Addresses or CIDR blocks that may be reached besides the public ones. */
  readonly allow: readonly string[];
  /** Connections to one origin. Default 100. */
  readonly maxSockets?: number;
  /** Idle connections kept to one origin. Default 10; 0 keeps none. */
  readonly maxFreeSockets?: number;
  /** Milliseconds an idle connection is kept. Default 30,000. */
  readonly keepAliveMs?: number;
  /** Milliseconds for name resolution, connection and TLS together. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Resolves names like `dns.lookup`. Default: the system's resolver. */
  readonly lookup?: LookupFunction;
  /** Certificates (PEM) trusted besides the usual ones. */
  readonly ca?: readonly string[];
}

/** @returns an {@link Outbound} on pooled HTTP/1.1 connections. Fails with `configuration_invalid` for a bad `allow`. */
export function openOutbound(options: OutboundOptions): Outbound {
  const guard = addressGuard(options.allow, options.lookup);
  // Loaded with the first request: many programs make none, and the library takes longer to load than they run.
  let agent: Promise<Opened> | null = null;
  const kept = keptConnections(options.maxFreeSockets ?? 10);
  return {
    send: async (request, signal, mayLeave) => {
      agent ??= openAgent(guard, options);
      const { agent: all, holding } = await agent;
      const to = { agent: mayLeave === undefined ? all : holding(mayLeave), kept };
      return withDeadline(request, signal, (stop) => follow(to, request, stop));
    },
    close: async () => (await agent)?.agent.destroy(),
  };
}

interface Opened {
  readonly agent: Dispatcher;
  /** The same agent for requests that may be held back at the last moment. */
  readonly holding: (mayLeave: () => boolean) => Dispatcher;
}

async function openAgent(guard: AddressGuard, options: OutboundOptions): Promise<Opened> {
  const undici = await import('undici');
  const agent = new undici.Agent({
    connections: options.maxSockets ?? 100,
    keepAliveTimeout: options.keepAliveMs ?? 30_000,
    keepAliveMaxTimeout: options.keepAliveMs ?? 30_000,
    headersTimeout: 0,
    bodyTimeout: 0,
    pipelining: 1,
    connect: guardedConnector(undici.buildConnector, guard, options),
  });
  const holding = (mayLeave: () => boolean): Dispatcher =>
    agent.compose((dispatch) => (wish, handler) => dispatch(wish, heldBack(handler, mayLeave)));
  return { agent, holding };
}

/** A handler that breaks its request off before the first byte where `mayLeave` says no. */
function heldBack(handler: Dispatcher.DispatchHandler, mayLeave: () => boolean): Dispatcher.DispatchHandler {
  return {
    onRequestStart: (controller, context) => {
      handler.onRequestStart?.(controller, context);
      if (!mayLeave()) controller.abort(new HeldBackError('the request was held back'));
    },
    onRequestUpgrade: (...told) => handler.onRequestUpgrade?.(...told),
    onResponseStart: (...told) => handler.onResponseStart?.(...told),
    onResponseData: (...told) => handler.onResponseData?.(...told),
    onResponseEnd: (...told) => handler.onResponseEnd?.(...told),
    onResponseError: (...told) => handler.onResponseError?.(...told),
  };
}

/** Checks literal addresses before, resolved ones while, and the peer after connecting. */
function guardedConnector(
  build: typeof buildConnector,
  guard: AddressGuard,
  options: OutboundOptions,
): buildConnector.connector {
  const connect = build({
    timeout: options.connectTimeoutMs ?? 10_000,
    allowH2: false,
    lookup: guard.lookup,
    ...(options.ca === undefined ? {} : { ca: [...options.ca] }),
  });
  return (target, callback) => {
    const host = target.hostname.replace(/^\[|\]$/g, '');
    try {
      if (isIP(host) !== 0) guard.assertAllowed(host, host);
    } catch (error) {
      return callback(asError(error), null);
    }
    connect(target, (error, socket) => {
      // On failure the driver passes no second argument, whatever its types say.
      if (error !== null) return callback(error, null);
      try {
        guard.assertAllowed(socket.remoteAddress ?? '', host);
      } catch (refusal) {
        socket.destroy();
        return callback(asError(refusal), null);
      }
      return callback(null, socket);
    });
  };
}

/** Runs `work` with a signal that aborts at the deadline or with the caller's; rejects at that moment, whatever is under way. */
async function withDeadline<Result>(
  request: OutboundRequest,
  signal: AbortSignal,
  work: (stop: AbortSignal) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  const stop = new AbortController();
  const aborted = Promise.withResolvers<never>();
  const end = (reason: unknown): void => {
    aborted.reject(reason);
    stop.abort(reason);
  };
  const onAbort = (): void => end(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const deadline = setTimeout(() => {
    const host = URL.parse(request.url)?.host ?? 'the server';
    end(new OutboundError('timeout', `${host} did not answer within ${request.timeoutMs} ms`));
  }, request.timeoutMs);
  try {
    return await Promise.race([work(stop.signal), aborted.promise]);
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener('abort', onAbort);
  }
}

interface Connections {
  readonly agent: Dispatcher;
  readonly kept: KeptConnections;
}

async function follow(to: Connections, request: OutboundRequest, signal: AbortSignal): Promise<OutboundResponse> {
  let hop = firstHop(request);
  for (let redirects = 0; ; redirects++) {
    const response = await exchange(to, hop, signal);
    const location = response.headers.location;
    const target = Array.isArray(location) ? location[0] : location;
    if (request.redirect === 'manual' || target === undefined || !isRedirect(response.statusCode)) {
      return await finish(response, hop, request.maxBodyBytes, redirects > 0);
    }
    response.body.on('error', ignore).destroy();
    if (request.redirect === 'error') throw new OutboundError('network', `${hop.url.host} answered with a redirect`);
    if (redirects === MAX_REDIRECTS) {
      throw new OutboundError('network', `more than ${MAX_REDIRECTS} redirects, the last from ${hop.url.host}`);
    }
    hop = nextHop(hop, response.statusCode, target, request);
  }
}

async function exchange({ agent, kept }: Connections, hop: Hop, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
  const over = kept.keep(hop.url.origin);
  try {
    const response = await agent.request({
      origin: hop.url.origin,
      path: `${hop.url.pathname}${hop.url.search}`,
      method: hop.method,
      headers: hop.headers.flat(),
      body: hop.body,
      signal,
      reset: over === null,
    });
    if (over !== null) response.body.once('close', over);
    return response;
  } catch (error) {
    over?.();
    throw error instanceof HeldBackError ? error : explained(error, hop.url);
  }
}

async function finish(
  response: Dispatcher.ResponseData,
  hop: Hop,
  maxBodyBytes: number | null,
  redirected: boolean,
): Promise<OutboundResponse> {
  const host = hop.url.host;
  const headers = Object.entries(response.headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((one): [string, string] => [name, one]),
  );
  const { statusCode: status, statusText } = response;
  const told = { status, statusText, headers, url: hop.url.href, redirected };
  if (maxBodyBytes === null) {
    dropBody(response.body);
    return { ...told, body: new Uint8Array() };
  }
  const value = (name: string): string => headers.find(([header]) => header === name)?.[1] ?? '';
  const coding = value('content-encoding');
  try {
    if (coding === '' && hop.method !== 'HEAD' && Number(value('content-length')) > maxBodyBytes) {
      throw tooLarge(host, maxBodyBytes);
    }
    const { body, decoded } = await readBody(response.body, coding, maxBodyBytes, host);
    return {
      ...told,
      // They described the bytes on the wire, which the caller does not get.
      headers: headers.filter(([name]) => !decoded || (name !== 'content-encoding' && name !== 'content-length')),
      body,
    };
  } catch (error) {
    response.body.on('error', ignore).destroy();
    throw explained(error, hop.url);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name could not be resolved just now',
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  EHOSTUNREACH: 'there is no route to the host',
  ENETUNREACH: 'there is no route to its network',
  UND_ERR_SOCKET: 'the connection was closed before the answer was complete',
  UND_ERR_DESTROYED: 'the service is shutting down',
  UND_ERR_HEADERS_OVERFLOW: 'the headers of its answer are too large',
  HTTPParserError: 'its answer is not valid HTTP',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the answer was not as long as it said',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not from a trusted authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not from a trusted authority',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
};

/** @returns a driver's error in our words: which host, why, and the code by which it can be looked up. */
function explained(error: unknown, url: URL): OutboundError {
  const own = [error, causeOf(error)].find((one) => one instanceof OutboundError);
  if (own !== undefined) return own;
  const found = codeOf(error) ?? codeOf(causeOf(error)) ?? nameOf(error);
  const code = found.startsWith('HPE_') ? 'HTTPParserError' : found;
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') {
    return new OutboundError('timeout', `${url.host} could not be reached in time (${code})`, { cause: error });
  }
  const reason = REASONS[code] ?? 'the exchange failed';
  return new OutboundError('network', `cannot call ${url.host}: ${reason} (${code})`, { cause: error });
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

/** Parser errors of the driver carry a code only at times. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown';
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

/** A body that is given up fails; nobody waits for it any more. */
function ignore(): void {}

/** The sockets below HTTP: how many, how long one may be silent, how slowly a request may come, and over TLS where keys are given. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { type TlsFiles, watchedTls } from './tls.ts';

export interface HttpServerSettings {
  /** Milliseconds in which a request must have come as a whole; its headers have at most {@link HEADERS_MS}. */
  readonly receiveMs: number;
  /** How long a connection without a request stays open. */
  readonly keepAliveMs: number;
  /** How long a connection may carry nothing while an answer is awaited. */
  readonly silentMs: number;
  readonly maxConnections: number;
  /** Null: plain HTTP. */
  readonly tls: TlsFiles | null;
  /** Told of each connection that was closed at once, because there were far too many. */
  readonly onDropped: (address: string) => void;
  /** Told when changed TLS files can not be used. */
  readonly onTrouble: (error: unknown) => void;
}

export interface HttpServers {
  /** Makes a server; one process may listen at several addresses. */
  readonly serverFactory: (handler: RequestListener) => Server;
  /** Whether a connection came when there were too many, and there still are. */
  isOneTooMany(socket: Socket): boolean;
  /** Ends what is watched. The servers are closed by whoever has them. */
  close(): void;
}

const HEADERS_MS = 10_000;
const MAX_HEADER_BYTES = 16 * 1024;
/** Peers that vanished without a word are found by probes of the system, from this long after their last sign. */
const PROBE_MS = 30_000;
/** Connections beyond the limit that get an answer that says so; others are closed at once. */
const POLITE_SHARE = 0.1;
const LEAST_POLITE = 16;
const POLITE_MS = 5_000;

/** Fails with `configuration_invalid` when the TLS files can not be used. */
export function openHttpServers(settings: HttpServerSettings): HttpServers {
  const tls = settings.tls === null ? null : watchedTls(settings.tls, settings.onTrouble);
  const open = new Set<Socket>();
  const beyond = new WeakSet<Socket>();
  const welcome = (socket: Socket): void => {
    if (open.size <= settings.maxConnections) return;
    beyond.add(socket);
    const timer = setTimeout(() => beyond.has(socket) && socket.destroy(), POLITE_MS).unref();
    socket.once('close', () => clearTimeout(timer));
  };
  return {
    serverFactory: (handler) => {
      const server = tls === null ? createServer(timesOf(settings), handler) : tlsServer(settings, tls, handler);
      server.setTimeout(settings.silentMs);
      server.maxConnections =
        settings.maxConnections + Math.max(LEAST_POLITE, Math.ceil(settings.maxConnections * POLITE_SHARE));
      server.on('connection', (socket: Socket) => {
        open.add(socket);
        socket.once('close', () => open.delete(socket));
      });
      server.on(tls === null ? 'connection' : 'secureConnection', welcome);
      server.on('drop', (data) => settings.onDropped(data?.remoteAddress ?? '(unknown)'));
      return server;
    },
    isOneTooMany: (socket) => {
      if (!beyond.has(socket)) return false;
      if (open.size > settings.maxConnections) return true;
      beyond.delete(socket);
      return false;
    },
    close: () => tls?.close(),
  };
}

function tlsServer(settings: HttpServerSettings, tls: ReturnType<typeof watchedTls>, handler: RequestListener): Server {
  const server = createTlsServer(
    { ...timesOf(settings), ...tls.options(), handshakeTimeout: Math.min(HEADERS_MS, settings.receiveMs) },
    handler,
  );
  tls.onChange((options) => server.setSecureContext(options));
  return server;
}

function timesOf({ receiveMs, keepAliveMs }: HttpServerSettings) {
  const headersTimeout = Math.min(HEADERS_MS, receiveMs);
  return {
    requestTimeout: receiveMs,
    headersTimeout,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: Math.max(50, Math.min(2_000, Math.floor(headersTimeout / 4))),
    maxHeaderSize: MAX_HEADER_BYTES,
    keepAlive: true,
    keepAliveInitialDelay: PROBE_MS,
  };
}

/** Makes of the settings what bounds and guards the HTTP listener, from its sockets up to the limits on requests. */
import { type HttpServers, openHttpServers } from '../../infra/http-server.ts';
import type { TlsFiles } from '../../infra/tls.ts';
import type { App } from '../app.ts';
import type { CorsRule } from '../interfaces/cors.ts';
import type { HttpOptions } from '../interfaces/http.ts';
import { type RequestLimits, requestLimiter } from '../interfaces/limits.ts';

/** What is left out does not bound. */
export interface ListenerSettings {
  readonly requestLimits?: RequestLimits;
  readonly maxResponseBytes?: number;
  readonly maxConnections?: number;
  /** How long a connection may carry nothing while an answer is awaited. */
  readonly silentMs?: number;
  readonly trustProxy?: readonly string[];
  readonly tls?: TlsFiles | null;
  /** Of REST undefined: as of the server. */
  readonly corsRules?: { readonly server: CorsRule | null; readonly rest: CorsRule | null | undefined };
}

interface Surroundings {
  readonly app: App;
  readonly prefix: string;
  readonly requestTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly methodsAt: HttpOptions['methodsAt'];
  readonly onTrouble: (error: unknown) => void;
}

type Guarding = Pick<
  HttpOptions,
  'serverFactory' | 'bounds' | 'cors' | 'isTls' | 'trustProxy' | 'limiter' | 'methodsAt' | 'onRefusal'
>;

/** Fails with `configuration_invalid` when the TLS files can not be used. */
export function guarded(
  settings: ListenerSettings,
  { app, prefix, methodsAt, requestTimeoutMs, keepAliveMs, onTrouble }: Surroundings,
): { readonly options: Guarding; readonly servers: HttpServers } {
  const { requestLimits, corsRules, tls = null } = settings;
  const isRest = (path: string): boolean => path.startsWith(`${prefix}/`) || methodsAt(path).length > 0;
  const servers = openHttpServers({
    receiveMs: requestTimeoutMs,
    keepAliveMs,
    silentMs: settings.silentMs ?? 0,
    maxConnections: settings.maxConnections ?? Number.MAX_SAFE_INTEGER,
    tls,
    onDropped: (address) =>
      app.refuse({ principal: `address:${address}`, operation: 'connect', reason: 'too_many_connections' }),
    onTrouble,
  });
  const options: Guarding = {
    serverFactory: servers.serverFactory,
    bounds: {
      maxResponseBytes: settings.maxResponseBytes ?? Number.MAX_SAFE_INTEGER,
      isOneTooMany: (request) => servers.isOneTooMany(request.socket),
    },
    isTls: tls !== null,
    trustProxy: settings.trustProxy ?? [],
    methodsAt,
    limiter:
      requestLimits === undefined ? null : requestLimiter(app.core.rateLimits, requestLimits, { prefix, isRest }),
    onRefusal: (refusal) => app.refuse(refusal),
    ...(corsRules === undefined ? {} : { cors: { ...corsRules, isRest } }),
  };
  return { options, servers };
}

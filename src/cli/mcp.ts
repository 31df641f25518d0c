/** `ratchet mcp`: the MCP server over HTTP, from start to a clean stop. */
import { type App, type AppSettings, openApp } from '../app.ts';
import { addHealth } from '../interfaces/health.ts';
import { createHttp } from '../interfaces/http.ts';
import { authenticateBy } from '../interfaces/identity.ts';
import { addMcp } from '../interfaces/mcp/http.ts';
import { guardOrigins, type OriginRules } from '../interfaces/mcp/origin-guard.ts';
import type { ExitCode } from './exit.ts';
import { sayFirstKey } from './first-key.ts';
import { guarded, type ListenerSettings } from './listener.ts';
import { mountOf } from './mcp-mount.ts';
import type { McpSettings } from './mcp-settings.ts';
import { endedInTime, unlessStopped, untilStopped } from './until-stopped.ts';

export interface McpListenSettings extends ListenerSettings, McpSettings {
  readonly host: string;
  readonly port: number;
  readonly origins: OriginRules;
  /** How long a client may take to send a request, in milliseconds. */
  readonly receiveMs: number;
  readonly keepAliveMs: number;
  /** How long executions may run on when the process is asked to end, in milliseconds. */
  readonly drainMs: number;
  readonly version: string;
}

export interface McpListener {
  readonly app: App;
  readonly url: string;
  close(): Promise<void>;
}

/** There is no REST on this listener, so that its limits and pages are none of it. */
const NO_REST = '/(none)';

/** Serves until SIGTERM or SIGINT. */
export async function mcp(
  settings: AppSettings,
  options: McpListenSettings,
  say: (text: string) => void,
): Promise<ExitCode> {
  const stopped = untilStopped();
  const listener = await unlessStopped(stopped, startMcp(settings, options));
  await sayFirstKey(settings, listener.app, say);
  say(greeting(listener));
  await stopped;
  settings.logger.info('stopping: no new work is taken, running executions get a moment to end');
  await endedInTime(
    listener.app.drain(options.drainMs).then(() => listener.close()),
    options.drainMs,
    settings.logger,
  );
  return 0;
}

function greeting({ url }: McpListener): string {
  const shown = url.replace('0.0.0.0', 'localhost').replace('[::]', 'localhost');
  return [
    '',
    `  Ratchet's MCP server is ready: ${shown}`,
    `    Streamable HTTP  ${shown}/mcp`,
    `    HTTP+SSE (old)   ${shown}/sse`,
    `    health           ${shown}/health, ${shown}/status`,
    '',
    '  Try it:',
    `    curl -s ${shown}/mcp -d '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'`,
    '',
  ].join('\n');
}

/** Opens everything and listens. Fails as the app does, or with the system's error for a port that can not be had. */
export async function startMcp(settings: AppSettings, options: McpListenSettings): Promise<McpListener> {
  const { oauth2 } = settings.access.tokens;
  if (oauth2 !== null && oauth2.audience === null) {
    settings.logger.warn('oauth2.audience is not set: tokens that were made for other services are taken here, too');
  }
  const app = await openApp(settings);
  try {
    const { runtime } = app.core.execute;
    const onTrouble = (error: unknown): void => settings.logger.error({ err: error }, 'error of the listener');
    const requestTimeoutMs = options.receiveMs;
    const surroundings = { ...options, app, methodsAt: () => [], onTrouble, prefix: NO_REST, requestTimeoutMs };
    const guard = guarded(options, surroundings);
    const http = createHttp({
      logger: settings.logger,
      maxRequestBytes: options.maxInputBytes,
      requestTimeoutMs,
      keepAliveMs: options.keepAliveMs,
      newId: () => runtime.newId(),
      authenticate: authenticateBy(app.core.access, app.core.rateLimits),
      ...guard.options,
    });
    http.addHook('onClose', async () => guard.servers.close());
    guardOrigins(http, options.origins);
    addHealth(http, () => app.health(), { prefix: '', version: options.version, statusPath: '/status' });
    addMcp(http, mountOf(app, settings, options, options.version), {
      path: '/mcp',
      origins: options.origins,
      sessions: options.sessions,
      sse: { stream: '/sse', messages: '/messages' },
      authorization: oauth2,
    });
    app.attach(http);
    await http.listen({ host: options.host, port: options.port });
    const address = http.server.address();
    const port = typeof address === 'object' && address !== null ? address.port : options.port;
    const host = options.host.includes(':') ? `[${options.host}]` : options.host;
    return { app, url: `http://${host}:${port}`, close: () => app.close() };
  } catch (error) {
    await app.close(0);
    throw error;
  }
}

/** `ratchet serve`: the HTTP service, from start to a clean stop. */
import type { FastifyInstance } from 'fastify';
import { openSignatures } from '../../infra/signatures.ts';
import { type App, type AppSettings, openApp } from '../app.ts';
import { addDebugSocket } from '../interfaces/debug-socket.ts';
import type { GraphqlSettings } from '../interfaces/graphql/graphql.ts';
import { addHealth } from '../interfaces/health.ts';
import { createHttp, type HttpOptions } from '../interfaces/http.ts';
import { type Authenticate, authenticateBy } from '../interfaces/identity.ts';
import type { OriginRules } from '../interfaces/mcp/origin-guard.ts';
import { addRest, methodsBelow } from '../interfaces/rest.ts';
import { addSessions } from '../interfaces/sessions.ts';
import { addWebSockets } from '../interfaces/web-sockets.ts';
import { addWebhooks, type WebhookSettings } from '../interfaces/webhooks.ts';
import type { ExitCode } from './exit.ts';
import { sayFirstKey } from './first-key.ts';
import { guarded, type ListenerSettings } from './listener.ts';
import type { McpSettings } from './mcp-settings.ts';
import { endedInTime, unlessStopped, untilStopped } from './until-stopped.ts';

export interface ServeSettings extends ListenerSettings {
  readonly host: string;
  readonly port: number;
  /** Whether callers are answered here; else only health is told. They are where left out. */
  readonly hasApi?: boolean;
  /** How long executions may run on when the process is asked to end, in milliseconds; 20,000 where left out. */
  readonly drainMs?: number;
  /** How long it goes on answering at least when it is asked to end, milliseconds; 0 by default. */
  readonly shutdownDelayMs?: number;
  readonly restPrefix: string;
  /** Whether REST is served; it is where left out. */
  readonly hasRest?: boolean;
  readonly maxRequestBytes: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveMs: number;
  /** None where left out. */
  readonly graphql?: GraphqlSettings;
  /** Tools at `/mcp`; none where left out. */
  readonly mcp?: McpSettings & { readonly origins: OriginRules };
  /** None where left out. */
  readonly webhooks?: readonly WebhookSettings[];
  readonly version: string;
}

export interface Server {
  readonly app: App;
  readonly http: FastifyInstance;
  readonly url: string;
  /** Health says at once that nothing more should be sent here; what runs here may end. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

const DRAIN_MS = 20_000;

/** Opens everything and listens. Fails as the app does, or with the system's error for a port that can not be had. */
export async function startServer(settings: AppSettings, serve: ServeSettings): Promise<Server> {
  const app = await openApp({ ...settings, webhooks: serve.webhooks ?? [] });
  try {
    const { runtime } = app.core.execute;
    const hasApi = serve.hasApi ?? true;
    const hasRest = hasApi && (serve.hasRest ?? true);
    const methodsAt = hasRest ? methodsBelow(serve.restPrefix) : () => [];
    const onTrouble = (error: unknown): void => settings.logger.error({ err: error }, 'error of the listener');
    const guard = guarded(serve, { ...serve, app, methodsAt, onTrouble, prefix: serve.restPrefix });
    const authenticate = authenticateBy(app.core.access, app.core.rateLimits);
    const http = createHttp({
      ...serve,
      logger: settings.logger,
      newId: () => runtime.newId(),
      authenticate,
      ...guard.options,
    });
    http.addHook('onClose', async () => guard.servers.close());
    addHealth(http, () => app.health(), { prefix: serve.restPrefix, version: serve.version });
    if (hasApi) {
      await addSockets(http, { app, serve, authenticate, onRefusal: guard.options.onRefusal });
      addSessions(http, app.core, serve.restPrefix);
      if (hasRest) addRest(http, app.core, serve.restPrefix);
      await addTools(http, app, settings, serve);
      addWebhooks(http, app.core, serve.webhooks ?? [], openSignatures());
    }
    app.attach(http);
    await http.listen({ host: serve.host, port: serve.port });
    const address = http.server.address();
    const port = typeof address === 'object' && address !== null ? address.port : serve.port;
    const host = serve.host.includes(':') ? `[${serve.host}]` : serve.host;
    const scheme = (serve.tls ?? null) === null ? 'http' : 'https';
    const drain = () => app.drain(serve.drainMs ?? DRAIN_MS, serve.shutdownDelayMs);
    return { app, http, url: `${scheme}://${host}:${port}`, drain, close: () => app.close() };
  } catch (error) {
    await app.close(0);
    throw error;
  }
}

/** The tools of the MCP server beside everything else, for the callers of the listener; loaded only where they are offered. */
async function addTools(
  http: FastifyInstance,
  app: App,
  settings: AppSettings,
  { mcp, version, maxRequestBytes }: ServeSettings,
): Promise<void> {
  if (mcp === undefined) return;
  const [{ addMcp }, { mountOf }] = await Promise.all([import('../interfaces/mcp/http.ts'), import('./mcp-mount.ts')]);
  addMcp(http, mountOf(app, settings, mcp, version), {
    path: '/mcp',
    origins: mcp.origins,
    sessions: mcp.sessions,
    maxInputBytes: Math.min(mcp.maxInputBytes, maxRequestBytes),
    sse: null,
    authorization: settings.access.tokens.oauth2,
  });
}

interface SocketParts {
  readonly app: App;
  readonly serve: ServeSettings;
  readonly authenticate: Authenticate;
  readonly onRefusal: HttpOptions['onRefusal'];
}

/** What is spoken over WebSockets, and GraphQL, which is spoken without them, too. */
async function addSockets(http: FastifyInstance, { app, serve, authenticate, onRefusal }: SocketParts): Promise<void> {
  const { core } = app;
  const { graphql, restPrefix, version } = serve;
  // It takes a moment to load, which those who do not use it are spared.
  const addGraphql = graphql === undefined ? null : (await import('../interfaces/graphql/graphql.ts')).addGraphql;
  addWebSockets(http, (scope) => {
    if (serve.hasRest ?? true) addDebugSocket(scope, core, restPrefix);
    if (addGraphql === null || graphql === undefined) return;
    const origins = serve.corsRules?.server?.origins ?? [];
    const health = () => app.health();
    addGraphql(scope, { core, authenticate, health, version, origins, onRefusal }, graphql);
  });
}

/** Serves until SIGTERM or SIGINT, then drains. A second signal ends at once. */
export async function serve(
  settings: AppSettings,
  options: ServeSettings,
  say: (text: string) => void,
): Promise<ExitCode> {
  const stopped = untilStopped();
  const server = await unlessStopped(stopped, startServer(settings, options));
  if (options.hasApi ?? true) await sayFirstKey(settings, server.app, say);
  say((options.hasApi ?? true) ? greeting(server, options) : quietGreeting(server, settings));
  await stopped;
  settings.logger.info('stopping: no new work is taken, running executions get a moment to end');
  const graceMs = Math.max(options.drainMs ?? DRAIN_MS, options.shutdownDelayMs ?? 0);
  await endedInTime(
    server.drain().then(() => server.close()),
    graceMs,
    settings.logger,
  );
  return 0;
}

/** Of a node that answers no callers. */
function quietGreeting({ url }: Server, { roles = [] }: AppSettings): string {
  const shown = url.replace('0.0.0.0', 'localhost').replace('[::]', 'localhost');
  return ['', `  Ratchet is ready as ${roles.join(', ')}: ${shown}`, `    health   ${shown}/health`, ''].join('\n');
}

function greeting({ url, app }: Server, { restPrefix }: ServeSettings): string {
  const shown = url.replace('0.0.0.0', 'localhost').replace('[::]', 'localhost');
  const tasks = app.directory.all();
  const example = tasks.find((task) => task.name === 'csv-parser') ?? tasks[0];
  const input = example?.name === 'csv-parser' ? '{"csv":"name,age\\nAda,36"}' : '{}';
  const lines = [
    '',
    `  Ratchet is ready: ${shown}`,
    `    health   ${shown}/health`,
    `    tasks    ${shown}${restPrefix}/tasks (${tasks.length} loaded)`,
    `    events   ${shown}${restPrefix}/events`,
  ];
  if (example === undefined)
    return [...lines, '', '  No tasks yet: put some below ./tasks, or create one over REST.', ''].join('\n');
  const body = JSON.stringify({ task_id: example.name, input: JSON.parse(input) });
  return [
    ...lines,
    '',
    '  Try it:',
    `    curl -s ${shown}${restPrefix}/tasks/execute -H 'content-type: application/json' \\`,
    `      -d '${body}'`,
    '',
  ].join('\n');
}

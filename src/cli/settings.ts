/** Makes of the configuration what the app is opened with. */
import { join } from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import { maskUrl } from '../../config/kinds.ts';
import type { Config } from '../../config/schema.ts';
import { isPostgres } from '../../infra/postgres/address.ts';
import type { AppSettings } from '../app.ts';
import { NODE_ROLES, type NodeRole } from '../domain/node-role.ts';
import type { CorsRule } from '../interfaces/cors.ts';
import type { RequestLimits } from '../interfaces/limits.ts';
import type { RateLimit } from '../ports/rate-limits.ts';
import { accessSettings } from './access-settings.ts';
import type { McpListenSettings } from './mcp.ts';
import { mcpSettings, originRules } from './mcp-settings.ts';
import type { ServeSettings } from './serve.ts';

const MIB = 1024 * 1024;
/** How much longer a connection may be silent than the longest answer takes. */
const SILENT_AFTER_MS = 60_000;
/** Most tasks wait for somebody else most of the time; processes are started when needed and end when idle. */
const PLACES_PER_PROCESSOR = 8;

/** More often a source that is elsewhere is not looked at. */
const LEAST_POLL_MS = 1_000;

/** @returns what may be shown of the address of a database: no password, and no parameters, which may hold one. */
export function shownUrl(url: string): string {
  return maskUrl(url).replace(/\?.*$/, '');
}

/**
 * @param cpus processors of this machine, for the number of workers where none is set
 * @param dataFolder keeps copies of remote task sources, and what a database elsewhere leaves to this machine; null: they
 *   go with the process
 */
export function appSettings(
  config: Config,
  logger: FastifyBaseLogger,
  cpus: number,
  dataFolder: string | null = null,
): AppSettings {
  const { execution, limits, outbound, tasks } = config;
  const workers = config.workers.count ?? cpus * PLACES_PER_PROCESSOR;
  return {
    eventStoreUrl: config.eventStore.url ?? config.database.url,
    postgres: {
      poolSize: config.database.poolSize,
      connectionTimeoutMs: config.database.connectionTimeoutMs,
      idleTimeoutMs: config.database.idleTimeoutMs,
      preparedStatements: config.database.preparedStatements,
      autoMigrate: config.database.autoMigrate,
    },
    readStore: isPostgres(config.database.url) ? config.database.url : null,
    dataFolder,
    workers,
    maxPerClient: execution.maxConcurrentPerClient,
    warmWorkers: Math.min(2, workers),
    restartWorkers: config.workers.restartOnFailure,
    needsIsolation: config.environment === 'production' && !config.security.allowProcessIsolation,
    debugSessions: 4,
    bounds: {
      maxTimeoutMs: execution.maxExecutionTimeMs,
      defaultMemoryMb: Math.max(64, Math.floor(limits.taskExecutionMemoryLimit / MIB)),
      maxMemoryMb: 1_024,
      queueSize: execution.queueSize,
      allowDangerous: tasks.allowDangerous,
    },
    limits: {
      maxOutputBytes: execution.maxOutputBytes,
      maxLogLines: execution.maxLogLines,
      maxLogBytes: execution.maxLogBytes,
      maxSteps: execution.maxSteps,
    },
    stepLimits: { httpTimeoutMs: outbound.timeoutMs, maxBodyBytes: execution.maxResponseBodyBytes },
    wait: { defaultSeconds: execution.waitSecondsDefault, maxSeconds: execution.waitSecondsMax },
    outboundAllow: outbound.allow,
    maxSockets: outbound.maxSockets,
    maxFreeSockets: outbound.keepAlive ? outbound.maxFreeSockets : 0,
    connectTimeoutMs: outbound.connectTimeoutMs,
    fileRoots: tasks.fileRoots,
    models: {
      mcp: { servers: config.mcp.servers, connections: config.mcp.performance.connectionPoolSize },
      llm: config.llm,
    },
    secrets: config.secrets,
    sources: config.registry.sources.map(({ path, watchForChanges, autoReload, pollIntervalMs, ...source }) => {
      const pollMs = pollIntervalMs === null ? null : Math.max(pollIntervalMs, LEAST_POLL_MS);
      return { ...source, root: path, watch: watchForChanges && autoReload, pollMs };
    }),
    copiesFolder: dataFolder === null ? null : join(dataFolder, 'sources'),
    auditFile: config.mcp.security.auditLogEnabled ? config.mcp.auditLogFile : null,
    logsTraces: config.mcp.logExecutionTraces,
    access: accessSettings(config.auth),
    redisUrl: config.redis.url,
    runs: true,
    roles: rolesOf(config),
    leaseMs: config.workers.leaseMs,
    logger,
  };
}

/** What the log is opened with: `mcp.enable_structured_logs` makes JSON of what goes to the console. */
export function logSettings({ logging, mcp }: Config): Config['logging'] {
  if (!mcp.enableStructuredLogs) return logging;
  const console = { type: 'console', level: null, format: 'json', colored: false } as const;
  const sinks = logging.sinks.length === 0 ? [console] : logging.sinks;
  return { ...logging, sinks: sinks.map((sink) => (sink.type === 'console' ? { ...sink, format: 'json' } : sink)) };
}

export function serveSettings(config: Config, version: string): ServeSettings {
  const { server, rest, limits } = config;
  return {
    host: server.host,
    port: server.port,
    hasApi: rolesOf(config).includes('api'),
    drainMs: config.workers.drainMs,
    shutdownDelayMs: server.shutdownDelayMs,
    restPrefix: rest.prefix.replace(/\/$/, ''),
    hasRest: rest.enabled,
    maxRequestBytes: limits.maxRequestSize,
    requestTimeoutMs: server.requestTimeoutMs,
    keepAliveMs: server.keepAliveMs,
    requestLimits: requestLimits(config),
    maxResponseBytes: limits.maxResponseSize,
    maxConnections: limits.maxConcurrentConnections,
    silentMs: SILENT_AFTER_MS + Math.max(server.requestTimeoutMs, config.execution.maxExecutionTimeMs),
    trustProxy: server.trustProxy,
    tls: server.tls,
    corsRules: { server: corsRule(server.cors), rest: rest.cors === null ? undefined : corsRule(rest.cors) },
    webhooks: Object.entries(config.webhooks).map(([name, sender]) => ({ name, ...sender })),
    ...(config.graphql.enabled ? { graphql: config.graphql } : {}),
    ...(config.mcp.enabled ? { mcp: { ...mcpSettings(config, false), origins: originRules(server) } } : {}),
    version,
  };
}

/** Of the command `mcp`. */
export function mcpListenSettings(config: Config, readOnly: boolean, version: string): McpListenSettings {
  const { mcp, server, limits, execution } = config;
  return {
    ...mcpSettings(config, readOnly),
    host: mcp.host,
    port: mcp.port,
    origins: originRules(mcp),
    receiveMs: mcp.requestTimeoutMs,
    keepAliveMs: server.keepAliveMs,
    drainMs: config.workers.drainMs,
    requestLimits: requestLimits(config),
    maxResponseBytes: mcp.security.maxOutputSize,
    maxConnections: limits.maxConcurrentConnections,
    silentMs: SILENT_AFTER_MS + Math.max(mcp.requestTimeoutMs, execution.maxExecutionTimeMs),
    trustProxy: server.trustProxy,
    corsRules: { server: corsRule(mcp.cors), rest: undefined },
    version,
  };
}

/** Naming none means all. */
function rolesOf({ server }: Config): readonly NodeRole[] {
  return server.roles.length === 0 ? NODE_ROLES : server.roles;
}

function corsRule({ enabled, origins, credentials }: Config['server']['cors']): CorsRule | null {
  return enabled ? { origins, credentials } : null;
}

function requestLimits({ rateLimiting }: Config): RequestLimits {
  const { global, rest, perUser, security, window, endpoints } = rateLimiting;
  const paths = Object.entries(endpoints).flatMap(([path, limit]): [string, RateLimit][] => {
    const found = rateLimit(limit);
    return found === null ? [] : [[path, found]];
  });
  return {
    global: rateLimit(global),
    rest: rateLimit(rest),
    perUser: rateLimit(perUser),
    security: rateLimit(security),
    window: window === null ? null : { requests: window.maxRequests, windowMs: window.windowMs, burst: null },
    endpoints: Object.fromEntries(paths),
  };
}

/** A burst alone has no pace at which more would be allowed: it limits nothing. */
function rateLimit({ requestsPerMinute, burstSize }: Config['rateLimiting']['global']): RateLimit | null {
  return requestsPerMinute === null ? null : { ...requestsPerMinute, burst: burstSize };
}

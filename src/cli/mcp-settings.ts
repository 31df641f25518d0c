/** Makes of the configuration what the MCP server is opened with, and who its callers may be. */
import { isLoopback } from '../../config/policy.ts';
import type { Config } from '../../config/schema.ts';
import type { AccessSettings } from '../app.ts';
import type { CallLimits } from '../interfaces/mcp/call-limits.ts';
import type { OriginRules } from '../interfaces/mcp/origin-guard.ts';
import type { SessionBounds } from '../interfaces/mcp/session-places.ts';
import type { ToolSettings } from '../interfaces/mcp/settings.ts';
import { accessSettings } from './access-settings.ts';

/** The same for all transports. */
export interface McpSettings {
  readonly tools: ToolSettings;
  readonly limits: CallLimits;
  /** Longest time for a call that runs no task code, in milliseconds. */
  readonly callTimeoutMs: number;
  readonly maxInputBytes: number;
  readonly sessions: SessionBounds;
}

/** Half an hour without a request. */
const IDLE_MS = 30 * 60_000;

/** @param readOnly offers only tools that change nothing */
export function mcpSettings(config: Config, readOnly: boolean): McpSettings {
  const { mcp, rateLimiting } = config;
  const { requestsPerMinute, globalPerMinute, executeTaskPerMinute, batchExecutePerMinute } = rateLimiting.mcp;
  return {
    tools: toolSettings(config, readOnly),
    limits: {
      messages: requestsPerMinute,
      calls: globalPerMinute,
      executions: executeTaskPerMinute,
      batches: batchExecutePerMinute,
    },
    callTimeoutMs: mcp.requestTimeoutMs,
    maxInputBytes: mcp.security.maxInputSize,
    sessions: { max: mcp.maxConnections, idleMs: IDLE_MS },
  };
}

function toolSettings({ mcp, cache }: Config, readOnly: boolean): ToolSettings {
  const { tools, security, performance } = mcp;
  return {
    toolsets: {
      execution: tools.enableExecution,
      logging: tools.enableLogging,
      monitoring: tools.enableMonitoring,
      debugging: tools.enableDebugging,
      batch: tools.enableBatch,
    },
    readOnly,
    progress: tools.enableProgress,
    filesystem: tools.enableFilesystem,
    maxLogEntries: security.maxLogEntries,
    maxOutputBytes: security.maxOutputSize,
    logCacheTtlMs: performance.logCacheTtlMs,
    listTtlMs: cache.toolsListTtlMs,
  };
}

/** Which pages may call. */
export function originRules({ host, cors }: Pick<Config['server'], 'host' | 'cors'>): OriginRules {
  return { isLocal: isLoopback(host), origins: cors.enabled ? cors.origins : [] };
}

/** Of the commands `mcp` and `mcp-serve`: `mcp` says who may call, and `auth` where it says nothing. */
export function mcpAccess(config: Config): AccessSettings {
  return accessSettings(accessSection(config));
}

/**
 * The key of whoever starts the process, for stdio: the one of RATCHET_API_KEY or MCP_API_KEY, else that of the only entry
 * whose own variable is set. Null: nothing says who it is.
 */
export function callerKey(config: Config): string | null {
  if (config.mcp.callerKey !== null) return config.mcp.callerKey;
  const own = accessSection(config).apiKeys.filter(({ keyFrom }) => keyFrom !== null);
  const [only] = own;
  return own.length === 1 && only !== undefined ? only.key : null;
}

function accessSection({ mcp, auth }: Config): Omit<Config['auth'], 'session'> {
  const saysNothing = mcp.authType === null && mcp.apiKeys.length === 0 && mcp.jwt === null && mcp.oauth2 === null;
  return saysNothing ? auth : { type: mcp.authType, apiKeys: mcp.apiKeys, jwt: mcp.jwt, oauth2: mcp.oauth2 };
}

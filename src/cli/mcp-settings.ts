/** Makes of the configuration what the MCP server is opened with, and who its callers may be. */
import type { Config } from '../../config/schema.ts';
import type { AccessSettings } from '../app.ts';
import type { ToolSettings } from '../interfaces/mcp/settings.ts';
import { accessSettings } from './access-settings.ts';

export function toolSettings({ mcp, cache }: Config, readOnly: boolean): ToolSettings {
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

/** Of the commands `mcp` and `mcp-serve`: `mcp` says who may call, and `auth` where it says nothing. */
export function mcpAccess({ mcp, auth }: Config): AccessSettings {
  const saysNothing = mcp.authType === null && mcp.apiKeys.length === 0 && mcp.jwt === null && mcp.oauth2 === null;
  if (saysNothing) return accessSettings(auth);
  return accessSettings({ type: mcp.authType, apiKeys: mcp.apiKeys, jwt: mcp.jwt, oauth2: mcp.oauth2 });
}

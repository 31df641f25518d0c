/** Keys of the MCP server and of the MCP servers that tasks may call. */
import { entries, list, named, required, section, setting, unset } from './fields.ts';
import { choice, duration, flag, httpUrl, path, port, secret, size, text, whole } from './kinds.ts';
import { apiKeys, authType, jwt, oauth2 } from './schema-access.ts';
import { cors } from './schema-server.ts';

const serverEntry = section('One MCP server that tasks may call.', {
  name: required(text, 'Name by which tasks call it.'),
  command: unset(text, 'Program to start, for a server on stdio.'),
  args: list(text, 'Arguments of the program.'),
  env: named(required(secret, 'Value of one variable.'), 'Environment of the program.'),
  url: unset(httpUrl, 'Address, for a server on HTTP.'),
  headers: named(required(secret, 'Value of one header.'), 'Headers sent to the address.'),
  timeoutMs: setting(duration('s'), 30_000, 'Longest time for one call.'),
});

export const mcp = section('The MCP server.', {
  enabled: setting(flag, true, 'Whether `serve` offers MCP at /mcp.'),
  transport: setting(
    choice(['stdio', 'http'], { sse: 'http' }),
    'stdio',
    'stdio or http (`sse` means http); each command has its own unless a flag says otherwise.',
  ),
  host: setting(text, '127.0.0.1', 'Address that the HTTP listener binds.'),
  port: setting(port, 8090, 'Port of the HTTP listener; 0 takes a free one.'),
  cors: cors('Which web pages may call the MCP server.'),
  maxConnections: setting(whole(1), 10, 'Sessions at once.'),
  requestTimeoutMs: setting(duration('s'), 30_000, 'Longest time for one request that is not an execution.', {
    strictest: true,
  }),
  authType: unset(authType, 'How callers of `mcp` and `mcp-serve` prove who they are.', {
    fallbackNote: 'by the sections set here, else `auth`',
  }),
  apiKeys,
  jwt,
  oauth2,
  callerKey: unset(secret, 'Key the caller on stdio presents, from RATCHET_API_KEY or MCP_API_KEY.', {
    internal: true,
  }),
  security: section('What the MCP server accepts and tells.', {
    inputSanitization: setting(
      flag,
      true,
      'Refuses control characters in names and ids, dangerous JSON keys and unbounded depth.',
    ),
    auditLogEnabled: setting(flag, true, 'Whether audit_log_file is written.'),
    maxInputSize: setting(size, 10_485_760, 'Largest request.', { strictest: true }),
    maxOutputSize: setting(size, 52_428_800, 'Largest answer.', { strictest: true }),
    maxLogEntries: setting(whole(1), 1000, 'Most log entries in one answer.'),
  }),
  performance: section('Tuning.', {
    connectionPoolSize: setting(whole(1), 20, 'Connections kept to each MCP server that tasks call.'),
    logCacheTtlMs: setting(duration('s'), 300_000, 'How long answers about finished logs are kept.'),
  }),
  tools: section('Groups of tools; a group switched off is neither listed nor callable.', {
    enableExecution: setting(flag, true, 'Execute, cancel, replay.'),
    enableLogging: setting(flag, true, 'Logs.'),
    enableMonitoring: setting(flag, true, 'Status, list, trace, audit trail.'),
    enableDebugging: setting(flag, true, 'Analyse, compare, debug.'),
    enableFilesystem: setting(flag, false, 'File steps and local-path arguments.'),
    enableBatch: setting(flag, true, 'Batches.'),
    enableProgress: setting(flag, true, 'Progress notices.'),
  }),
  logExecutionTraces: setting(flag, false, 'Writes the trace of each execution to the server log.'),
  enableStructuredLogs: setting(flag, false, 'Writes console lines as JSON.'),
  auditLogFile: unset(path, 'File that mirrors the audit trail as JSON lines.'),
  servers: entries(serverEntry, 'MCP servers that tasks may call.'),
});

/** `ratchet mcp-serve`: MCP over the standard streams, for the one client that started this process. */

import { type AppSettings, openApp } from '../app.ts';
import { LOCAL_ADMIN, type Principal } from '../domain/access.ts';
import { RatchetError } from '../domain/errors.ts';
import type { ToolSettings } from '../interfaces/mcp/settings.ts';
import { serveMcpOver } from '../interfaces/mcp/stdio.ts';
import type { Core } from '../interfaces/operation.ts';
import type { ExitCode } from './exit.ts';
import { mountOf } from './mcp-mount.ts';

export interface McpServeSettings {
  readonly tools: ToolSettings;
  readonly maxMessageBytes: number;
  /** What the client presents; null: nothing. */
  readonly callerKey: string | null;
  readonly version: string;
}

/** Serves until the client closes its end, or SIGTERM or SIGINT. */
export async function mcpServe(settings: AppSettings, options: McpServeSettings): Promise<ExitCode> {
  const stop = new AbortController();
  const ask = (): void => stop.abort();
  process.on('SIGTERM', ask).on('SIGINT', ask);
  const app = await openApp(settings);
  try {
    const principal = callerOverStdio(app.core, options.callerKey);
    const streams = { input: process.stdin, output: process.stdout };
    await serveMcpOver(streams, mountOf(app, settings, options), principal, options.maxMessageBytes, stop.signal);
  } finally {
    await app.close();
  }
  settings.logger.info('the client has closed the connection: mcp-serve ends');
  return 0;
}

/** X19: the key comes with the environment; without any keys configured, whoever can start the process may do all. Fails with `unauthenticated`. */
function callerOverStdio({ access }: Core, key: string | null): Principal {
  if (key === null) {
    if (access.entrance !== 'guarded') return LOCAL_ADMIN;
    throw new RatchetError(
      'unauthenticated',
      'a key is demanded (auth_type), and none came: set RATCHET_API_KEY or MCP_API_KEY in the environment of this process',
    );
  }
  const admission = access.keys.admit(key, '127.0.0.1');
  if ('principal' in admission) return admission.principal;
  throw new RatchetError('unauthenticated', `the key in the environment is not accepted: ${admission.refused}`);
}

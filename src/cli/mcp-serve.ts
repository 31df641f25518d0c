/** `ratchet mcp-serve`: MCP over the standard streams, for the one client that started this process. */
import { type AppSettings, openApp } from '../app.ts';
import { LOCAL_ADMIN, type Principal } from '../domain/access.ts';
import { isRatchetError, RatchetError } from '../domain/errors.ts';
import { type StdioCaller, serveMcpOver } from '../interfaces/mcp/stdio.ts';
import type { Core } from '../interfaces/operation.ts';
import type { ExitCode } from './exit.ts';
import { mountOf } from './mcp-mount.ts';
import type { McpSettings } from './mcp-settings.ts';
import { protocolStdout } from './protocol-stdout.ts';

export interface McpServeSettings extends McpSettings {
  /** What the client presents; null: nothing. */
  readonly callerKey: string | null;
  readonly version: string;
}

/** Serves until the client closes its end, or SIGTERM or SIGINT. */
export async function mcpServe(
  settings: AppSettings,
  options: McpServeSettings,
  say: (text: string) => void,
): Promise<ExitCode> {
  const stop = new AbortController();
  const ask = (): void => stop.abort();
  process.on('SIGTERM', ask).on('SIGINT', ask);
  const app = await openApp(settings);
  try {
    const caller = await callerOverStdio(app.core, options.callerKey);
    const streams = { input: process.stdin, output: protocolStdout() };
    const mount = mountOf(app, settings, options, options.version);
    await serveMcpOver(streams, mount, caller, options.maxInputBytes, stop.signal);
  } catch (error) {
    if (!isRatchetError(error, 'unauthenticated')) throw error;
    // It is the environment that lacks something, not the command line.
    say(error.message);
    return 3;
  } finally {
    await app.close();
  }
  say(stop.signal.aborted ? 'mcp-serve was asked to end' : 'the client has closed the connection: mcp-serve ends');
  return 0;
}

/**
 * X19: the key comes with the environment; where no keys are configured, whoever can start the process may do all.
 * Fails with `unauthenticated`.
 */
async function callerOverStdio({ access }: Core, key: string | null): Promise<StdioCaller> {
  if (key === null) {
    if (access.entrance !== 'guarded') return { principal: LOCAL_ADMIN, now: () => LOCAL_ADMIN };
    throw new RatchetError(
      'unauthenticated',
      'Permission denied: a key is demanded (auth_type), and none came: set RATCHET_API_KEY or MCP_API_KEY in the environment ' +
        'of this process, or let exactly one entry of api_keys name its key as ${VARIABLE} and set that variable',
    );
  }
  const byKey = (): Principal | string => {
    const admission = access.keys.admit(key, '127.0.0.1');
    return 'principal' in admission ? admission.principal : admission.refused;
  };
  const principal = byKey();
  if (typeof principal !== 'string') return { principal, now: () => admitted(byKey()) };
  const token = await access.tokens.admit(key);
  if ('principal' in token) return { principal: token.principal, now: () => stillValid(token.principal) };
  throw new RatchetError(
    'unauthenticated',
    `Permission denied: the key in the environment is not accepted: ${principal}`,
  );
}

/** Fails with `unauthenticated` once the key has ended. */
function admitted(found: Principal | string): Principal {
  if (typeof found !== 'string') return found;
  throw new RatchetError('unauthenticated', `the key in the environment is not accepted any more: ${found}`);
}

function stillValid(principal: Principal): Principal {
  if (principal.until === undefined || principal.until > Date.now()) return principal;
  throw new RatchetError('unauthenticated', 'the token in the environment has expired');
}

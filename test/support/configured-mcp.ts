/** An MCP listener made of a configuration file, in this process: what a key of the file does is seen from outside. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { loadConfig } from '../../config/load.ts';
import { type McpListener, startMcp } from '../../src/cli/mcp.ts';
import { mcpAccess } from '../../src/cli/mcp-settings.ts';
import { appSettings, mcpListenSettings } from '../../src/cli/settings.ts';
import { OPERATIONS } from '../../src/interfaces/operations.ts';
import { CALLER } from './app.ts';

export interface ConfiguredMcp extends AsyncDisposable {
  readonly listener: McpListener;
  readonly url: string;
  /** Whether callers must say who they are. */
  readonly isGuarded: boolean;
  /** One message of the older era, outside any session; the answer as JSON. */
  send(method: string, params?: object, headers?: Readonly<Record<string, string>>): Promise<Told>;
  /** Carries out an operation for the local admin, whoever may enter. */
  operate(operation: string, input: object): Promise<unknown>;
}

export interface Told {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

/** Starts with a database in memory, on a free port unless the port of the file is wanted. */
export async function startConfiguredMcp(
  yaml: string,
  more: Readonly<Record<string, string>> = {},
  { ownPort = false }: { readonly ownPort?: boolean } = {},
): Promise<ConfiguredMcp> {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-mcp-'));
  const file = join(folder, 'config.yaml');
  writeFileSync(file, yaml);
  const env = { HOME: folder, RATCHET_HOME: join(folder, 'data'), DATABASE_URL: 'sqlite::memory:', ...more };
  const { config } = loadConfig({ file, env, cwd: folder, flags: ownPort ? {} : { 'mcp.port': 0 } });
  const access = mcpAccess(config);
  const settings = { ...appSettings(config, pino({ level: 'silent' }), 1), access };
  const listener = await startMcp(settings, mcpListenSettings(config, false, '0.0.0'));
  const url = listener.url.replace('0.0.0.0', '127.0.0.1');
  return {
    listener,
    url,
    isGuarded: access.entrance === 'guarded',
    send: async (method, params = {}, headers = {}) => {
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
      const answer = await fetch(`${url}/mcp`, { method: 'POST', headers, body });
      const text = await answer.text();
      return { status: answer.status, headers: answer.headers, body: text === '' ? {} : JSON.parse(text) };
    },
    operate: async (name, input) =>
      OPERATIONS.find((operation) => operation.name === name)?.run(listener.app.core, input, CALLER),
    [Symbol.asyncDispose]: async () => {
      await listener.close();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    },
  };
}

/** A test app with its MCP server on a real listener, and clients of every era for it. */
import { Client, type ClientCapabilities, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { pino } from 'pino';
import { createHttp } from '../../src/interfaces/http.ts';
import { type Authenticate, localOnly } from '../../src/interfaces/identity.ts';
import { addMcp } from '../../src/interfaces/mcp/http.ts';
import { INSTRUCTIONS } from '../../src/interfaces/mcp/instructions.ts';
import type { McpMount } from '../../src/interfaces/mcp/mount.ts';
import type { ToolSettings } from '../../src/interfaces/mcp/settings.ts';
import { Toolbox } from '../../src/interfaces/mcp/toolbox.ts';
import { TOOLS } from '../../src/interfaces/mcp/tools.ts';
import { addRest, methodsBelow } from '../../src/interfaces/rest.ts';
import type { TestApp } from './app.ts';

export const TOOL_SETTINGS: ToolSettings = {
  toolsets: { execution: true, logging: true, monitoring: true, debugging: true, batch: true },
  readOnly: false,
  progress: true,
  filesystem: false,
  maxLogEntries: 1_000,
  maxOutputBytes: 50 * 1024 * 1024,
  logCacheTtlMs: 300_000,
  listTtlMs: 300_000,
};

export interface McpServed extends AsyncDisposable {
  /** Of the listener, without a slash at the end; MCP is at `/mcp`, REST at `/api/v1`. */
  readonly url: string;
  /** A client that has connected, closed with the listener. */
  client(era: Era, headers?: Readonly<Record<string, string>>, capabilities?: ClientCapabilities): Promise<Client>;
}

export type Era = 'legacy' | 'modern';

/** @returns what all conversations of this app share. */
export function mountFor({ app }: TestApp, settings: Partial<ToolSettings> = {}): McpMount {
  const tools = { ...TOOL_SETTINGS, ...settings };
  return {
    core: app.core,
    toolbox: new Toolbox(TOOLS, tools),
    settings: tools,
    version: '0.0.0',
    instructions: INSTRUCTIONS,
    onRefusal: (refusal) => app.refuse(refusal),
    onTrouble: () => undefined,
  };
}

/** Listens on a free port of 127.0.0.1. */
export async function serveMcp(
  testApp: TestApp,
  { settings = {}, authenticate = localOnly }: { settings?: Partial<ToolSettings>; authenticate?: Authenticate } = {},
): Promise<McpServed> {
  const { app } = testApp;
  const http = createHttp({
    logger: pino({ level: 'silent' }),
    maxRequestBytes: 1_000_000,
    requestTimeoutMs: 30_000,
    keepAliveMs: 5_000,
    authenticate,
    newId: () => app.core.execute.runtime.newId(),
    methodsAt: methodsBelow('/api/v1'),
    onRefusal: (refusal) => app.refuse(refusal),
  });
  addRest(http, app.core, '/api/v1');
  addMcp(http, mountFor(testApp, settings), '/mcp', { isLocal: true, origins: [] });
  const url = await http.listen({ host: '127.0.0.1', port: 0 });
  const clients: Client[] = [];
  return {
    url,
    client: async (era, headers = {}, capabilities = {}) => {
      const mode = era === 'modern' ? { pin: '2026-07-28' } : 'legacy';
      const client = new Client({ name: 'test', version: '1.2.3' }, { versionNegotiation: { mode }, capabilities });
      await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers } }));
      clients.push(client);
      return client;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await http.close();
    },
  };
}

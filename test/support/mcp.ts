/** A test app with its MCP server on a real listener, and clients of every era for it. */
import { Client, type ClientCapabilities, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { pino } from 'pino';
import { createHttp } from '../../src/interfaces/http.ts';
import { type Authenticate, localOnly } from '../../src/interfaces/identity.ts';
import { NO_CALL_LIMITS } from '../../src/interfaces/mcp/call-limits.ts';
import { addMcp, type McpRoutes } from '../../src/interfaces/mcp/http.ts';
import { INSTRUCTIONS } from '../../src/interfaces/mcp/instructions.ts';
import type { McpMount } from '../../src/interfaces/mcp/mount.ts';
import { ResourceChanges } from '../../src/interfaces/mcp/resource-changes.ts';
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
    sessions: app.mcpSessions,
    limits: NO_CALL_LIMITS,
    callTimeoutMs: 30_000,
    onRefusal: (refusal) => app.refuse(refusal),
    onCall: (call) => app.called(call),
    onNotice: () => undefined,
    changes: new ResourceChanges({ store: app.store, directory: app.directory, onTrouble: () => undefined }),
    onTrouble: () => undefined,
  };
}

export interface McpServing {
  readonly settings?: Partial<ToolSettings>;
  readonly authenticate?: Authenticate;
  readonly mount?: Partial<McpMount>;
  readonly routes?: Partial<McpRoutes>;
}

const ROUTES: McpRoutes = {
  path: '/mcp',
  origins: { isLocal: true, origins: [] },
  sessions: { max: 1_000, idleMs: 60_000 },
  sse: { stream: '/sse', messages: '/messages' },
  authorization: null,
};

/** Listens on a free port of 127.0.0.1. */
export async function serveMcp(
  testApp: TestApp,
  { settings = {}, authenticate = localOnly, mount = {}, routes = {} }: McpServing = {},
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
  addMcp(http, { ...mountFor(testApp, settings), ...mount }, { ...ROUTES, ...routes });
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

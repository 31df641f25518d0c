/** MCP servers that the operator has configured, as tasks call them: reached over HTTP, or started as programs. */
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import type { FetchLike, Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { Agent } from 'undici';
import { z } from 'zod';
import { RatchetError } from '../src/domain/errors.ts';
import { type McpServers, type McpToolCall, McpToolError, type McpToolResult } from '../src/ports/mcp-servers.ts';
import { OutboundError } from '../src/ports/outbound.ts';
import { withoutSecrets } from './redaction.ts';

export interface McpServerOptions {
  readonly name: string;
  /** Program to start; null for a server on HTTP. */
  readonly command: string | null;
  readonly args: readonly string[];
  /** Its whole environment, besides the few variables that programs can not do without. */
  readonly env: Readonly<Record<string, string>>;
  readonly url: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Longest time for one call, in milliseconds. */
  readonly timeoutMs: number;
}

export interface McpServersOptions {
  readonly servers: readonly McpServerOptions[];
  /** Connections kept to each server on HTTP. */
  readonly connections: number;
}

/** Each server is connected to with the first call that names it, and again after its connection has broken. */
export function openMcpServers({ servers, connections }: McpServersOptions): McpServers {
  const clients = new Map<string, Promise<Client>>();
  const agents = new Set<Agent>();
  const stop = new AbortController();
  const known = new Map(servers.map((server) => [server.name, server]));

  function connected(server: McpServerOptions): Promise<Client> {
    const open = clients.get(server.name);
    if (open !== undefined) return open;
    const opening = connect(server, () => agentFor(agents, connections), stop.signal);
    clients.set(server.name, opening);
    const forget = (): void => {
      if (clients.get(server.name) === opening) clients.delete(server.name);
    };
    opening.then((client) => (client.onclose = forget)).catch(forget);
    return opening;
  }

  return {
    call: async (call, signal) => {
      const server = known.get(call.server);
      if (server === undefined) throw unknownServer(call.server, [...known.keys()]);
      signal.throwIfAborted();
      try {
        const client = await Promise.race([connected(server), abortOf(signal)]);
        return await callTool(client, server, call, signal);
      } catch (error) {
        signal.throwIfAborted();
        throw tellable(server, error);
      }
    },
    close: async () => {
      // Whoever still waits for a connection waits no longer.
      stop.abort();
      await Promise.allSettled([...clients.values()].map(async (opening) => (await opening).close()));
      await Promise.all([...agents].map((agent) => agent.destroy()));
    },
  };
}

/** Each server has connections of its own, and one more for the stream on which it may speak up by itself. */
async function agentFor(agents: Set<Agent>, connections: number): Promise<Agent> {
  const agent = new (await import('undici')).Agent({ connections: connections + 1 });
  agents.add(agent);
  return agent;
}

/** How tasks of ours introduce themselves; the version is that of this client. */
const OURSELVES = { name: 'ratchet-task', version: '1.0.0' };

async function connect(server: McpServerOptions, open: () => Promise<Agent>, signal: AbortSignal): Promise<Client> {
  const bounds = { timeout: server.timeoutMs, signal };
  const sdk = await import('@modelcontextprotocol/sdk/client/index.js');
  const client = new sdk.Client(OURSELVES);
  const send = server.url === null ? null : await fetchBy(await open());
  try {
    await client.connect(await transportTo(server, send), bounds);
    return client;
  } catch (error) {
    await client.close().catch(() => undefined);
    if (server.url === null || send === null || signal.aborted) throw error;
    // Servers of the oldest revision know nothing but streams (revision 2025-06-18, Backwards Compatibility).
    const older = new sdk.Client(OURSELVES);
    const { SSEClientTransport } = await import('@modelcontextprotocol/sdk/client/sse.js');
    const options = { fetch: send, requestInit: { headers: { ...server.headers } } };
    await older.connect(new SSEClientTransport(new URL(server.url), options), bounds).catch(() => {
      throw error;
    });
    return older;
  }
}

async function transportTo(server: McpServerOptions, send: FetchLike | null): Promise<Transport> {
  if (server.url !== null && send !== null) {
    const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/sdk/client/streamableHttp.js');
    return new StreamableHTTPClientTransport(new URL(server.url), {
      fetch: send,
      requestInit: { headers: { ...server.headers } },
    });
  }
  if (server.command === null)
    throw new RatchetError('configuration_invalid', `mcp.servers: ${server.name} has neither url nor command`);
  const { StdioClientTransport } = await import('@modelcontextprotocol/sdk/client/stdio.js');
  return new StdioClientTransport({
    command: server.command,
    args: [...server.args],
    env: { ...server.env },
    stderr: 'ignore',
  });
}

/** Credentials go to the configured address, and nowhere a redirect says. */
async function fetchBy(dispatcher: Agent): Promise<FetchLike> {
  const { fetch: send } = await import('undici');
  return (url, init) => send(url, { ...init, dispatcher, redirect: 'error' });
}

const resultForm = z.looseObject({
  content: z.array(z.looseObject({ type: z.string(), text: z.string().optional() })).default([]),
  structuredContent: z.json().optional(),
  isError: z.boolean().optional(),
});

async function callTool(
  client: Client,
  server: McpServerOptions,
  call: McpToolCall,
  signal: AbortSignal,
): Promise<McpToolResult> {
  const _meta = {
    ...(call.traceparent === null ? {} : { traceparent: call.traceparent }),
    ...(call.idempotencyKey === null ? {} : { 'ratchet/idempotencyKey': call.idempotencyKey }),
  };
  const params = { name: call.tool, arguments: call.arguments, ...(Object.keys(_meta).length === 0 ? {} : { _meta }) };
  const told = await whileUnderWay(signal, (own) =>
    client.callTool(params, undefined, { signal: own, timeout: server.timeoutMs }),
  );
  const written = withoutSecrets(JSON.stringify(told), secretsOf(server));
  const result = resultForm.parse(JSON.parse(written));
  const size = Buffer.byteLength(written);
  if (size > call.maxBytes) {
    throw new OutboundError('too-large', `${call.server} answered ${size} bytes, and ${call.maxBytes} are allowed`);
  }
  const text = result.content.flatMap((block) => (block.type === 'text' ? [block.text ?? ''] : [])).join('\n');
  if (result.isError === true) throw new McpToolError(`${call.server} ${call.tool}: ${text.slice(0, 4_000)}`);
  return { text, structured: result.structuredContent ?? null, content: z.json().parse(result.content) };
}

/** The library tells the server of an abort even when the call has long been answered: it is given a signal that ends with the call. */
async function whileUnderWay<Result>(
  signal: AbortSignal,
  work: (own: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const own = new AbortController();
  const onAbort = (): void => own.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await work(own.signal);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

const TIMED_OUT = -32_001;
const CLOSED = -32_000;

/** What the operator gave the server, and nobody else is to see. */
function secretsOf({ headers, env }: Pick<McpServerOptions, 'headers' | 'env'>): readonly string[] {
  // Of `Bearer …` the second word is the secret.
  const words = Object.values(headers).flatMap((value) => [value, ...value.split(' ')]);
  return [...words, ...Object.values(env)];
}

/** Errors of the library in words that say who failed; what the server said of the call itself is the task's business. */
function tellable({ name: server, ...options }: McpServerOptions, error: unknown): unknown {
  if (error instanceof McpToolError || error instanceof OutboundError || error instanceof RatchetError) return error;
  const code = error instanceof Error && 'code' in error ? error.code : null;
  const message = withoutSecrets(error instanceof Error ? error.message : String(error), secretsOf(options));
  if (code === TIMED_OUT)
    return new OutboundError('timeout', `the MCP server ${server} did not answer in time`, { cause: error });
  if (typeof code === 'number' && code !== CLOSED && code < 0)
    return new McpToolError(`${server}: ${message.slice(0, 1_000)}`);
  return new OutboundError('network', `the MCP server ${server} can not be reached`, { cause: error });
}

function unknownServer(name: string, known: readonly string[]): RatchetError {
  const list = known.length === 0 ? 'none is configured under mcp.servers' : `configured: ${known.join(', ')}`;
  return new RatchetError('not_found', `there is no MCP server ${name}; ${list}`, { details: { server: name } });
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** MCP over the standard streams of this process: one client, one conversation, until it closes its end. */
import type { Readable, Writable } from 'node:stream';
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Principal } from '../../domain/access.ts';
import type { McpMount } from './mount.ts';
import { mcpServer } from './server.ts';

/** @returns when the client has closed its end, or `signal` has ended. */
export async function serveMcpOver(
  streams: { readonly input: Readable; readonly output: Writable },
  mount: McpMount,
  principal: Principal,
  maxMessageBytes: number,
  signal: AbortSignal,
): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const transport = new StdioServerTransport(streams.input, streams.output, { maxBufferSize: maxMessageBytes });
  const sessionId = mount.core.execute.runtime.newId();
  const served = serveStdio(() => mcpServer(mount, { transport: 'stdio', sessionId, principalOf: () => principal }), {
    transport,
    onerror: mount.onTrouble,
  });
  const end = (): void => ended.resolve();
  streams.input.once('end', end).once('close', end);
  signal.addEventListener('abort', end, { once: true });
  await ended.promise;
  await served.close();
}

/** MCP over the standard streams of this process: one client, one conversation, until it closes its end. */
import type { McpServerFactory } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Principal } from '../../domain/access.ts';
import type { McpMount } from './mount.ts';
import { maySee } from './resource-sight.ts';
import { tellChanges } from './resources.ts';
import { mcpServer } from './server.ts';
import { StdioWire, type WireStreams } from './stdio-wire.ts';

export interface StdioCaller {
  /** Who has started the process. */
  readonly principal: Principal;
  /** Who that is by now. Fails with `unauthenticated` once the key has ended. */
  readonly now: () => Principal;
}

/** @returns when the client has closed its end and has been answered, or `signal` has aborted. */
export async function serveMcpOver(
  streams: WireStreams,
  mount: McpMount,
  { principal, now }: StdioCaller,
  maxMessageBytes: number,
  signal: AbortSignal,
): Promise<void> {
  const { sessions, core } = mount;
  const sessionId = core.execute.runtime.newId();
  const wire = new StdioWire(streams, maxMessageBytes);
  const closed = Promise.withResolvers<'client' | 'shutdown'>();
  const opened = {
    principal: principal.id,
    transport: 'stdio' as const,
    node: sessions.node,
    client: null,
    protocolVersion: null,
    initialize: null,
  };
  await sessions.tell(sessionId, [{ type: 'SessionOpened', data: opened }], principal);
  const serverFor: McpServerFactory = ({ era }) => {
    const server = mcpServer(mount, { transport: 'stdio', sessionId, principalOf: now });
    // In the newer era the library knows what the client listens to: it is handed all that this caller may see.
    if (era === 'modern') tellChanges(server, mount.changes, (uri) => maySee(core, now(), uri));
    return server;
  };
  const served = serveStdio(serverFor, { transport: wire, onerror: mount.onTrouble });
  void wire.ended.then(() => closed.resolve('client'));
  signal.addEventListener('abort', () => closed.resolve('shutdown'), { once: true });
  const reason = await closed.promise;
  await served.close();
  await sessions.tell(sessionId, [{ type: 'SessionClosed', data: { reason } }], principal);
}

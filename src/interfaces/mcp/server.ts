/** One end of a conversation over MCP: answers lists and calls, in whichever revision of the protocol the client speaks. */
import { Server, type ServerContext } from '@modelcontextprotocol/server';
import { answerCall } from './answer-call.ts';
import { toolCall } from './call.ts';
import { TASKS_EXTENSION } from './client-view.ts';
import { serveCompletions } from './completions.ts';
import type { Contact } from './contact.ts';
import type { McpMount } from './mount.ts';
import { servePrompts } from './prompts.ts';
import { serveResources } from './resources.ts';
import { serveTasks } from './tasks-extension.ts';
import { WatchedResources } from './watched-resources.ts';

/** @returns a server for one conversation, or for one request where each stands alone. */
export function mcpServer(mount: McpMount, contact: Contact): Server {
  const { toolbox, settings } = mount;
  const server = new Server(
    { name: 'ratchet', title: 'Ratchet', version: mount.version },
    {
      capabilities: {
        tools: {},
        resources: { subscribe: true },
        prompts: {},
        completions: {},
        extensions: { [TASKS_EXTENSION]: {} },
      },
      instructions: mount.instructions,
      cacheHints: {
        'tools/list': { ttlMs: settings.listTtlMs, cacheScope: 'private' },
        'prompts/list': { ttlMs: settings.listTtlMs, cacheScope: 'public' },
        'resources/templates/list': { ttlMs: settings.listTtlMs, cacheScope: 'public' },
        'server/discover': { ttlMs: settings.listTtlMs, cacheScope: 'private' },
      },
    },
  );
  server.onerror = mount.onTrouble;
  server.setRequestHandler('tools/list', (_request, context) => ({
    tools: [...toolbox.list(contact.principalOf(context))],
  }));
  server.setRequestHandler('tools/call', async ({ params }, context) => {
    const call = toolCall(mount, contact, server, context);
    return answerCall(mount, call, params.name, params.arguments ?? {});
  });
  const callOf = (context: ServerContext) => toolCall(mount, contact, server, context);
  serveTasks(server, callOf, mount.otherTask ?? (() => null));
  serveResources(server, { changes: mount.changes, watched: contact.watched ?? new WatchedResources(), callOf });
  servePrompts(server);
  serveCompletions(server, callOf);
  mount.extend?.(server, contact);
  return server;
}

/** One end of a conversation over MCP: answers lists and calls, in whichever revision of the protocol the client speaks. */
import { ProtocolError, ProtocolErrorCode, Server } from '@modelcontextprotocol/server';
import { nearNames } from '../../domain/diagnosis/near-names.ts';
import { isRatchetError } from '../../domain/errors.ts';
import { toolCall } from './call.ts';
import { TASKS_EXTENSION } from './client-view.ts';
import type { Contact } from './contact.ts';
import type { McpMount } from './mount.ts';
import { serveTasks } from './tasks-extension.ts';
import type { Tool, ToolCall, ToolOutcome } from './tool.ts';
import { toolError } from './tool-answer.ts';

/** Refusals that belong into the audit trail. */
const REFUSALS = ['unauthenticated', 'permission_denied', 'dangerous_task', 'queue_full', 'rate_limited'] as const;

/** @returns a server for one conversation, or for one request where each stands alone. */
export function mcpServer(mount: McpMount, contact: Contact): Server {
  const { toolbox, settings } = mount;
  const server = new Server(
    { name: 'ratchet', title: 'Ratchet', version: mount.version },
    {
      capabilities: { tools: {}, extensions: { [TASKS_EXTENSION]: {} } },
      instructions: mount.instructions,
      cacheHints: {
        'tools/list': { ttlMs: settings.listTtlMs, cacheScope: 'private' },
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
    const tool = toolbox.find(params.name);
    if (tool === null) throw unknownTool(params.name, toolbox.names(call.caller.principal));
    return answered(mount, tool, call, params.arguments ?? {});
  });
  serveTasks(server, (context) => toolCall(mount, contact, server, context));
  return server;
}

/** Errors of the call are its result, so that the model sees them; only errors of the protocol are errors of the protocol. */
async function answered(mount: McpMount, tool: Tool, call: ToolCall, args: unknown): Promise<ToolOutcome> {
  try {
    mount.toolbox.assertUsable(tool, call.caller.principal);
    return await tool.call(call, args);
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    const reason = REFUSALS.find((code) => isRatchetError(error, code));
    if (reason !== undefined) {
      mount.onRefusal({ principal: call.caller.principal.id, operation: `tools/call ${tool.listed.name}`, reason });
    }
    if (!isRatchetError(error)) mount.onTrouble(error);
    return toolError(error);
  }
}

function unknownTool(name: string, known: readonly string[]): ProtocolError {
  const [guess] = nearNames(name.replace(/^ratchet[._]/, ''), known);
  const hint = guess === undefined ? `Known tools: ${known.join(', ')}` : `Did you mean ${guess}?`;
  return new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${name.slice(0, 128)}. ${hint}`);
}

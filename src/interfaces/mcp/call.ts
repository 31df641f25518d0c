/** Makes of a request of the protocol the call of whoever sent it: with their rights, their name, and a way to be told. */
import type { Server, ServerContext } from '@modelcontextprotocol/server';
import { START } from '../../domain/event.ts';
import type { Caller } from '../operation.ts';
import { OPERATIONS } from '../operations.ts';
import { clientOf } from './client-view.ts';
import type { Contact } from './contact.ts';
import type { McpMount } from './mount.ts';
import type { ToolCall } from './tool.ts';

const OPERATION = new Map(OPERATIONS.map((operation) => [operation.name, operation]));

/** Fails with `unauthenticated` where nobody is known to call. */
export function toolCall(mount: McpMount, contact: Contact, server: Server, context: ServerContext): ToolCall {
  const { core, settings } = mount;
  const { _meta, notify } = context.mcpReq;
  const client = clientOf(server, context);
  const traceparent = _meta?.['traceparent'];
  const caller: Caller = {
    principal: contact.principalOf(context),
    source: { kind: 'mcp', sessionId: contact.sessionId, clientInfo: client.info },
    idempotencyKey: null,
    traceparent: typeof traceparent === 'string' ? traceparent.slice(0, 256) : null,
    minPosition: START,
    seen: START,
  };
  const progressToken = settings.progress ? _meta?.progressToken : undefined;
  return {
    core,
    caller,
    contact,
    client,
    settings,
    context,
    ask: async (name, input, as = {}) => {
      const operation = OPERATION.get(name);
      if (operation === undefined) throw new Error(`there is no operation ${name}`);
      return operation.run(core, input, { ...caller, ...as });
    },
    progress: async (progress, total, message) => {
      if (progressToken === undefined) return;
      const extent = total === null ? {} : { total };
      const words = message === null ? {} : { message };
      await notify({ method: 'notifications/progress', params: { progressToken, progress, ...extent, ...words } });
    },
  };
}

/** One end of a conversation over MCP: answers lists and calls, in whichever revision of the protocol the client speaks. */
import { ProtocolError, ProtocolErrorCode, Server, type ServerContext } from '@modelcontextprotocol/server';
import { nearNames } from '../../domain/diagnosis/near-names.ts';
import { isRatchetError } from '../../domain/errors.ts';
import { START } from '../../domain/event.ts';
import type { ExecutionSource } from '../../domain/execution.ts';
import type { Caller, Core } from '../operation.ts';
import { OPERATIONS } from '../operations.ts';
import type { Contact } from './contact.ts';
import type { ToolSettings } from './settings.ts';
import type { Tool, ToolCall, ToolOutcome } from './tool.ts';
import { toolError } from './tool-answer.ts';
import type { Toolbox } from './toolbox.ts';

/** What all conversations of a process share. */
export interface McpMount {
  readonly core: Core;
  readonly toolbox: Toolbox;
  readonly settings: ToolSettings;
  readonly version: string;
  /** What a model reads before it uses the tools; clients cut it at 2,000 characters. */
  readonly instructions: string;
  /** Told about each call that was refused. */
  readonly onRefusal: (refusal: { principal: string; operation: string; reason: string }) => void;
  /** Told what is a defect of ours. */
  readonly onTrouble: (error: unknown) => void;
}

const OPERATION = new Map(OPERATIONS.map((operation) => [operation.name, operation]));
const CLIENT_INFO = 'io.modelcontextprotocol/clientInfo';
/** Refusals that belong into the audit trail. */
const REFUSALS = ['unauthenticated', 'permission_denied', 'dangerous_task', 'queue_full', 'rate_limited'] as const;

/** @returns a server for one conversation, or for one request where each stands alone. */
export function mcpServer(mount: McpMount, contact: Contact): Server {
  const { toolbox, settings } = mount;
  const server = new Server(
    { name: 'ratchet', title: 'Ratchet', version: mount.version },
    {
      capabilities: { tools: {} },
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
    const principal = contact.principalOf(context);
    const tool = toolbox.find(params.name);
    if (tool === null) throw unknownTool(params.name, toolbox.names(principal));
    const source = { kind: 'mcp', sessionId: contact.sessionId, clientInfo: clientOf(server, context) } as const;
    const call = callOf(mount, contact, { principal, source }, context);
    return answered(mount, tool, call, params.arguments ?? {});
  });
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

function callOf(
  { core, settings }: McpMount,
  contact: Contact,
  { principal, source }: Pick<Caller, 'principal' | 'source'>,
  context: ServerContext,
): ToolCall {
  const { _meta, notify } = context.mcpReq;
  const traceparent = _meta?.['traceparent'];
  const caller: Caller = {
    principal,
    source,
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
    settings,
    context,
    ask: async (name, input) => {
      const operation = OPERATION.get(name);
      if (operation === undefined) throw new Error(`there is no operation ${name}`);
      return operation.run(core, input, caller);
    },
    progress: async (progress, total, message) => {
      if (progressToken === undefined) return;
      const params = {
        progressToken,
        progress,
        ...(total === null ? {} : { total }),
        ...(message === null ? {} : { message }),
      };
      await notify({ method: 'notifications/progress', params });
    },
  };
}

/** What the client calls itself; it is what a client says, and proves nothing. */
function clientOf(server: Server, context: ServerContext): ExecutionSource['clientInfo'] {
  const envelope: Readonly<Record<string, unknown>> | undefined = context.mcpReq.envelope;
  const said = envelope?.[CLIENT_INFO] ?? server.getClientVersion();
  if (typeof said !== 'object' || said === null || !('name' in said) || typeof said.name !== 'string') return null;
  const version = 'version' in said && typeof said.version === 'string' ? ` ${said.version}` : '';
  return `${said.name}${version}`.slice(0, 256);
}

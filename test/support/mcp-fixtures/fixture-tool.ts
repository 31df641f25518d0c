/** A tool that stands for no operation: it answers as the conformance suite wants it, through our own toolbox and transports. */
import type { Tool as ListedTool, ServerContext } from '@modelcontextprotocol/server';
import type { Tool, ToolCall, ToolOutcome } from '../../../src/interfaces/mcp/tool.ts';

const HINTS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };
const NOTHING = { type: 'object' as const, properties: {} };

/** @param inputSchema of its arguments; it takes none where left out */
export function fixture(
  name: string,
  answer: (
    context: ServerContext,
    args: Readonly<Record<string, unknown>>,
    call: ToolCall,
  ) => ToolOutcome | Promise<ToolOutcome>,
  inputSchema: ListedTool['inputSchema'] = NOTHING,
): Tool {
  return {
    toolset: 'always',
    permission: 'read',
    listed: { name, title: name, description: `Fixture ${name}.`, inputSchema, annotations: { title: name, ...HINTS } },
    call: async (call, args) => answer(call.context, { ...(args as object) }, call),
  };
}

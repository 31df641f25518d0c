/** An MCP server on the standard streams, for tasks that call one: started as a program by the tests. */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';

const server = new McpServer({ name: 'test-tools', version: '1.0.0' });
server.registerTool('add', { inputSchema: { a: z.number(), b: z.number() } }, ({ a, b }) => ({
  content: [{ type: 'text', text: String(a + b) }],
  structuredContent: { sum: a + b, secret: process.env.TOOL_SECRET ?? null, path: process.env.RATCHET_HOME ?? null },
}));
server.registerTool('refuse', {}, () => ({ isError: true, content: [{ type: 'text', text: 'not today' }] }));
server.registerTool('die', {}, () => process.exit(3));
await server.connect(new StdioServerTransport());

/**
 * An MCP server of the bare library, that answers every call with the same result: `stdio`, or over HTTP in both eras, the older
 * with sessions, at `/mcp` of the address that it sends when forked. Arguments: which, and a file with {tools, result} as JSON.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, Server } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';

const [kind, file = ''] = process.argv.slice(2);
const { tools, result } = JSON.parse(readFileSync(file, 'utf8'));

function echo(): Server {
  const server = new Server({ name: 'bare', version: '1' }, { capabilities: { tools: {} } });
  server.setRequestHandler('tools/list', () => ({ tools }));
  server.setRequestHandler('tools/call', () => result);
  return server;
}

async function listen(): Promise<void> {
  const modern = toNodeHandler(createMcpHandler(echo, { legacy: 'reject' }));
  const sessions = new Map<string, NodeStreamableHTTPServerTransport>();
  const session = async ({ headers }: IncomingMessage): Promise<NodeStreamableHTTPServerTransport> => {
    const known = sessions.get(String(headers['mcp-session-id']));
    if (known !== undefined) return known;
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, transport),
    });
    await echo().connect(transport);
    return transport;
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body: unknown = request.method === 'POST' ? await json(request) : undefined;
    const { method = 'GET', url = '/' } = request;
    const asked = Object.assign(request, { method, url });
    if (request.headers['mcp-protocol-version'] === '2026-07-28') await modern(asked, response, body);
    else await (await session(request)).handleRequest(request, response, body);
  };
  const http = createServer((request, response) => void answer(request, response));
  http.listen(0, '127.0.0.1', () => {
    const address = http.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    process.send?.({ kind: 'ready', url: `http://127.0.0.1:${port}` });
  });
  process.on('disconnect', () => process.exit());
}

if (kind === 'stdio') serveStdio(echo);
else await listen();

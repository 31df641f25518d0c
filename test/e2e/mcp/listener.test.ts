import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type McpProcess, startMcpProcess } from '../../support/mcp-process.ts';
import { eventually, type Home, openHome, ratchet } from '../../support/server.ts';

const INSPECTOR = fileURLToPath(
  new URL('../../../node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js', import.meta.url),
);
const SLOW = 'export default async function main({ ms }) { await sleep(ms); return { slept: ms }; }';

function addTasks(home: Home): void {
  home.file('tasks/double/main.js', 'export default function main({ n }) { return { twice: n * 2 }; }');
  home.file('tasks/double/metadata.json', '{}');
  home.file('tasks/slow/main.js', SLOW);
  home.file('tasks/slow/metadata.json', '{}');
}

const double = { name: 'execute_task', arguments: { task_id: 'double', input: { n: 21 } } };

describe('ratchet mcp', () => {
  let home: Home;
  let one: McpProcess;
  let other: McpProcess;

  beforeAll(async () => {
    home = openHome();
    addTasks(home);
    one = await startMcpProcess(home);
    other = await startMcpProcess(home);
  }, 60_000);

  afterAll(async () => {
    await Promise.all([one.kill(), other.kill()]);
    home[Symbol.dispose]();
  });

  it('tells its health without a key and without a secret', async () => {
    for (const path of ['/health', '/status']) {
      const answer = await fetch(`${one.url}${path}`);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({ status: 'ok', version: expect.any(String) });
    }
  });

  it('answers a plain client with JSON', async () => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: double });
    const answer = await fetch(`${one.url}/mcp`, { method: 'POST', body });
    expect(answer.headers.get('content-type')).toContain('application/json');
    expect(await answer.json()).toMatchObject({ result: { structuredContent: { output: { twice: 42 } } } });
  });

  it('serves an old client over Streamable HTTP', async () => {
    const client = new OldClient({ name: 'old', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${one.url}/mcp`)));
    expect((await client.callTool(double)).structuredContent).toMatchObject({ output: { twice: 42 } });
    await client.close();
  });

  it('serves an old client over HTTP+SSE, whose messages come to another node, and says once that this is deprecated', async () => {
    const client = new OldClient({ name: 'oldest', version: '1' });
    const transport = new SSEClientTransport(new URL(`${one.url}/sse`), {
      fetch: (input, init) => {
        const { pathname, search } = new URL(String(input));
        return fetch(`${pathname === '/messages' ? other.url : one.url}${pathname}${search}`, init);
      },
    });
    await client.connect(transport);
    expect((await client.callTool(double)).structuredContent).toMatchObject({ output: { twice: 42 } });
    const here = new OldClient({ name: 'oldest', version: '1' });
    await here.connect(new SSEClientTransport(new URL(`${one.url}/sse`)));
    expect((await here.callTool(double)).structuredContent).toMatchObject({ output: { twice: 42 } });
    await Promise.all([client.close(), here.close()]);
  });

  it.each(['legacy', 'modern'])('is driven by the inspector in the %s era', async (era) => {
    const call = ['--method', 'tools/call', '--tool-name', 'execute_task'];
    const args = [
      '--tool-args-json',
      '{"task_id":"double","input":{"n":3}}',
      '--protocol-era',
      era,
      '--format',
      'json',
      '-q',
    ];
    const asked = [INSPECTOR, '--cli', `${one.url}/mcp`, '--transport', 'http', ...call, ...args];
    const told = await new Promise<string>((resolve, reject) => {
      execFile(
        process.execPath,
        asked,
        { cwd: home.folder, env: { ...process.env, HOME: home.folder } },
        (error, stdout, stderr) => (error === null ? resolve(stdout) : reject(new Error(`${stdout}${stderr}`))),
      );
    });
    expect(told.replace(/\\?"/g, '"')).toMatch(/"twice": ?6/);
  });

  it('loses a node without warning, and the session goes on at another; what the node was waiting for is told', async () => {
    await using doomed = await startMcpProcess(home);
    const headers = {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-protocol-version': '2025-11-25',
    };
    const post = (url: string, message: object, more: Record<string, string> = {}) =>
      fetch(`${url}/mcp`, {
        method: 'POST',
        headers: { ...headers, ...more },
        body: JSON.stringify({ jsonrpc: '2.0', ...message }),
      });
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
    const opened = await post(doomed.url, { id: 1, method: 'initialize', params });
    await opened.text();
    const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' };
    const waiting = await post(
      doomed.url,
      {
        id: 2,
        method: 'tools/call',
        params: { name: 'execute_task', arguments: { task_id: 'slow', input: { ms: 60_000 } } },
      },
      session,
    );
    const reader = waiting.body?.getReader();
    const first = new TextDecoder().decode((await reader?.read())?.value);
    const [, eventId = ''] = /^id: (.+)$/m.exec(first) ?? [];
    const again = () => fetch(`${one.url}/mcp`, { headers: { ...headers, ...session, 'last-event-id': eventId } });
    await eventually('the request is kept', async () => {
      const answer = await again();
      await answer.body?.cancel();
      return answer.status === 200 ? true : undefined;
    });
    await doomed.kill();
    await reader?.cancel().catch(() => undefined);
    const told = await (await again()).text();
    expect(told).toContain('"id":2');
    expect(told).toContain('the server that worked on this request has gone');
    const next = await post(one.url, { id: 3, method: 'tools/call', params: double }, session);
    expect(await next.text()).toContain('"twice":42');
  });

  it.each(['sse', 'http'])(
    'is what mcp-serve is with --transport %s, and offers only reading with --read-only',
    async (transport) => {
      await using listener = await startMcpProcess(home, '', {}, [
        'mcp-serve',
        '--transport',
        transport,
        '--read-only',
      ]);
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
      const listed = await (await fetch(`${listener.url}/mcp`, { method: 'POST', body })).text();
      expect(listed).toContain('"list_available_tasks"');
      expect(listed).not.toContain('"execute_task"');
      const called = JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: double });
      const refused = await (await fetch(`${listener.url}/mcp`, { method: 'POST', body: called })).text();
      expect(refused).toContain('--read-only');
    },
  );

  it('is what mcp-serve is with --transport stdio', async () => {
    using own = openHome();
    const input = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' })}\n`;
    const { code, stdout } = await ratchet(own, ['mcp', '--transport', 'stdio', '--port', '1'], { input });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ id: 1, result: {} });
  });

  it('ends well when it is asked to', async () => {
    await using ended = await startMcpProcess(home);
    const client = new OldClient({ name: 'old', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${ended.url}/mcp`)));
    expect(await ended.stop()).toBe(0);
    await client.close();
  });
});

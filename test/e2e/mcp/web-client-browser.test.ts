import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { build } from 'esbuild';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type McpProcess, startMcpProcess } from '../../support/mcp-process.ts';
import { type Home, openHome } from '../../support/server.ts';

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const KEY = 'k'.repeat(40);
const TELLS = `export default async function main({ location }) {
  for (const part of [0.2, 0.6]) { reportProgress({ progress: part }); await sleep(700); }
  return { city: location };
}`;

/** What a page does, as its author writes it. */
const PAGE = `<!doctype html><title>page</title><script type="module">
import { RatchetClientError, RatchetMCPClient } from '/client.js';

globalThis.run = async (options) => {
  const ratchetMcp = new RatchetMCPClient(options);
  const percents = [];
  try {
    const result = await ratchetMcp.executeTask('weather-api', {
      location: 'San Francisco'
    }, { onProgress: ({ percent }) => percents.push(percent) });
    const tasks = await ratchetMcp.listTasks();
    return { status: result.status, output: result.output, percents, tasks: tasks.map(({ name }) => name), code: null };
  } catch (error) {
    return { status: null, code: error instanceof RatchetClientError ? error.code : String(error) };
  } finally {
    ratchetMcp.close();
  }
};
</script>`;

let home: Home;
let mcp: McpProcess;
let pages: Server;
let browser: Browser;
let port = 0;

/** Serves one page under any name, and the client as pages get it. */
async function servePages(): Promise<Server> {
  const { outputFiles } = await build({
    entryPoints: ['src/clients/web/index.ts'],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    write: false,
  });
  const script = outputFiles[0]?.text ?? '';
  const server = createServer(({ url }, response) => {
    const isScript = url === '/client.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : PAGE);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

describe.skipIf(!existsSync(CHROMIUM))('the web client in a browser (needs Chromium)', () => {
  beforeAll(async () => {
    home = openHome();
    home.file('tasks/weather-api/metadata.json', JSON.stringify({ name: 'weather-api', version: '1.0.0' }));
    home.file('tasks/weather-api/main.js', TELLS);
    pages = await servePages();
    const address = pages.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
    mcp = await startMcpProcess(
      home,
      `mcp:
  auth_type: api_key
  api_keys: [{ key: "${KEY}", name: page, roles: [operator] }]
  cors: { origins: ["http://app.example.com:${port}"] }
`,
    );
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--host-resolver-rules=MAP *.example.com 127.0.0.1'],
    });
  });

  afterAll(async () => {
    await browser.close();
    await mcp.stop();
    await new Promise((resolve) => pages.close(resolve));
    home[Symbol.dispose]();
  });

  /** What a page of this name is told when it runs the task; of a failure, its code. */
  async function runFrom(name: string, transport: 'http' | 'sse', apiKey = KEY) {
    const page = await browser.newPage();
    await page.goto(`http://${name}:${port}/`);
    const options = JSON.stringify({ baseUrl: mcp.url, apiKey, transport });
    const told: unknown = await page.evaluate(`run(${options})`);
    await page.close();
    return told;
  }

  it.each(['http', 'sse'] as const)('runs a task from a page of a listed origin, over %s', async (transport) => {
    expect(await runFrom('app.example.com', transport)).toEqual({
      status: 'completed',
      output: { city: 'San Francisco' },
      percents: expect.arrayContaining([60]),
      tasks: ['weather-api'],
      code: null,
    });
    expect(await runFrom('app.example.com', transport, 'wrong')).toMatchObject({ code: 'unauthenticated' });
  });

  it.each(['http', 'sse'] as const)('reaches nothing from a page of another origin, over %s', async (transport) => {
    expect(await runFrom('other.example.com', transport)).toEqual({ status: null, code: 'unreachable' });
  });

  it('is let in by a preflight that names what it sends, and may read what the protocol answers', async () => {
    const names = 'content-type,mcp-method,mcp-name,mcp-protocol-version,x-api-key';
    const preflight = await fetch(`${mcp.url}/mcp`, {
      method: 'OPTIONS',
      headers: {
        origin: `http://app.example.com:${port}`,
        'access-control-request-method': 'POST',
        'access-control-request-headers': names,
      },
    });
    expect(preflight.status).toBe(204);
    const allowed = preflight.headers.get('access-control-allow-headers') ?? '';
    expect(allowed.split(/,\s*/).sort()).toEqual(names.split(','));
    const answer = await fetch(`${mcp.url}/mcp`, {
      method: 'POST',
      headers: { origin: `http://app.example.com:${port}`, 'x-api-key': KEY },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    });
    expect(answer.headers.get('access-control-expose-headers')).toMatch(/mcp-protocol-version, ?mcp-session-id/);
  });
});

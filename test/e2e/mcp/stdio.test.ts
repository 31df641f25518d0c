import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Client as ModernClient } from '@modelcontextprotocol/client';
import { StdioClientTransport as ModernStdio } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as OldStdio } from '@modelcontextprotocol/sdk/client/stdio.js';
import { describe, expect, it } from 'vitest';
import {
  call,
  environment,
  eventually,
  type Home,
  openHome,
  ratchet,
  startServerProcess,
} from '../../support/server.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const INSPECTOR = fileURLToPath(
  new URL('../../../node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js', import.meta.url),
);
const TASK = 'export default function main({ n }) { console.log("from the task"); return { twice: n * 2 }; }';

const line = (message: object) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`;
const callOf = (name: string, args: object) => ({ method: 'tools/call', params: { name, arguments: args } });

function addDouble(home: Home): void {
  home.file('tasks/double/main.js', TASK);
  home.file('tasks/double/metadata.json', JSON.stringify({ label: 'double' }));
}

/** How a client starts the program. */
function program(home: Home, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  const started = [MAIN, 'mcp-serve', ...args];
  return { command: process.execPath, args: started, cwd: home.folder, env: environment(home, env) };
}

describe('mcp-serve', () => {
  it('answers raw JSON-RPC without a configuration file, tells what is wrong with a line, and ends well with its input', async () => {
    using home = openHome();
    addDouble(home);
    const input = [
      'no JSON at all\n',
      '{"id":1}\n',
      line({ id: 'list', method: 'tools/list' }),
      line({ id: 'run', ...callOf('execute_task', { task_id: 'double', input: { n: 21 } }) }),
      line({ id: 'none', method: 'no/such' }),
    ].join('');
    const { code, stdout, stderr } = await ratchet(
      home,
      ['mcp-serve', '--transport', 'stdio', '--host', '203.0.113.1'],
      {
        input,
      },
    );
    expect(code).toBe(0);
    expect(stderr).toContain('the client has closed the connection: mcp-serve ends');
    const messages = stdout
      .trimEnd()
      .split('\n')
      .map((text): Record<string, unknown> => JSON.parse(text));
    const byId = new Map(messages.map((message) => [message['id'], message]));
    expect(messages.map(({ jsonrpc }) => jsonrpc)).toEqual(messages.map(() => '2.0'));
    expect(messages.filter(({ id }) => id === null)).toMatchObject([
      { error: { code: -32_700 } },
      { error: { code: -32_600 } },
    ]);
    expect(byId.get('list')).toMatchObject({ result: { tools: expect.any(Array) } });
    expect(byId.get('run')).toMatchObject({
      result: { structuredContent: { status: 'completed', output: { twice: 42 } } },
    });
    expect(byId.get('none')).toMatchObject({ error: { code: -32_601 } });
  });

  it('refuses a line that is too long and goes on', async () => {
    using home = openHome();
    const config = home.file(
      'small.yaml',
      'mcp: { security: { max_input_size: 1KB } }\ndatabase: { url: "sqlite::memory:" }\n',
    );
    const input = `${line({ id: 1, method: 'x'.repeat(3_000) })}${line({ id: 2, method: 'ping' })}`;
    const { stdout } = await ratchet(home, ['mcp-serve', '--config', config], { input });
    const [refused, answered] = stdout.trimEnd().split('\n');
    expect(refused).toContain('mcp.security.max_input_size');
    expect(answered).toContain('"id":2');
  });

  it.each(['old', 'legacy', 'modern'] as const)(
    'serves a client of the %s kind, its log beside the protocol',
    async (kind) => {
      using home = openHome();
      addDouble(home);
      const info = { name: kind, version: '1' };
      const mode = kind === 'modern' ? { pin: '2026-07-28' } : 'legacy';
      const client = kind === 'old' ? new OldClient(info) : new ModernClient(info, { versionNegotiation: { mode } });
      if (client instanceof OldClient) await client.connect(new OldStdio({ ...program(home), stderr: 'ignore' }));
      else await client.connect(new ModernStdio({ ...program(home), stderr: 'ignore' }));
      const answer = await client.callTool({ name: 'execute_task', arguments: { task_id: 'double', input: { n: 4 } } });
      expect(answer.structuredContent).toMatchObject({ output: { twice: 8 } });
      await client.close();
    },
  );

  it('knows its caller by the key in its environment, or by the only key whose variable is set, and refuses all others', async () => {
    using home = openHome();
    const config = home.file(
      'keys.yaml',
      `database: { url: "sqlite::memory:" }
mcp:
  auth_type: api_key
  api_keys:
    - { key: "\${ADA_KEY}", name: ada, role: reader }
    - { key: "\${BOB_KEY}", name: bob, role: operator }
`,
    );
    const input = line({ id: 1, ...callOf('execute_task', { task_id: 'none', input: {} }) });
    const run = (env: Record<string, string>) => ratchet(home, ['mcp-serve', '--config', config], { env, input });
    const [none, both, ada, bob, wrong] = await Promise.all([
      run({}),
      run({ ADA_KEY: 'a'.repeat(32), BOB_KEY: 'b'.repeat(32) }),
      run({ ADA_KEY: 'a'.repeat(32) }),
      run({ ADA_KEY: 'a'.repeat(32), BOB_KEY: 'b'.repeat(32), RATCHET_API_KEY: 'b'.repeat(32) }),
      run({ ADA_KEY: 'a'.repeat(32), MCP_API_KEY: 'c'.repeat(32) }),
    ]);
    for (const refused of [none, both, wrong]) {
      expect(refused.code).toBe(3);
      expect(refused.stdout).toBe('');
      expect(refused.stderr).toContain('Permission denied');
    }
    expect(none.stderr).toContain('RATCHET_API_KEY');
    expect(ada.stdout).toContain('Cannot execute tasks');
    expect(bob.stdout).toContain('task_not_found');
  });

  it('works beside a server on the same database, whatever ports are taken', async () => {
    using home = openHome();
    const busy = createServer().listen(0, '127.0.0.1');
    const address = busy.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await using server = await startServerProcess(home, { more: `mcp: { port: ${port} }\n` });
    await call(server.url, 'POST', '/api/v1/tasks', { name: 'double', code: TASK });
    const client = new ModernClient({ name: 'beside', version: '1' }, { versionNegotiation: { mode: 'legacy' } });
    const args = ['--config', `${home.folder}/config.yaml`, '--port', String(port)];
    await client.connect(new ModernStdio({ ...program(home, args), stderr: 'ignore' }));
    const answer = await client.callTool({ name: 'execute_task', arguments: { task_id: 'double', input: { n: 5 } } });
    expect(answer.structuredContent).toMatchObject({ output: { twice: 10 } });
    const { execution_id } = { execution_id: '', ...(answer.structuredContent as { execution_id?: string }) };
    await eventually('the server knows the execution', async () => {
      const told = await call(server.url, 'GET', `/api/v1/executions/${execution_id}`);
      return told.status === 200 ? true : undefined;
    });
    await client.close();
    busy.close();
  });

  it('is driven by the inspector', async () => {
    using home = openHome();
    addDouble(home);
    const listed = await inspect(home, ['--method', 'tools/list']);
    expect(JSON.stringify(listed)).toContain('"execute_task"');
    const args = ['--method', 'tools/call', '--tool-name', 'execute_task'];
    const answer = await inspect(home, [...args, '--tool-args-json', '{"task_id":"double","input":{"n":3}}']);
    expect(JSON.stringify(answer)).toContain('"twice":6');
  });
});

/** Runs the inspector without a window, on a server that it starts. */
function inspect(home: Home, args: readonly string[]): Promise<unknown> {
  const { command, args: started, env } = program(home);
  const asked = [INSPECTOR, '--cli', command, ...started, ...args, '--format', 'json', '-q'];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, asked, { cwd: home.folder, env }, (error, stdout, stderr) => {
      if (error === null) resolve(JSON.parse(stdout));
      else reject(new Error(`${error.message}\n${stdout}\n${stderr}`));
    });
  });
}

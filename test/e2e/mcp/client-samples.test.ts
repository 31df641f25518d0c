/** The configurations of clients that we ship start servers as they are, but for their paths. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openHome, ratchet } from '../../support/server.ts';

const FOLDER = fileURLToPath(new URL('../../../sample/mcp-clients/', import.meta.url));
const form = z.object({
  mcpServers: z.record(
    z.string(),
    z.union([
      z.object({
        command: z.literal('ratchet'),
        args: z.array(z.string()),
        env: z.record(z.string(), z.string()).default({}),
      }),
      z.object({ type: z.literal('http'), url: z.url(), headers: z.record(z.string(), z.string()) }),
    ]),
  ),
});

const servers = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .flatMap((file) => {
    const { mcpServers } = form.parse(JSON.parse(readFileSync(`${FOLDER}${file}`, 'utf8')));
    return Object.entries(mcpServers).flatMap(([name, server]) =>
      'command' in server ? [{ file, name, args: server.args, env: server.env }] : [],
    );
  });

describe('a sample configuration of a client', () => {
  it.each(servers)('$file starts $name, which lists its tools', async ({ args, env }) => {
    using home = openHome();
    const keys = '{ key: "${MCP_API_KEY_CLAUDE}", name: claude, role: operator }';
    const mcp = 'MCP_API_KEY_CLAUDE' in env ? `mcp: { api_keys: [${keys}] }\n` : '';
    const security = 'security: { allow_process_isolation: true }\n';
    const config = home.file('config.yaml', `database: { url: "sqlite::memory:" }\n${security}${mcp}`);
    const own = args.map((arg) => (arg.startsWith('/path/to/') ? config : arg));
    const input = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })}\n`;
    const { code, stdout, stderr } = await ratchet(home, own, { env, input });
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ result: { tools: expect.any(Array) } });
  });
});

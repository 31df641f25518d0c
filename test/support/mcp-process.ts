/** `ratchet mcp` as a process of its own, on a free port. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { environment, type Home } from './server.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const READY = /MCP server is ready: (http:\S+)/;
const READY_MS = 25_000;

export interface McpProcess extends AsyncDisposable {
  readonly url: string;
  readonly stderr: () => string;
  /** Ends it without warning. */
  kill(): Promise<void>;
  /** Asks it to end; answers its exit code. */
  stop(): Promise<number | null>;
}

/** Starts it on the database of `home`, and waits until it says that it is ready. */
export async function startMcpProcess(
  home: Home,
  yaml = '',
  env: Readonly<Record<string, string>> = {},
  command: readonly string[] = ['mcp'],
): Promise<McpProcess> {
  const config = home.file('mcp.yaml', `database: { url: "sqlite:ratchet.db" }\n${yaml}`);
  const args = [MAIN, ...command, '--config', config, '--port', '0'];
  const child = spawn(process.execPath, args, {
    cwd: home.folder,
    env: environment(home, env),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  const ready = Promise.withResolvers<string>();
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    const url = READY.exec(stderr)?.[1];
    if (url !== undefined) ready.resolve(url);
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      ready.reject(new Error(`the listener ended with ${code} before it was ready:\n${stderr}`));
      resolve(code);
    });
  });
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  const timer = setTimeout(() => ready.reject(new Error(`the listener was not ready in time:\n${stderr}`)), READY_MS);
  const url = await ready.promise.catch(async (error: unknown) => {
    await kill();
    throw error;
  });
  clearTimeout(timer);
  return {
    url,
    stderr: () => stderr,
    kill,
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
    [Symbol.asyncDispose]: kill,
  };
}

/** Many clients of both eras at once on a real listener: each answer must be the one to its own question. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { expect } from 'vitest';
import { environment, type Home } from './server.ts';

const SERVER = fileURLToPath(new URL('./mcp-load-server.ts', import.meta.url));
/** Calls that each client has in flight. */
const LANES = 4;

export interface LoadedServer extends AsyncDisposable {
  readonly url: string;
  /** @returns resident memory in MB, after a full collection of garbage. */
  weigh(): Promise<number>;
}

export async function startLoadedServer(home: Home, clients: number): Promise<LoadedServer> {
  home.file('tasks/echo/metadata.json', JSON.stringify({ name: 'echo', version: '1.0.0' }));
  home.file('tasks/echo/main.js', 'function main({ mark }) { console.info("mark " + mark); return { mark }; }');
  const config = home.file(
    'mcp.yaml',
    `database: { url: "sqlite:ratchet.db" }\nmcp: { port: 0, max_connections: ${clients} }\n`,
  );
  const child = fork(SERVER, [config], { cwd: home.folder, env: environment(home), execArgv: [] });
  const ended = once(child, 'exit');
  const told = async (): Promise<Record<string, unknown>> => {
    const [message] = await Promise.race([
      once(child, 'message'),
      ended.then(([code]) => Promise.reject(new Error(`the listener ended with ${code}`))),
    ]);
    return message;
  };
  const { url } = await told();
  return {
    url: String(url),
    weigh: async () => {
      child.send('weigh');
      return Number((await told())['megabytes']);
    },
    [Symbol.asyncDispose]: async () => {
      child.disconnect();
      await ended;
    },
  };
}

/** @returns as many clients, every other one of the older era, with a session. */
export async function connectClients({ url }: LoadedServer, many: number): Promise<readonly Client[]> {
  return Promise.all(
    Array.from({ length: many }, async (_, n) => {
      const mode = n % 2 === 0 ? 'legacy' : { pin: '2026-07-28' };
      const client = new Client({ name: `client-${n}`, version: '1' }, { versionNegotiation: { mode } });
      await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)));
      return client;
    }),
  );
}

/**
 * Every client makes as many calls, several at a time: it runs the task with a mark of its own, and reads status, logs and trace
 * of that execution. Fails with the first answer that is missing, wrong, or somebody else's.
 */
export async function callAll(clients: readonly Client[], callsOfEach: number, round: string): Promise<void> {
  const lanes = clients.flatMap((client, n) => {
    return Array.from({ length: LANES }, (_, lane) => {
      const share = Math.floor((callsOfEach + LANES - 1 - lane) / LANES);
      return { client, name: `${round}.${n}.${lane}`, share };
    });
  });
  const calls = await Promise.all(lanes.map(({ client, name, share }) => callLane(client, name, share)));
  const all = calls.flat();
  expect(all).toHaveLength(clients.length * callsOfEach);
  expect(new Set(all).size).toBe(all.length);
}

/** @returns a name for each call that was answered rightly. */
async function callLane(client: Client, name: string, calls: number): Promise<readonly string[]> {
  const answered: string[] = [];
  let id = '';
  for (let n = 0; n < calls; n += 1) {
    const mark = `${name}.${n - (n % 4)}`;
    switch (n % 4) {
      case 0: {
        const told = await use(client, 'execute_task', { task_id: 'echo', input: { mark }, wait_seconds: 50 });
        expect(told).toMatchObject({ status: 'completed', output: { mark } });
        id = String(told['execution_id']);
        break;
      }
      case 1:
        expect(await use(client, 'get_execution_status', { execution_id: id })).toMatchObject({
          execution_id: id,
          output: { mark },
        });
        break;
      case 2:
        expect(await use(client, 'get_execution_logs', { execution_id: id })).toMatchObject({
          execution_id: id,
          logs: [{ message: `mark ${mark}` }],
        });
        break;
      default:
        expect(await use(client, 'get_execution_trace', { execution_id: id })).toMatchObject({ execution_id: id });
    }
    answered.push(`${name}.${n}`);
  }
  return answered;
}

async function use(client: Client, name: string, args: Readonly<Record<string, unknown>>) {
  const { isError, structuredContent } = await client.callTool({ name, arguments: { ...args } });
  if (isError === true) throw new Error(`${name} was refused: ${JSON.stringify(structuredContent)}`);
  return structuredContent as Record<string, unknown>;
}

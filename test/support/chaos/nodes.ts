/** Several nodes on one database: each a process with its own folder, its own address, and its own way to the database. */
import type { EventStore } from '../../../src/ports/event-store.ts';
import { postgresEventStore } from '../../../infra/event-store/postgres.ts';
import type { PostgresServer } from '../postgres.ts';
import { call, eventually, type Home, openHome, type ServerProcess, startServerProcess } from '../server.ts';
import { startProxy, type TcpProxy } from '../tcp-proxy.ts';
import { taskDefinitions } from './tasks.ts';

/** Executions of one node at once. */
const WORKERS = 4;
const POOL_SIZE = 8;
/** A start waits for the read models, which may be held up by the failure of another node. */
const READY_MS = 60_000;

export interface ChaosNode {
  readonly name: string;
  /** The same for all processes of this node, one after the other. */
  readonly url: string;
  readonly pid: number;
  /** Between this node and the database. */
  readonly proxy: TcpProxy;
  /** What its processes wrote to the standard error. */
  readonly stderr: () => string;
  /** Ends it without warning. */
  kill(): Promise<void>;
  /** Starts it again at the same address, after {@link kill}. */
  start(): Promise<void>;
  freeze(): void;
  thaw(): void;
}

export interface Cluster extends AsyncDisposable {
  readonly nodes: readonly ChaosNode[];
  readonly server: PostgresServer;
  /** Past the proxies. */
  readonly databaseUrl: string;
  /** The log, read past the proxies. */
  readonly log: EventStore;
}

/** Starts `count` nodes, whose sessions have a lease of so many seconds, and makes the tasks known to all of them. */
export async function startCluster(server: PostgresServer, count: number, leaseSeconds: number): Promise<Cluster> {
  const url = await server.newDatabase();
  const log = await postgresEventStore(url, { poolSize: 4 });
  const nodes: (ChaosNode & AsyncDisposable)[] = [];
  const cluster = {
    nodes,
    server,
    databaseUrl: url,
    log,
    async [Symbol.asyncDispose]() {
      for (const node of nodes) await node[Symbol.asyncDispose]();
      await log.close();
    },
  };
  try {
    for (let index = 0; index < count; index += 1) nodes.push(await startNode(`node-${index}`, url, leaseSeconds));
    await publishTasks(nodes);
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

async function startNode(
  name: string,
  databaseUrl: string,
  leaseSeconds: number,
): Promise<ChaosNode & AsyncDisposable> {
  const home: Home = openHome();
  const address = new URL(databaseUrl);
  const proxy = await startProxy(Number(address.port || 5432));
  address.hostname = '127.0.0.1';
  address.port = String(proxy.port);
  const more = `workers:\n  count: ${WORKERS}\n  lease: ${leaseSeconds}\n`;
  const options = { database: address.href, poolSize: POOL_SIZE, more, readyMs: READY_MS };
  let running: ServerProcess = await startServerProcess(home, options);
  const port = Number(new URL(running.url).port);
  let earlier = '';
  return {
    name,
    url: running.url,
    get pid() {
      return running.pid;
    },
    proxy,
    stderr: () => earlier + running.stderr(),
    async kill() {
      await running.kill();
      earlier += running.stderr();
    },
    async start() {
      running = await startServerProcess(home, { ...options, port });
    },
    freeze: () => void process.kill(running.pid, 'SIGSTOP'),
    thaw: () => void process.kill(running.pid, 'SIGCONT'),
    async [Symbol.asyncDispose]() {
      await running.kill();
      await proxy.close();
      home[Symbol.dispose]();
    },
  };
}

async function publishTasks(nodes: readonly ChaosNode[]): Promise<void> {
  for (const definition of taskDefinitions()) {
    const made = await call(nodes[0]?.url ?? '', 'POST', '/api/v1/tasks', definition);
    if (made.status !== 201) throw new Error(`${made.status}: ${JSON.stringify(made.body)}`);
    for (const { url, name } of nodes) {
      await eventually(`${name} knows ${String(definition['name'])}`, async () => {
        const { status } = await call(url, 'GET', `/api/v1/tasks/${String(definition['name'])}`);
        return status === 200 ? true : undefined;
      });
    }
  }
}

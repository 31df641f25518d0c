/** The product as the benchmarks run it: with the settings that `ratchet serve` has by default on this machine. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { loadConfig } from '../../config/load.ts';
import { type App, type AppSettings, openApp } from '../../src/app.ts';
import { appSettings } from '../../src/cli/settings.ts';
import { OPERATIONS } from '../../src/interfaces/operations.ts';
import { CALLER } from '../support/app.ts';
import {
  call,
  environment,
  eventually,
  type Home,
  type ServerOptions,
  type ServerProcess,
  startServerProcess,
} from '../support/server.ts';

/** What a benchmark adds to the defaults: a secret that tasks sign with. */
const MORE = 'secrets:\n  bench:\n    value: "only-for-the-benchmark"\n    allowed_hosts: []\n';

export interface Product extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  task(name: string, code: string): Promise<void>;
  /** Waits until the read models hold everything that has been stored. */
  settled(): Promise<void>;
}

/** Starts the real server as a process of its own. */
export async function startProduct(home: Home, options: Pick<ServerOptions, 'database'> = {}): Promise<Product> {
  const server = await startServerProcess(home, { ...options, more: MORE });
  return {
    pid: server.pid,
    url: server.url,
    task: (name, code) => post(server, '/api/v1/tasks', { name, code }),
    settled: () => settled(server),
    [Symbol.asyncDispose]: async () => void (await server.stop()),
  };
}

async function post({ url }: ServerProcess, path: string, body: object): Promise<void> {
  const { status, body: answer } = await call(url, 'POST', path, body);
  if (status >= 300) throw new Error(`${path} answered ${status}: ${JSON.stringify(answer)}`);
}

interface Health {
  readonly head: string;
  readonly projections: readonly { readonly position: string }[];
}

async function settled({ url }: ServerProcess): Promise<void> {
  const health = async (): Promise<Health> => (await call(url, 'GET', '/api/v1/health')).body as unknown as Health;
  const { head } = await health();
  const isReached = async () =>
    (await health()).projections.every(({ position }) => position >= head) ? true : undefined;
  await eventually('the read models catch up', isReached, 120_000);
}

export interface CommandPort extends AsyncDisposable {
  readonly app: App;
  task(name: string, code: string): Promise<void>;
  /** Runs a task to its end; fails unless it completed. */
  execute(name: string, input: object): Promise<string>;
  settled(): Promise<void>;
}

/** Opens the product in this process, without HTTP. */
export async function openCommandPort(home: Home): Promise<CommandPort> {
  const file = home.file(
    'config.yaml',
    `database:\n  url: "sqlite:ratchet.db"\noutbound:\n  allow: ["127.0.0.0/8"]\n${MORE}`,
  );
  const { config } = loadConfig({ file, env: environment(home), cwd: home.folder });
  const settings: AppSettings = appSettings(config, pino({ level: 'silent' }), availableParallelism());
  const app = await openApp({ ...settings, eventStoreUrl: `sqlite:${join(home.folder, 'ratchet.db')}` });
  const run = async (name: string, input: object): Promise<Record<string, unknown>> => {
    const operation = OPERATIONS.find((candidate) => candidate.name === name);
    if (operation === undefined) throw new Error(`there is no operation ${name}`);
    return (await operation.run(app.core, input, CALLER)) as Record<string, unknown>;
  };
  return {
    app,
    task: async (name, code) => void (await run('create_task', { name, code })),
    execute: async (name, input) => {
      const answer = await run('execute_task', { task_id: name, input });
      if (answer['status'] !== 'completed') throw new Error(`${name} did not complete: ${JSON.stringify(answer)}`);
      return String(answer['execution_id']);
    },
    settled: async () => app.core.progress.reach(await app.store.head(), 120_000),
    [Symbol.asyncDispose]: () => app.close(2_000),
  };
}

/** A server made of a configuration file, in this process: what a key of the file does is seen from outside. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pino } from 'pino';
import { type LoadedConfig, loadConfig } from '../../config/load.ts';
import { openLogging } from '../../infra/logging.ts';
import { type Server, startServer } from '../../src/cli/serve.ts';
import { appSettings, serveSettings } from '../../src/cli/settings.ts';
import { OPERATIONS } from '../../src/interfaces/operations.ts';
import { CALLER } from './app.ts';
import { type Answer, call } from './server.ts';

type Config = LoadedConfig['config'];

export interface Configured extends AsyncDisposable {
  readonly config: Config;
  readonly warnings: readonly string[];
  /** Of the configuration file, and of everything that is relative to it. */
  readonly folder: string;
  readonly server: Server;
  readonly url: string;
  call(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** Creates a task of this code over the command port, whoever may enter. */
  task(name: string, code: string, more?: object): Promise<void>;
  /** Runs a task to its end over REST. */
  run(task: string, input?: unknown, more?: object): Promise<Record<string, unknown>>;
  /** Writes what the log still collects, and ends it. */
  closeLog(): Promise<void>;
  /** Path of a file in the folder. */
  path(name: string): string;
}

export interface ConfiguredOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Other files beside the configuration, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** Folders elsewhere, by the name under which they are beside the configuration. */
  readonly links?: Readonly<Record<string, string>>;
  /** Lines are written to the sinks of the file; consoles stay silent. */
  readonly logs?: boolean;
  /** The port of the file instead of a free one. */
  readonly ownPort?: boolean;
  /** The database of the file instead of one in memory. */
  readonly ownDatabase?: boolean;
}

/** Starts a server on a free port, with a database in memory unless told otherwise. */
export async function startConfigured(yaml: string, options: ConfiguredOptions = {}): Promise<Configured> {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-configured-'));
  for (const [name, text] of Object.entries({ ...options.files, 'config.yaml': yaml })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  for (const [name, target] of Object.entries(options.links ?? {})) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    symlinkSync(target, join(folder, name));
  }
  const { config, warnings } = loadConfig({
    file: join(folder, 'config.yaml'),
    env: {
      HOME: folder,
      RATCHET_HOME: join(folder, 'data'),
      ...(options.ownDatabase === true ? {} : { DATABASE_URL: 'sqlite::memory:' }),
      ...options.env,
    },
    cwd: folder,
    flags: options.ownPort === true ? {} : { 'server.port': 0 },
  });
  const logging = options.logs === true ? openLogging(withinFolder(config.logging, folder), { stdout: true }) : null;
  const logger = logging?.logger ?? pino({ level: 'silent' });
  for (const warning of warnings) logger.warn(warning);
  const leave = async (): Promise<void> => {
    await logging?.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  };
  const server = await startServer(appSettings(config, logger, 1), serveSettings(config, '0.0.0')).catch(
    async (error: unknown) => {
      await leave();
      throw error;
    },
  );
  const { prefix } = config.rest;
  const url = server.url.replace('0.0.0.0', '127.0.0.1');
  const ask: Configured['call'] = (method, path, body, headers) => call(url, method, path, body, headers);
  return {
    config,
    warnings,
    folder,
    server,
    url,
    call: ask,
    closeLog: async () => logging?.close(),
    path: (name) => join(folder, name),
    task: async (name, code, more = {}) => {
      const create = OPERATIONS.find((operation) => operation.name === 'create_task');
      await create?.run(server.app.core, { name, code, ...more }, CALLER);
    },
    run: async (task, input = {}, more = {}) =>
      (await ask('POST', `${prefix}/tasks/execute`, { task_id: task, input, ...more })).body,
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await leave();
    },
  };
}

/** Consoles are left out, and files of the system's folders come into the test's. */
function withinFolder(logging: Config['logging'], folder: string): Config['logging'] {
  const sinks = logging.sinks.flatMap((sink) => {
    if (sink.type === 'console') return [];
    return [sink.path.startsWith(folder) ? sink : { ...sink, path: join(folder, basename(sink.path)) }];
  });
  return { ...logging, sinks: sinks.length > 0 ? sinks : [silentFile(folder)] };
}

function silentFile(folder: string): Config['logging']['sinks'][number] {
  return {
    type: 'file',
    level: null,
    format: 'json',
    path: join(folder, 'server.log'),
    maxSize: 1e9,
    maxBackups: 1,
    buffered: null,
  };
}

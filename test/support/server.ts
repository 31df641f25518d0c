/** Starts the real program as a process of its own: a server on a free port, or one command to its end. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const READY = /Ratchet is ready(?: as [a-z, ]+)?: (https?:\S+)/;
const READY_MS = 25_000;

/** A folder of its own for one test, gone at its end. */
export interface Home extends Disposable {
  readonly folder: string;
  /** Writes a file below the folder; returns its path. */
  file(name: string, content: string): string;
}

/** Makes an empty folder with an empty folder `tasks` in it. */
export function openHome(): Home {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-e2e-'));
  mkdirSync(join(folder, 'tasks'));
  return {
    folder,
    file: (name, content) => {
      const path = join(folder, name);
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, content);
      return path;
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }),
  };
}

/** Nothing of this machine but the path to programs; the data lives in the folder of the test. */
export function environment(home: Home, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', HOME: home.folder, RATCHET_HOME: join(home.folder, 'data'), ...more };
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The last line of stdout as JSON. */
  json(): unknown;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Given on standard input. */
  readonly input?: string;
  /** Sees the process when it has been started. */
  readonly onStart?: (process: Started) => void;
}

export interface Started {
  readonly stdout: () => string;
  readonly signal: (signal: NodeJS.Signals) => void;
}

/** Runs one command of the program to its end. */
export function ratchet(home: Home, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { env = {}, input = '', onStart } = options;
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: home.folder, env: environment(home, env) });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => undefined).end(input);
  onStart?.({ stdout: () => stdout, signal: (signal) => void child.kill(signal) });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code, stdout, stderr, json: () => JSON.parse(stdout.trim().split('\n').at(-1) ?? '') });
    });
  });
}

export interface ServerProcess extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Exit code; null when it was killed. */
  readonly ended: Promise<number | null>;
  /** Ends it without warning. */
  kill(): Promise<void>;
  /** Asks it to end; answers its exit code. */
  stop(): Promise<number | null>;
}

export interface ServerOptions {
  /** YAML beside `server` and `database`. */
  readonly more?: string;
  /** YAML below `server`, two spaces in. */
  readonly server?: string;
  /** Address of the database as the file names it. */
  readonly database?: string;
  /** Connections to it, where it is a server; as many as the program takes by itself when left out. */
  readonly poolSize?: number;
  /** YAML beside `database.url`, indented. */
  readonly databaseMore?: string;
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** Further flags of `serve`. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** False: nobody reads what it prints. */
  readonly isRead?: boolean;
  /** Longest time until it is ready, in milliseconds; 25,000 by default. */
  readonly readyMs?: number;
}

/** Starts a server with a configuration file in `home`, and waits until it says that it is ready. */
export async function startServerProcess(home: Home, options: ServerOptions = {}): Promise<ServerProcess> {
  const {
    more = '',
    server = '',
    database = 'sqlite:ratchet.db',
    poolSize,
    databaseMore = '',
    port = 0,
    flags = [],
    env = {},
    isRead = true,
    readyMs = READY_MS,
  } = options;
  const pool = poolSize === undefined ? databaseMore : `  pool_size: ${poolSize}\n${databaseMore}`;
  const config = home.file(
    'config.yaml',
    `database:\n  url: "${database}"\n${pool}server:\n  host: 127.0.0.1\n${server}outbound:\n  allow: ["127.0.0.0/8"]\n${more}`,
  );
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', config, '--port', String(port), ...flags], {
    cwd: home.folder,
    env: environment(home, env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const ready = Promise.withResolvers<string>();
  if (isRead) child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    const url = READY.exec(stderr)?.[1];
    if (url !== undefined) ready.resolve(url);
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      ready.reject(new Error(`the server ended with ${code} before it was ready:\n${stderr}${stdout}`));
      resolve(code);
    });
  });
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  const timer = setTimeout(() => ready.reject(new Error(`the server was not ready in time:\n${stderr}`)), readyMs);
  const url = await ready.promise.catch(async (error: unknown) => {
    await kill();
    throw error;
  });
  clearTimeout(timer);
  return {
    url,
    pid: child.pid ?? -1,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    kill,
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
    [Symbol.asyncDispose]: kill,
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

/** One request with JSON in and out; a document that is not JSON comes as `{text}`. */
export async function call(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const isJson = response.headers.get('content-type')?.includes('json') !== false;
  const told = isJson ? ((await response.json()) as Answer['body']) : { text: await response.text() };
  return { status: response.status, headers: response.headers, body: told };
}

const LOOK_MS = 20;

/** Looks again and again until `look` answers something; fails with `what` after `ms`. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  ms = 20_000,
): Promise<T> {
  const deadline = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`did not happen within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

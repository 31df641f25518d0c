/** A Redis of its own for a test, where this machine has the program. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Without it tests that need it are skipped; their names say how to have them run. */
export const HAS_REDIS = spawnSync('redis-server', ['--version']).status === 0;
export const NEEDS_REDIS = '(needs redis-server on the PATH: apt-get install redis-server)';

export interface TestRedis extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Ends it without warning; `start` brings an empty one back at the same address. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** Starts one on a free port of 127.0.0.1, with nothing kept on disk. */
export async function startRedis(): Promise<TestRedis> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-redis-'));
  let stopRunning = async (): Promise<void> => undefined;
  const start = async (): Promise<void> => {
    const options = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      folder,
    ];
    const child = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'ignore'] });
    const ended = once(child, 'close');
    stopRunning = async () => {
      child.kill('SIGKILL');
      await ended;
    };
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('Ready to accept connections')) resolve();
    });
    child.once('close', () => reject(new Error(`redis-server ended before it was ready:\n${said}`)));
    await promise;
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    start,
    stop: () => stopRunning(),
    [Symbol.asyncDispose]: async () => {
      await stopRunning();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

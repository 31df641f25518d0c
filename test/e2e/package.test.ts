/** The package as people get it: packed, installed globally in a folder of its own, and run from there. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest';
import { openSandbox } from '../../infra/sandbox/pool.ts';
import { eventually } from '../support/server.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const IS_WINDOWS = process.platform === 'win32';
const NO_REGISTRY = /E(?:NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT|NOTCACHED|HOSTUNREACH|NETUNREACH)/;
const INSTALL_MS = 120_000;

const folder = mkdtempSync(join(tmpdir(), 'ratchet-package-'));
const installed = join(folder, 'prefix', ...(IS_WINDOWS ? [] : ['lib']), 'node_modules', 'ratchet');
const ratchet = join(folder, 'prefix', ...(IS_WINDOWS ? ['ratchet.cmd'] : ['bin', 'ratchet']));
const csvParser = join(installed, 'sample', 'js-tasks', 'csv-parser');
const manifest: { readonly version: string } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

/** A shell outside the checkout: its own Node where there is one, whatever version that is. */
const outside = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((path) => !path.endsWith(join('node_modules', '.bin')));
const env = {
  ...process.env,
  PATH: [...outside, dirname(process.execPath)].join(delimiter),
  RATCHET_HOME: join(folder, 'home'),
};

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, args: readonly string[], cwd = folder, input = ''): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { cwd, env, shell: IS_WINDOWS }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

let packed: readonly string[] = [];
let whyNotInstalled: string | null = null;

beforeAll(async () => {
  const pack = await run('npm', ['pack', '--json', '--silent', '--pack-destination', folder], ROOT);
  expect(pack.stderr).not.toContain('Error');
  const [archive]: [{ filename: string; files: { path: string }[] }] = JSON.parse(pack.stdout);
  packed = archive.files.map(({ path }) => path).sort();
  const flags = [
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--fetch-retries=0',
    '--prefix',
    join(folder, 'prefix'),
  ];
  const install = await run('npm', ['install', '--global', ...flags, join(folder, archive.filename)]);
  if (install.code === 0) return;
  if (!NO_REGISTRY.test(install.stderr)) throw new Error(`npm install failed: ${install.stderr}`);
  whyNotInstalled = 'no package registry can be reached';
}, INSTALL_MS);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function needsInstall({ skip }: TestContext): void {
  skip(whyNotInstalled !== null, whyNotInstalled ?? '');
}

test('a package contains the bundles, the launcher, samples, configuration and documents, and nothing else', () => {
  const allowed = [
    /^dist\/[\w-]+\.js(?:\.map)?$/,
    /^dist\/client\/[\w-]+\.(?:js(?:\.map)?|d\.ts)$/,
    /^config\/[\w.-]+\.yaml$/,
    /^sample\//,
    /^(?:package\.json|src\/launcher\.cjs|README\.md|LICENSE|CHANGELOG\.md)$/,
  ];
  expect(packed.filter((path) => !allowed.some((pattern) => pattern.test(path)))).toEqual([]);
  const bundles = ['main', 'projector-thread', 'sqlite-writer', 'sandbox-child'].map((name) => `dist/${name}.js`);
  const documents = ['README.md', 'LICENSE', 'CHANGELOG.md'].filter((name) => existsSync(join(ROOT, name)));
  const configs = readdirSync(join(ROOT, 'config')).filter((name) => name.endsWith('.yaml'));
  expect(packed).toEqual(
    expect.arrayContaining([
      ...bundles,
      ...documents,
      ...configs.map((name) => `config/${name}`),
      'package.json',
      'src/launcher.cjs',
      'sample/js-tasks/csv-parser/main.js',
    ]),
  );
});

test('the web client in a package is one module for browsers, that brings its types along', async () => {
  expect(packed).toEqual(expect.arrayContaining(['dist/client/index.js', 'dist/client/index.d.ts']));
  const file = join(ROOT, 'dist', 'client', 'index.js');
  expect(readFileSync(file, 'utf8')).not.toMatch(/^import\b|node:|process\.|Buffer\b/m);
  const { RatchetMCPClient } = await import(pathToFileURL(file).href);
  expect(new RatchetMCPClient({ baseUrl: 'http://localhost:8090', apiKey: 'your-api-key' })).toMatchObject({
    executeTask: expect.any(Function),
  });
});

describe('an installed ratchet', () => {
  test('tells its version', async (context) => {
    needsInstall(context);
    expect(await run(ratchet, ['--version'])).toMatchObject({ code: 0, stdout: `${manifest.version}\n` });
  });

  test('hands on the exit code of a wrong command', async (context) => {
    needsInstall(context);
    expect(await run(ratchet, ['no-such-command'])).toMatchObject({ code: 2, stdout: '' });
  });

  test('runs a sample task once', async (context) => {
    needsInstall(context);
    const input = JSON.stringify({ csv: 'name,age\nAda,36' });
    const { code, stdout } = await run(ratchet, ['run-once', '--from-fs', csvParser, '--input-json', input]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ status: 'completed', output: { rows: [{ name: 'Ada', age: 36 }] } });
  });

  test('hands on standard input', async (context) => {
    needsInstall(context);
    const input = JSON.stringify({ csv: 'a\n1' });
    const { stdout } = await run(ratchet, ['run-once', '--from-fs', csvParser, '--input-file', '-'], folder, input);
    expect(JSON.parse(stdout)).toMatchObject({ output: { row_count: 1 } });
  });

  test.skipIf(IS_WINDOWS)('serves, as isolated as a checkout, until SIGTERM ends it well', async (context) => {
    needsInstall(context);
    const server = spawn(ratchet, ['serve', '--port', '0'], { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
    const exit = once(server, 'exit');
    try {
      const url = await readyUrl(server.stderr, exit);
      const health = await fetch(`${url}/health`);
      expect(health.status).toBe(200);
      expect(await health.json()).toMatchObject({ status: 'ok', version: manifest.version, node: process.version });
      await using here = await sandboxOfCheckout();
      const details = await fetch(`${url}/api/v1/health`);
      expect(await details.json()).toMatchObject({ isolation: here.isolation });
    } finally {
      server.kill('SIGTERM');
      expect(await exit).toEqual([0, null]);
    }
  });

  test.skipIf(process.platform !== 'linux')(
    'idles on stdio in 120 MB, all its processes together',
    async (context) => {
      needsInstall(context);
      const server = spawn(process.execPath, [join(installed, 'dist', 'main.js'), 'mcp-serve'], { cwd: folder, env });
      const exit = once(server, 'exit');
      try {
        server.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })}\n`);
        await once(createInterface({ input: server.stdout }), 'line');
        await eventually(
          'no more than 120 MB are taken',
          () => (proportionalSize(server.pid ?? 0) <= 120 * 1024 ? true : undefined),
          60_000,
        );
      } finally {
        server.stdin.end();
        expect(await exit).toEqual([0, null]);
      }
    },
    90_000,
  );
});

/** The process and all below it, in kilobytes of memory that is its own or its share of what it has in common with others. */
function proportionalSize(pid: number): number {
  const own = /^Pss: +(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
  return children.reduce((sum, child) => sum + proportionalSize(child), Number(own));
}

async function sandboxOfCheckout(): Promise<AsyncDisposable & { readonly isolation: string }> {
  const sandbox = await openSandbox({ size: 1, warm: 1 });
  return { isolation: sandbox.isolation, [Symbol.asyncDispose]: () => sandbox.close() };
}

/** @returns the address that the server says it is ready at. Fails with what it said instead. */
async function readyUrl(stderr: NodeJS.ReadableStream, exit: Promise<unknown>): Promise<string> {
  const said: string[] = [];
  const lines = createInterface({ input: stderr });
  const ready = Promise.withResolvers<string>();
  lines.on('line', (line) => {
    said.push(line);
    const url = /Ratchet is ready: (http:\S+)/.exec(line)?.[1];
    if (url !== undefined) ready.resolve(url);
  });
  const ended = exit.then(() => Promise.reject(new Error(`the server ended: ${said.join('\n')}`)));
  ended.catch(() => undefined);
  return Promise.race([ready.promise, ended]);
}

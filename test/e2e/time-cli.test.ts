/** `ratchet trace`, `ratchet profile` and `run-once --profile`, as people and scripts run them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, type Home, openHome, ratchet, type ServerProcess, startServerProcess } from '../support/server.ts';

const CODE = `function hottest(n) { let sum = 0; for (let i = 0; i < n; i++) sum += Math.sqrt(i) % 7; return sum; }
async function main() {
  await span('nap \\u001b[31m', async () => { await sleep(15); });
  return hottest(2e7) > 0;
}`;

let home: Home;
let server: ServerProcess;
let id: string;
beforeAll(async () => {
  home = openHome();
  server = await startServerProcess(home);
  await call(server.url, 'POST', '/api/v1/tasks', { name: 'busy', code: CODE });
  const { body } = await call(server.url, 'POST', '/api/v1/tasks/execute', { task_id: 'busy', input: {} });
  id = String(body['execution_id']);
});
afterAll(async () => {
  await server.kill();
  home[Symbol.dispose]();
});

const run = (...args: readonly string[]) => ratchet(home, ['--config', 'config.yaml', ...args]);
const written = (file: string): string => readFileSync(join(home.folder, file), 'utf8');

describe('trace', () => {
  test('prints a tree for people, with the critical path, and lets nothing of a task steer the terminal', async () => {
    const { code, stdout } = await run('trace', id, '--format', 'text');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^busy completed\n/);
    expect(stdout).toMatch(/^ {2}busy +1\d ms {2}own 0 ms$/m);
    expect(stdout).toMatch(/^◆ {5}sleep 15 ms +1\d ms$/m);
    expect(stdout).toMatch(/\nInsights\n- [^]*profile/);
    expect(stdout).not.toContain('\u001b');
  });

  test('answers JSON when piped, and writes other forms into files', async () => {
    expect((await run('trace', id)).json()).toMatchObject({
      execution_id: id,
      trace: { critical_path: expect.any(Array) },
    });
    const page = await run('trace', id, '--format', 'html', '--out', 'trace.html');
    expect(page.json()).toEqual({ file: 'trace.html', format: 'html' });
    expect(written('trace.html')).toMatch(/^<!doctype html>/);
    expect(written('trace.html')).not.toContain('<nav>');
  });

  test('says what is wrong', async () => {
    expect(await run('trace', 'nobody')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no execution nobody'),
    });
    expect(await run('trace', id, '--attempt', 'x')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('attempt'),
    });
  });
});

describe('profile', () => {
  test('writes the form that the name of the file asks for', async () => {
    const told = await run('profile', id, '--out', 'busy.folded');
    expect(told.json()).toMatchObject({ file: 'busy.folded', format: 'folded', identical: true });
    expect(written('busy.folded')).toMatch(/^busy;main busy\/main\.js:2;hottest busy\/main\.js:1 \d+$/m);
  });

  test('refuses intervals that are none', async () => {
    const nowhere = await run('profile', id, '--interval-us', '7', '--out', 'busy.folded');
    expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining('50 to 10000') });
  });
});

describe('run-once --profile', () => {
  test('runs, answers, and then profiles the run', async () => {
    home.file('once/main.js', CODE);
    home.file('once/metadata.json', JSON.stringify({ name: 'once' }));
    const told = await ratchet(home, ['run-once', '--from-fs', 'once', '--profile', 'once.cpuprofile']);
    expect(told.json()).toMatchObject({ status: 'completed', output: true });
    expect(told.stderr).toContain('written to once.cpuprofile');
    const { nodes } = JSON.parse(written('once.cpuprofile')) as { nodes: { callFrame: { functionName: string } }[] };
    expect(nodes.map(({ callFrame }) => callFrame.functionName)).toContain('hottest');
  });

  test('looks at the name of the file before it runs anything', async () => {
    const told = await ratchet(home, ['run-once', '--from-fs', 'once', '--profile', 'once.png']);
    expect(told).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('.cpuprofile') });
  });
});

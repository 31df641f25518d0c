/** `ratchet repo`: a repository made from nothing is a good one, and the sources of a configuration are told without a server. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { taskFilesOf, zipOf } from '../support/archives.ts';
import { type Home, openHome, ratchet } from '../support/server.ts';

let home: Home;
beforeEach(() => {
  home = openHome();
});
afterEach(() => home[Symbol.dispose]());

describe('ratchet repo init', () => {
  it('makes a repository whose task is valid, passes its test, and is found as a source', async () => {
    const made = await ratchet(home, ['repo', 'init', 'team', '--name', 'Team tasks', '--json']);
    expect(made.json()).toMatchObject({ name: 'Team tasks', folder: join(home.folder, 'team') });
    expect(readdirSync(join(home.folder, 'team'))).toEqual(['.gitignore', '.ratchet', 'README.md', 'tasks']);
    expect(readFileSync(join(home.folder, 'team/.ratchet/registry.yaml'), 'utf8')).toContain('name: Team tasks');
    expect((await ratchet(home, ['validate', '--from-fs', 'team'])).json()).toEqual({
      valid: true,
      tasks: [{ name: 'hello', problems: [] }],
    });
    expect((await ratchet(home, ['test', '--from-fs', 'team'])).json()).toMatchObject({ passed: 1, failed: 0 });
    const config = home.file('config.yaml', 'registry: { sources: [{ name: team, uri: ./team }] }\n');
    const told = await ratchet(home, ['repo', 'status', '--config', config]);
    expect([told.code, told.json()]).toEqual([
      0,
      { sources: [expect.objectContaining({ status: 'ok', tasks: ['hello'] })] },
    ]);
  });

  it('overwrites nothing, and then writes nothing', async () => {
    home.file('team/README.md', 'mine');
    const refused = await ratchet(home, ['repo', 'init', 'team']);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('there is something at')]);
    expect(readdirSync(join(home.folder, 'team'))).toEqual(['README.md']);
  });
});

describe('ratchet repo status', () => {
  it('tells of each source its revision, tasks, what is broken and why, and what can not be read', async () => {
    writeFileSync(
      join(home.folder, 'pack.zip'),
      zipOf({ ...taskFilesOf('good'), ...taskFilesOf('wrong', 'function main( {'), 'bad/metadata.json': '{' }),
    );
    home.file('tasks/here/metadata.json', '{}');
    home.file('tasks/here/main.js', 'function main() {}');
    const config = home.file(
      'config.yaml',
      `registry:
  sources:
    - { name: here, uri: ./tasks }
    - { name: pack, uri: ./pack.zip }
    - { name: gone, uri: ./nowhere }
    - { name: away, uri: "http://someone:hunter2@127.0.0.1:1/x.git", ref: v1, token: "\${TEAM_TOKEN}" }
`,
    );
    const run = (...args: string[]) =>
      ratchet(home, ['repo', 'status', '--config', config, ...args], { env: { TEAM_TOKEN: 'hunter3' } });
    const { code, json, stdout, stderr } = await run('--json');
    expect(json()).toMatchObject({
      sources: [
        { name: 'here', status: 'ok', revision: null, tasks: ['here'], broken: [], last_sync_at: expect.any(String) },
        {
          name: 'pack',
          status: 'broken tasks',
          revision: expect.stringMatching(/^[0-9a-f]{64}$/),
          tasks: ['good', 'wrong'],
          broken: [
            { path: 'bad', reason: expect.stringContaining('not valid JSON') },
            { path: 'wrong/main.js', reason: 'wrong/main.js:1:17: Unexpected token' },
          ],
        },
        { name: 'gone', status: 'unreadable', error: expect.stringContaining('nowhere'), last_sync_at: null },
        {
          name: 'away',
          uri: 'http://127.0.0.1:1/x.git',
          ref: 'v1',
          status: 'unreadable',
          error: expect.stringContaining('loopback'),
        },
      ],
    });
    expect(code).toBe(1);
    expect(stdout + stderr).not.toMatch(/hunter|someone/);
  });
});

describe('a zip of a task', () => {
  it('is tested and run like its folder, and refused where it leads out of it', async () => {
    const task = {
      ...taskFilesOf('twice', 'function main(n) { return n * 2; }'),
      'twice/tests/a.json': '{"input":2,"expected_output":4}',
    };
    writeFileSync(join(home.folder, 'twice.zip'), zipOf(task));
    const run = (...args: string[]) => ratchet(home, [...args, '--from-fs', 'twice.zip', '--json']);
    expect((await run('test')).json()).toMatchObject({ passed: 1, failed: 0 });
    expect((await run('run-once', '--input-json', '21')).json()).toMatchObject({ output: 42 });
    writeFileSync(join(home.folder, 'twice.zip'), zipOf({ '../evil': 'x' }));
    expect(await run('validate')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('leads out of its folder'),
    });
  });
});

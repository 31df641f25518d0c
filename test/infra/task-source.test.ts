import { appendFile, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { folderSource } from '../../infra/task-source.ts';
import type { TaskSource } from '../../src/ports/task-source.ts';

let root: string;
let source: TaskSource;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ratchet-source-'));
  source = folderSource({ name: 'local', root });
});

afterEach(() => rm(root, { recursive: true, force: true }));

async function write(path: string, content: string | object): Promise<void> {
  const full = join(root, path);
  await mkdir(dirname(full), { recursive: true });
  await writeFile(full, typeof content === 'string' ? content : JSON.stringify(content));
}

async function task(path: string, name?: string): Promise<void> {
  await write(join(path, 'metadata.json'), name === undefined ? {} : { name });
  await write(join(path, 'main.js'), '(function () { return 1; })');
}

const names = async (from = source): Promise<string[]> => (await from.list()).tasks.map((one) => one.name);

describe('a source of tasks', () => {
  it('is one task, in either layout or code alone', async () => {
    await task('one');
    await write('two/meta.yaml', 'name: second\n');
    await write('two/task.js', 'function main() {}');
    await write('three/main.js', 'function main() {}');
    for (const [folder, name] of [
      ['one', 'one'],
      ['two', 'second'],
      ['three', 'three'],
    ] as const) {
      expect(await names(folderSource({ name: 'x', root: join(root, folder) }))).toEqual([name]);
    }
  });

  it('is a folder of tasks, nested ones included, in the order of their paths', async () => {
    await task('b');
    await task('a/deep/er/task-one');
    await task('a/task-two');
    await write('notes/readme.md', 'no task');
    await write('web/main.js', 'code beside nothing is no task here');
    expect(await source.list()).toMatchObject({
      tasks: [{ name: 'task-one' }, { name: 'task-two' }, { name: 'b' }],
      broken: [],
    });
  });

  it('skips hidden folders, node_modules, and folders that belong to a task', async () => {
    await task('good');
    await task('good/tests/inner');
    await task('.hidden/task');
    await task('node_modules/pack/task');
    expect(await names()).toEqual(['good']);
  });

  it('reports broken tasks with path and reason, and they hide no other', async () => {
    await task('a');
    await write('group/broken/metadata.json', '{');
    await write('empty/metadata.json', {});
    await task('z');
    const { tasks, broken } = await source.list();
    expect(tasks.map((one) => one.name)).toEqual(['a', 'z']);
    expect(broken).toEqual([
      { path: 'empty', reason: 'main.js: the file is missing' },
      { path: 'group/broken', reason: expect.stringMatching(/^metadata\.json: not valid JSON/) as string },
    ]);
  });

  it('gives a name to the first that has it and reports the second', async () => {
    await task('a', 'same');
    await task('b', 'same');
    const { tasks, broken } = await source.list();
    expect(tasks).toHaveLength(1);
    expect(broken).toEqual([{ path: 'b', reason: 'the name same is taken by a' }]);
  });

  it('follows links, each real folder once, also in a circle', async () => {
    await task('real/one');
    await symlink(root, join(root, 'real', 'loop'));
    await symlink(join(root, 'real'), join(root, 'again'));
    await symlink(join(root, 'nowhere'), join(root, 'dangling'));
    expect(await names()).toEqual(['one']);
  });

  it('is not found when its folder is missing', async () => {
    await expect(folderSource({ name: 'x', root: join(root, 'nothing') }).list()).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});

describe('a repository', () => {
  it('reads tasks/ unless its registry file says otherwise', async () => {
    await task('tasks/group/one');
    await task('other/two');
    await write('.ratchet/registry.yaml', 'name: team tasks\n');
    expect(await names()).toEqual(['one']);
  });

  it('includes and excludes by patterns on folders or on their files', async () => {
    for (const path of ['tasks/keep', 'tasks/drafts/one', 'tasks/old', 'extra/deep/two', 'third']) await task(path);
    await write(
      '.ratchet/registry.yaml',
      'discovery:\n  include_patterns: ["tasks/**", "./extra/**/metadata.json"]\n  exclude_patterns: ["**/drafts/**", "tasks/old/"]\n',
    );
    expect(await names()).toEqual(['two', 'keep']);
  });

  it('reports a broken registry file and reads tasks/', async () => {
    await task('tasks/one');
    await write('.ratchet/registry.yaml', 'discovery: {include_patterns: 3}\n');
    const { tasks, broken } = await source.list();
    expect(tasks).toHaveLength(1);
    expect(broken).toMatchObject([
      { path: '.ratchet/registry.yaml', reason: expect.stringContaining('discovery.include_patterns') as string },
    ]);
  });
});

describe('watching', () => {
  let stop: AbortController;
  let seen: number;
  let ended: Promise<void>;

  async function watch(): Promise<void> {
    stop = new AbortController();
    seen = 0;
    ended = source.watch(() => seen++, stop.signal);
    await vi.waitFor(() => expect(seen).toBe(1), 5000);
  }

  const next = (after: number): Promise<void> => vi.waitFor(() => expect(seen).toBeGreaterThan(after), 2000);

  afterEach(async () => {
    stop.abort();
    await ended;
  });

  it('tells of changed, new, renamed and removed files within two seconds', async () => {
    await task('one');
    await watch();
    await write('one/main.js', '(function () { return 2; })');
    await next(1);
    await task('two');
    await next(2);
    expect(await names()).toEqual(['one', 'two']);
    await rename(join(root, 'two'), join(root, 'three'));
    await next(3);
    expect(await names()).toEqual(['one', 'three']);
    await rm(join(root, 'one'), { recursive: true });
    await next(4);
    expect(await names()).toEqual(['three']);
  });

  it('waits until a file that is being written came to rest', async () => {
    await task('one');
    await watch();
    for (let i = 0; i < 10; i++) {
      await appendFile(join(root, 'one', 'main.js'), `// ${i}\n`);
      await new Promise((resolve) => setTimeout(resolve, 40));
      expect(seen).toBe(1);
    }
    await next(1);
    expect((await source.list()).tasks[0]?.code).toContain('// 9');
  });

  it('tells of changes behind a link, and takes no notice of hidden files', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'ratchet-outside-'));
    try {
      await mkdir(join(outside, 'linked'));
      await writeFile(join(outside, 'linked', 'metadata.json'), '{}');
      await writeFile(join(outside, 'linked', 'main.js'), '1');
      await symlink(join(outside, 'linked'), join(root, 'linked'));
      await symlink(root, join(root, 'loop'));
      await watch();
      await write('.git/index', 'x');
      await write('node_modules/a/b.js', 'x');
      await writeFile(join(outside, 'linked', 'main.js'), '2');
      await next(1);
      expect((await source.list()).tasks[0]?.code).toBe('2');
    } finally {
      await rm(outside, { recursive: true, force: true });
    }
  });

  it('begins when the folder comes to be', async () => {
    const later = join(root, 'later');
    source = folderSource({ name: 'later', root: later });
    await watch();
    await task('later/one');
    await next(1);
    expect(await names()).toEqual(['one']);
  });
});

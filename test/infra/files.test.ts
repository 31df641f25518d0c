import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFiles } from '../../infra/files.ts';

let base: string;
let data: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'ratchet-files-'));
  data = join(base, 'data');
  await mkdir(join(data, 'deep'), { recursive: true });
  await writeFile(join(data, 'a.csv'), 'a,b\n1,2\n');
  await writeFile(join(data, 'deep', 'b.txt'), 'deep');
  await writeFile(join(base, 'secret.txt'), 'secret');
  await mkdir(join(base, 'data-other'));
  await writeFile(join(base, 'data-other', 'c.txt'), 'other');
});

afterEach(() => rm(base, { recursive: true, force: true }));

const text = async (path: string, roots = [data], max = 1000): Promise<string> =>
  Buffer.from(await openFiles(roots).read(path, max)).toString();

describe('files of tasks', () => {
  it('reads a relative path below a root, and an absolute one inside it', async () => {
    expect(await text('a.csv')).toBe('a,b\n1,2\n');
    expect(await text('deep/../deep/b.txt')).toBe('deep');
    expect(await text(join(data, 'a.csv'))).toBe('a,b\n1,2\n');
  });

  it('tries the roots in order', async () => {
    await writeFile(join(base, 'data-other', 'a.csv'), 'second');
    expect(await text('a.csv', [data, join(base, 'data-other')])).toBe('a,b\n1,2\n');
    expect(await text('c.txt', [data, join(base, 'data-other')])).toBe('other');
  });

  it.each(['../secret.txt', 'deep/../../secret.txt', '../data-other/c.txt', '/etc/passwd', '../does-not-exist'])(
    'refuses %s, which is outside, the same whether or not it exists',
    async (path) => {
      await expect(text(path)).rejects.toMatchObject({ code: 'file_refused' });
    },
  );

  it('refuses a link that leads out, and follows one that stays inside', async () => {
    await symlink(join(base, 'secret.txt'), join(data, 'out.txt'));
    await symlink(base, join(data, 'up'));
    await symlink(join(data, 'a.csv'), join(data, 'in.csv'));
    await expect(text('out.txt')).rejects.toMatchObject({ code: 'file_refused' });
    await expect(text('up/secret.txt')).rejects.toMatchObject({ code: 'file_refused' });
    expect(await text('in.csv')).toBe('a,b\n1,2\n');
    expect(await text('up/data/a.csv')).toBe('a,b\n1,2\n');
  });

  it('works below a root that is itself a link', async () => {
    await symlink(data, join(base, 'linked'));
    expect(await text('a.csv', [join(base, 'linked')])).toBe('a,b\n1,2\n');
    expect(await text(join(base, 'linked', 'a.csv'), [join(base, 'linked')])).toBe('a,b\n1,2\n');
  });

  it('refuses folders, pipes and devices without waiting for them', async () => {
    execFileSync('mkfifo', [join(data, 'pipe')]);
    await symlink('/dev/zero', join(data, 'zero'));
    for (const path of ['deep', 'pipe', 'zero']) {
      await expect(text(path)).rejects.toMatchObject({ code: 'file_refused' });
    }
    await expect(text('/dev/zero', ['/dev'])).rejects.toMatchObject({ code: 'file_refused' });
  });

  it('refuses a file above the limit, also one whose size is not known beforehand', async () => {
    expect(await text('a.csv', [data], 8)).toHaveLength(8);
    await expect(text('a.csv', [data], 7)).rejects.toMatchObject({ code: 'body_too_large', details: { limit: 7 } });
    await expect(text('/proc/cpuinfo', ['/proc'], 10)).rejects.toMatchObject({ code: 'body_too_large' });
  });

  it('tells a missing file below a root, and refuses everything without roots', async () => {
    await expect(text('nothing.csv')).rejects.toMatchObject({ code: 'not_found' });
    await expect(text('a.csv', [])).rejects.toMatchObject({ code: 'file_refused' });
    await expect(text('a\0.csv')).rejects.toMatchObject({ code: 'file_refused' });
  });
});

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openOutbound } from '../../../infra/outbound.ts';
import { openTaskSource, type SourceSettings } from '../../../infra/sources/open.ts';
import { UNPACK_BOUNDS, type UnpackBounds } from '../../../infra/sources/unpacking.ts';
import type { SourceListing } from '../../../src/ports/task-source.ts';
import { type OpenedDeps, sourceDeps } from '../../contracts/task-source.ts';
import { announcing, tarOf, tarOfEntries, taskFilesOf, zipOf, zipWithLink } from '../../support/archives.ts';
import { type ByteServer, serveBytes } from '../../support/byte-server.ts';

let opened: OpenedDeps;
let server: ByteServer;

beforeEach(async () => {
  opened = await sourceDeps();
  server = await serveBytes();
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

const SMALL: UnpackBounds = { archiveBytes: 64 * 1024, unpackedBytes: 128 * 1024, entries: 50, pathBytes: 100 };
const remote = (more: Partial<SourceSettings> = {}, extension = 'zip') =>
  openTaskSource({ name: 'team', root: `${server.url}/pack.${extension}`, watch: false, ...more }, opened.deps);
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Lists an archive file of these bytes. */
async function listed(extension: string, bytes: Buffer, bounds = UNPACK_BOUNDS): Promise<SourceListing> {
  const root = join(opened.folder, `pack.${extension}`);
  writeFileSync(root, bytes);
  return openTaskSource({ name: 'team', root, watch: false }, { ...opened.deps, bounds }).list();
}

/** Everything below the folder of the test that is no folder. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
}

describe('an archive', () => {
  const EVIL = [
    '../evil.txt',
    'a/../../evil.txt',
    '/evil.txt',
    'C:/evil.txt',
    'C:evil.txt',
    '..\\evil.txt',
    'a\\b.txt',
    'a//b',
    'x'.repeat(600),
  ];

  it.each(EVIL)('whose zip entry is named %s is refused and writes nothing', async (name) => {
    await expect(listed('zip', zipOf({ ...taskFilesOf('good'), [name]: 'x' }))).rejects.toMatchObject({
      code: 'source_refused',
      message: expect.stringContaining(
        `pack.zip is not taken: the entry "${name.slice(0, 10).replaceAll('\\', '\\\\')}`,
      ),
    });
    expect(filesBelow(opened.folder)).toEqual(['pack.zip']);
  });

  it.each(EVIL)('whose tar entry is named %s is refused and writes nothing', async (name) => {
    const tar = await tarOf({ ...taskFilesOf('good'), [name]: 'x' });
    await expect(listed('tar.gz', tar)).rejects.toMatchObject({ code: 'source_refused' });
    expect(filesBelow(opened.folder)).toEqual(['pack.tar.gz']);
  });

  it('with a NUL in a name, or the same name twice, is refused', async () => {
    await expect(listed('zip', zipOf({ 'a\0b': 'x' }))).rejects.toThrow('has a NUL in its path');
    const twice = await tarOfEntries([{ header: { name: 'a' } }, { header: { name: 'a' } }]);
    await expect(listed('tar.gz', twice)).rejects.toThrow('the entry "a" is there twice');
  });

  it('with a link or a device is refused', async () => {
    await expect(listed('zip', zipWithLink('out', '/etc/passwd'))).rejects.toThrow('the entry "out" is a link');
    for (const type of ['symlink', 'link'] as const) {
      const tar = await tarOfEntries([{ header: { name: 'out', type, linkname: '/etc/passwd' } }]);
      await expect(listed('tgz', tar)).rejects.toThrow('the entry "out" is a link');
    }
    const device = await tarOfEntries([{ header: { name: 'dev', type: 'character-device' } }]);
    await expect(listed('tgz', device)).rejects.toThrow('the entry "dev" is neither a file nor a folder');
  });

  it('that unpacks to too much is refused while it is unpacked', async () => {
    const bomb = { 'a.txt': '0'.repeat(1024 * 1024) };
    await expect(listed('zip', zipOf(bomb), SMALL)).rejects.toThrow('more than 131072 bytes when unpacked');
    await expect(listed('tar.gz', await tarOf(bomb), SMALL)).rejects.toThrow(/more than \d+ bytes when/);
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`f${index}`, '']));
    await expect(listed('zip', zipOf(many), SMALL)).rejects.toThrow('more than 50 files and folders');
    await expect(listed('tar.gz', await tarOf(many), SMALL)).rejects.toThrow('more than 50 files and folders');
  });

  it('whose entry is larger or smaller than it says is refused', async () => {
    const zip = zipOf({ 'a.txt': '0'.repeat(1024 * 1024) });
    await expect(listed('zip', announcing(zip, 10), SMALL)).rejects.toThrow('the entry "a.txt" is larger than it says');
    await expect(listed('zip', announcing(zip, 1024 * 1024 + 1))).rejects.toThrow('the entry "a.txt" is damaged');
  });

  it('that is too large, damaged or none at all is refused', async () => {
    const zip = zipOf(taskFilesOf('one'));
    const flipped = Buffer.from(zip).fill(0xff, 60, 70);
    await expect(listed('zip', Buffer.alloc(70_000), SMALL)).rejects.toThrow('is larger than 65536 bytes');
    await expect(listed('zip', Buffer.from('hello'))).rejects.toThrow('not a zip archive');
    await expect(listed('zip', zip.subarray(0, 80))).rejects.toThrow('not a zip archive, or cut short');
    await expect(listed('zip', flipped)).rejects.toThrow('is damaged');
    await expect(listed('tar.gz', Buffer.from('hello'))).rejects.toThrow('not a gzipped tar archive, or damaged');
    const tar = await tarOf(taskFilesOf('one'));
    await expect(listed('tar.gz', tar.subarray(0, tar.length - 12))).rejects.toMatchObject({ code: 'source_refused' });
  });

  it('of a single task gives it the name of the archive, of an outer folder that of the folder', async () => {
    const [flat, outer] = [zipOf({ 'main.js': '1', 'input.schema.json': '{}' }), zipOf(taskFilesOf('csv-parser'))];
    expect((await listed('zip', flat)).tasks.map(({ name }) => name)).toEqual(['pack']);
    expect((await listed('zip', outer)).tasks.map(({ name }) => name)).toEqual(['csv-parser']);
  });

  it('gives the tasks of one folder inside, and says when that is not there', async () => {
    server.put(zipOf({ ...taskFilesOf('repo-main/team/a'), ...taskFilesOf('repo-main/other/b') }));
    expect((await remote({ folder: 'team' }).list()).tasks.map(({ name }) => name)).toEqual(['a']);
    await expect(remote({ folder: 'nowhere' }).list()).rejects.toThrow('pack.zip holds no folder nowhere');
  });
});

describe('an archive that is fetched', () => {
  it('is not fetched again while its server says that it is unchanged', async () => {
    server.put(zipOf(taskFilesOf('one')));
    const source = remote();
    const first = await source.list();
    expect(await source.list()).toEqual(first);
    expect(server.answered).toEqual([200, 304]);
    // A new process knows it too.
    expect((await remote().list()).revision).toBe(first.revision);
    expect(server.answered).toEqual([200, 304, 304]);
  });

  it('with another checksum than asked for is refused with both, and with the right one asked for just once', async () => {
    const zip = zipOf(taskFilesOf('one'));
    server.put(zip);
    const wrong = 'a'.repeat(64);
    await expect(remote({ sha256: wrong }).list()).rejects.toMatchObject({
      code: 'source_refused',
      message: expect.stringContaining(`has the SHA-256 ${sha256(zip)}, but ${wrong} is asked for`),
    });
    const right = remote({ sha256: sha256(zip).toUpperCase() });
    expect((await right.list()).revision).toBe(sha256(zip));
    await right.list();
    expect(server.answered).toHaveLength(2);
    // The copy is not what is asked for now.
    await expect(remote({ sha256: wrong }).list()).rejects.toMatchObject({ code: 'source_refused' });
  });

  it('stays as it was while its server is away or sends rubbish, and the reason is told', async () => {
    server.put(zipOf(taskFilesOf('one')));
    const good = await remote().list();
    server.answer(503);
    const since = '2026-01-01T00:00:00.000Z';
    const away = await remote().list();
    expect(away.stale).toEqual({
      reason: expect.stringMatching(/pack\.zip can not be read: its server answers 503/),
      since,
    });
    expect({ ...away, stale: null }).toEqual(good);
    server.answer(200);
    server.put(Buffer.from('rubbish'));
    expect((await remote().list()).stale?.reason).toContain('not a zip archive');
    server.put(zipOf(taskFilesOf('two')));
    expect(await remote().list()).toMatchObject({ tasks: [{ name: 'two' }], stale: null });
  });

  it('that never came says why', async () => {
    server.answer(404);
    await expect(remote().list()).rejects.toMatchObject({
      code: 'source_unavailable',
      message: `${server.url}/pack.zip can not be read: its server answers 404 Not Found; if it is not public, set username and token of the source`,
    });
    server.answer(200);
    server.put(Buffer.alloc(100_000));
    const small = openTaskSource(
      { name: 'team', root: `${server.url}/pack.zip`, watch: false },
      { ...opened.deps, bounds: SMALL },
    );
    await expect(small.list()).rejects.toMatchObject({
      code: 'source_refused',
      message: expect.stringContaining('65536 bytes'),
    });
  });

  it('is not asked of a private address that nobody allowed', async () => {
    const outbound = openOutbound({ allow: [] });
    const source = openTaskSource(
      { name: 'team', root: `${server.url}/pack.zip`, watch: false },
      { ...opened.deps, outbound },
    );
    await expect(source.list()).rejects.toMatchObject({
      code: 'address_refused',
      message: expect.stringContaining('loopback'),
    });
    expect(server.requests).toHaveLength(0);
    await outbound.close();
  });

  it('gets its credentials, which are told nowhere', async () => {
    server.answer(401);
    const root = server.url.replace('http://', 'http://someone:hunter2@');
    const source = openTaskSource({ name: 'team', root: `${root}/pack.zip?sig=hunter2`, watch: false }, opened.deps);
    const refusal: unknown = await source.list().catch((error: unknown) => error);
    expect(String(refusal)).toContain('answers 401');
    expect(`${String(refusal)} ${source.address}`).not.toMatch(/hunter2|someone/);
    expect(server.requests[0]?.url).toBe('/pack.zip?sig=hunter2');
    expect(server.requests[0]?.headers.authorization).toBe(`Basic ${btoa('someone:hunter2')}`);
    await remote({ token: 'hunter3' })
      .list()
      .catch(() => undefined);
    expect(server.requests[1]?.headers.authorization).toBe('Bearer hunter3');
  });

  it('is looked at again and again when an interval is set', async () => {
    server.put(zipOf(taskFilesOf('one')));
    const stop = new AbortController();
    const thrice = Promise.withResolvers<void>();
    let looks = 0;
    const watching = remote({ pollMs: 1 }).watch(() => {
      looks += 1;
      if (looks === 3) thrice.resolve();
    }, stop.signal);
    await thrice.promise;
    stop.abort();
    await watching;
  });
});

describe('the copies of a source', () => {
  it('keep the one before and no more, and what a crash left is removed at the next start', async () => {
    for (const name of ['one', 'two', 'three', 'four']) {
      server.put(zipOf(taskFilesOf(name)));
      await remote().list();
    }
    const place = join(opened.folder, 'copies', readdirSync(join(opened.folder, 'copies'))[0] ?? '');
    const names = () => readdirSync(place).map((name) => name.replace(/-.*/, ''));
    expect(names().sort()).toEqual(['copy', 'copy', 'current.json']);
    const [mine, dead, alive] = [process.pid, 2 ** 22 + 1, process.ppid].map((pid) => join(place, `part-${pid}-left`));
    for (const part of [mine, dead, alive]) mkdirSync(part ?? '');
    remote();
    expect([mine, dead, alive].map((part) => existsSync(part ?? ''))).toEqual([false, false, true]);
  });

  it('that are gone are made again', async () => {
    server.put(zipOf(taskFilesOf('one')));
    await remote().list();
    const place = join(opened.folder, 'copies', readdirSync(join(opened.folder, 'copies'))[0] ?? '');
    writeFileSync(join(place, 'current.json'), '{"copy":"../../elsewhere"}');
    expect((await remote().list()).tasks.map(({ name }) => name)).toEqual(['one']);
    expect(server.answered).toEqual([200, 200]);
  });
});

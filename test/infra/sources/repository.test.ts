import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openOutbound } from '../../../infra/outbound.ts';
import { openTaskSource, type SourceSettings } from '../../../infra/sources/open.ts';
import { type OpenedDeps, sourceDeps } from '../../contracts/task-source.ts';
import { taskFilesOf } from '../../support/archives.ts';
import { type GitServer, hasGit, startGitServer, WITHOUT_GIT } from '../../support/git-server.ts';

describe.skipIf(!hasGit)(`a repository${WITHOUT_GIT}`, () => {
  let opened: OpenedDeps;
  let server: GitServer;
  beforeEach(async () => {
    opened = await sourceDeps();
    server = await startGitServer();
  });
  afterEach(async () => {
    await server[Symbol.asyncDispose]();
    await opened[Symbol.asyncDispose]();
  });

  const source = (more: Partial<SourceSettings> = {}) =>
    openTaskSource({ name: 'team', root: server.url, watch: false, ...more }, opened.deps);
  const names = async (more: Partial<SourceSettings> = {}): Promise<string[]> =>
    (await source(more).list()).tasks.map(({ name }) => name);

  it('is followed on its default branch, with the commit told', async () => {
    const commit = server.commit(taskFilesOf('tasks/one'));
    expect(await source().list()).toMatchObject({ revision: commit, branch: 'main', tasks: [{ name: 'one' }] });
  });

  it('is followed on a branch, at a tag of either kind, or at a commit', async () => {
    const first = server.commit(taskFilesOf('tasks/one'));
    server.tag('v1', false);
    server.tag('v1-signed', true);
    const second = server.commit(taskFilesOf('tasks/two'), 'feature/next');
    server.commit(taskFilesOf('tasks/three'));
    for (const ref of ['v1', 'v1-signed', 'refs/tags/v1']) {
      expect(await source({ ref }).list()).toMatchObject({ revision: first, branch: null, tasks: [{ name: 'one' }] });
    }
    for (const ref of ['feature/next', 'refs/heads/feature/next']) {
      expect(await source({ ref }).list()).toMatchObject({ revision: second, branch: 'feature/next' });
    }
    expect(await source({ ref: second }).list()).toMatchObject({ revision: second, branch: null });
    expect(await names()).toEqual(['three']);
    await expect(source({ ref: 'nowhere' }).list()).rejects.toMatchObject({
      code: 'not_found',
      message: `there is no branch, tag or full commit nowhere in ${server.url}`,
    });
  });

  it('is not fetched again while its branch stays, and a commit not even asked for', async () => {
    const commit = server.commit(taskFilesOf('tasks/one'));
    await names();
    const fetches = () => server.requests.filter((request) => request.startsWith('POST')).length;
    const before = fetches();
    await names();
    // The second POST only lists refs.
    expect(fetches()).toBe(before + 1);
    await names({ ref: commit });
    const asked = server.requests.length;
    await names({ ref: commit });
    expect(server.requests).toHaveLength(asked);
  });

  it('may be read in one of its folders, and says when that is not there', async () => {
    server.commit({ ...taskFilesOf('team/a'), ...taskFilesOf('other/b') });
    expect(await names({ folder: 'team' })).toEqual(['a']);
    await expect(source({ folder: 'nowhere' }).list()).rejects.toMatchObject({
      code: 'source_refused',
      message: `${server.url} holds no folder nowhere`,
    });
  });

  it('keeps links out of its copy, and all of Git', async () => {
    server.commit(taskFilesOf('tasks/one'));
    server.link('tasks/out', '/etc');
    expect(await names()).toEqual(['one']);
    const copies = join(opened.folder, 'copies');
    const found = readdirSync(copies, { recursive: true, encoding: 'utf8' }).filter((name) =>
      statSync(join(copies, name)).isFile(),
    );
    const files = new Set(found.map((name) => name.split('/').at(-1)));
    expect(files).toEqual(new Set(['current.json', 'main.js', 'metadata.json']));
  });

  it('stays as it was while its server is away, and the reason is told', async () => {
    const commit = server.commit(taskFilesOf('tasks/one'));
    await names();
    server.away(true);
    expect(await source().list()).toMatchObject({
      revision: commit,
      branch: 'main',
      tasks: [{ name: 'one' }],
      stale: { reason: expect.stringContaining('its server answers 503'), since: '2026-01-01T00:00:00.000Z' },
    });
    server.away(false);
    server.commit(taskFilesOf('tasks/two'));
    expect(await source().list()).toMatchObject({ tasks: [{ name: 'two' }], stale: null });
  });

  it('that holds more than is taken, or nothing, is refused', async () => {
    await expect(source().list()).rejects.toMatchObject({ code: 'not_found' });
    server.commit({ ...taskFilesOf('tasks/one'), 'big.txt': '0'.repeat(100_000) });
    const bounds = { archiveBytes: 64 * 1024, unpackedBytes: 50_000, entries: 50, pathBytes: 100 };
    const settings = { name: 'team', root: server.url, watch: false };
    // What lies beside the folder has been sent, too.
    for (const folder of [null, 'tasks']) {
      await expect(openTaskSource({ ...settings, folder }, { ...opened.deps, bounds }).list()).rejects.toMatchObject({
        code: 'source_refused',
        message: `${server.url} is not taken: more than 50000 bytes when unpacked`,
      });
    }
  });

  it('gets its credentials, which are told and kept nowhere', async () => {
    server.commit(taskFilesOf('tasks/one'));
    server.demand(`Basic ${btoa('git:hunter2')}`);
    await expect(source().list()).rejects.toMatchObject({
      message: `${server.url} can not be read: its server answers 401 Unauthorized; if it is not public, set username and token of the source`,
    });
    expect(await names({ token: 'hunter2' })).toEqual(['one']);
    const inAddress = source({ root: `git+${server.url.replace('http://', 'http://git:hunter2@')}` });
    expect((await inAddress.list()).tasks).toHaveLength(1);
    expect(inAddress.address).toBe(`git+${server.url}`);
    server.demand('another');
    const refused = await source({ token: 'hunter2' }).list();
    expect(JSON.stringify(refused)).not.toContain('hunter2');
    const copies = join(opened.folder, 'copies');
    for (const name of readdirSync(copies, { recursive: true, encoding: 'utf8' })) {
      const path = join(copies, name);
      if (statSync(path).isFile()) expect(readFileSync(path, 'utf8')).not.toContain('hunter2');
    }
  });

  it('that has moved is followed to its new server, its credentials are not', async () => {
    server.commit(taskFilesOf('tasks/one'));
    const mover = createServer((request, response) => {
      response.writeHead(301, { location: `${server.url}${request.url?.replace('/old.git', '') ?? ''}` }).end();
    });
    await new Promise<void>((resolve) => mover.listen(0, '127.0.0.1', resolve));
    const { port } = mover.address() as AddressInfo;
    expect(await names({ root: `http://127.0.0.1:${port}/old.git`, token: 'hunter2' })).toEqual(['one']);
    expect(new Set(server.authorizations)).toEqual(new Set([undefined]));
    await new Promise((resolve) => mover.close(resolve));
  });

  it('is not asked of a private address that nobody allowed', async () => {
    const outbound = openOutbound({ allow: [] });
    const guarded = openTaskSource({ name: 'team', root: server.url, watch: false }, { ...opened.deps, outbound });
    await expect(guarded.list()).rejects.toMatchObject({ code: 'address_refused' });
    expect(server.requests).toHaveLength(0);
    await outbound.close();
  });
});

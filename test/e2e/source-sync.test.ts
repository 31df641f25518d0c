/** Sources that are elsewhere, in the whole server: published with their revision, synced by webhook, told without credentials. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { taskFilesOf, zipOf } from '../support/archives.ts';
import { type ByteServer, serveBytes } from '../support/byte-server.ts';
import { deliveries } from '../support/deliveries.ts';
import { type GitServer, hasGit, startGitServer, WITHOUT_GIT } from '../support/git-server.ts';
import { call, eventually, type Home, openHome, type ServerProcess, startServerProcess } from '../support/server.ts';

const SECRET = 'a secret that both know';
const API = '/api/v1';
let home: Home;
let server: ServerProcess;
let archive: ByteServer;

beforeEach(async () => {
  home = openHome();
  archive = await serveBytes();
  archive.put(zipOf(taskFilesOf('one')));
});
afterEach(async () => {
  await server.stop();
  await archive[Symbol.asyncDispose]();
  home[Symbol.dispose]();
});

const start = async (source: string): Promise<void> => {
  server = await startServerProcess(home, {
    env: { TEAM_TOKEN: 'hunter2' },
    more: `registry:
  sources: [{ name: team, ${source} }]
webhooks:
  github: { provider: github, secret: "${SECRET}", source: team }
  shop: { secret: "${SECRET}", source: team }
`,
  });
};
const source = async (): Promise<Record<string, unknown>> => {
  const { body } = await call(server.url, 'GET', `${API}/sources`);
  const [only] = body['sources'] as Record<string, unknown>[];
  return only ?? {};
};
const taskThere = (name: string, version = 1) =>
  eventually(`version ${version} of ${name} is published`, async () => {
    const { status, body } = await call(server.url, 'GET', `${API}/tasks/${name}`);
    return status === 200 && body['version'] === version ? body : undefined;
  });

describe('an archive that a webhook syncs', () => {
  it('is read at the start and after each delivery, once for each id', async () => {
    await start(`uri: "${archive.url}/team.zip"`);
    const revision = (await source())['revision'];
    expect(await taskThere('one')).toMatchObject({ source: 'team', revision });
    expect(revision).toMatch(/^[0-9a-f]{64}$/);

    archive.put(zipOf({ ...taskFilesOf('one', '(function () { return 2; })'), ...taskFilesOf('two') }));
    const { generic } = deliveries(server.url, SECRET);
    expect(await generic('shop', { n: 1 }, 'd-1')).toEqual({
      status: 202,
      body: { status: 'syncing', source: 'team' },
    });
    await taskThere('two');
    const now = (await source())['revision'];
    const { body } = await call(server.url, 'GET', `${API}/tasks/one/versions`);
    expect(body['versions']).toMatchObject([
      { version: 2, revision: now },
      { version: 1, revision },
    ]);
    const asked = await call(server.url, 'POST', '/graphql', {
      query: `{ task(taskId: "${String((await taskThere('one', 2))['id'])}") { revision versions { edges { node { version revision } } } } listSources }`,
    });
    expect(asked.body).toMatchObject({
      data: {
        task: { revision: now, versions: { edges: [{ node: { revision: now } }, { node: { revision } }] } },
        listSources: { sources: [{ name: 'team', revision: now }] },
      },
    });

    const requests = archive.requests.length;
    expect((await generic('shop', { n: 1 }, 'd-1')).body).toEqual({ status: 'duplicate', source: 'team' });
    expect((await generic('shop', { n: 2 }, 'd-1')).body).toMatchObject({ code: 'idempotency_mismatch' });
    expect(archive.requests).toHaveLength(requests);
  });

  it('keeps running on its last good copy, also after a restart, and tells why', async () => {
    await start(`uri: "${archive.url}/team.zip"`);
    const { revision } = await source();
    await server.stop();
    archive.answer(503);
    await start(`uri: "${archive.url}/team.zip"`);
    expect(await source()).toMatchObject({
      status: 'last good copy',
      revision,
      tasks: 1,
      error: expect.stringMatching(
        /team\.zip can not be read: its server answers 503.*; the copy of 20.* stays in use/,
      ),
    });
  });

  it('is taken only with the checksum that is asked for', async () => {
    await start(`uri: "${archive.url}/team.zip", sha256: "${'a'.repeat(64)}"`);
    expect(await source()).toMatchObject({
      tasks: 0,
      error: expect.stringContaining(`${'a'.repeat(64)} is asked for`),
    });
  });

  it('gets its token, which nobody else sees', async () => {
    archive.answer(401);
    await start(
      `uri: "${archive.url.replace('http://', 'http://someone:hunter3@')}/team.zip?sig=hunter4", token: "\${TEAM_TOKEN}"`,
    );
    expect(archive.requests[0]?.headers.authorization).toBe(`Basic ${btoa('someone:hunter2')}`);
    expect(await source()).toMatchObject({ uri: `${archive.url}/team.zip`, status: 'unreadable', tasks: 0 });
    const answers = await Promise.all(
      ['/health', `${API}/sources`, `${API}/events`].map(async (path) => (await call(server.url, 'GET', path)).body),
    );
    await server.stop();
    expect(`${JSON.stringify(answers)}${server.stdout()}${server.stderr()}`).not.toMatch(/hunter|someone/);
  });
});

describe.skipIf(!hasGit)(`a repository that GitHub tells of${WITHOUT_GIT}`, () => {
  let git: GitServer;
  beforeEach(async () => {
    git = await startGitServer();
  });
  afterEach(() => git[Symbol.asyncDispose]());

  it('is synced by a push to its branch and by nothing else', async () => {
    const first = git.commit(taskFilesOf('tasks/one'));
    await start(`uri: "git+${git.url}"`);
    expect(await source()).toMatchObject({ status: 'ok', branch: 'main', revision: first });
    const before = git.requests.length;
    const { github } = deliveries(server.url, SECRET);
    const told = async (event: string, payload: object, id: string) =>
      (await github('github', event, payload, id)).body;

    expect(await told('ping', { zen: 'x' }, 'p')).toEqual({ status: 'pong', source: 'team' });
    expect(await told('issues', {}, 'i')).toEqual({
      status: 'ignored',
      source: 'team',
      reason: 'only push syncs, not issues',
    });
    expect(await told('push', { ref: 'refs/heads/other' }, 'o')).toMatchObject({
      status: 'ignored',
      reason: 'refs/heads/other was pushed, and refs/heads/main is followed',
    });
    expect(await told('push', { ref: 'refs/heads/main', deleted: true }, 'd')).toMatchObject({ status: 'ignored' });
    expect(await told('push', {}, 'n')).toMatchObject({ status: 'ignored', reason: 'the push names no ref' });
    expect(git.requests).toHaveLength(before);

    const second = git.commit(taskFilesOf('tasks/one', '(function () { return 2; })'));
    expect(await told('push', { ref: 'refs/heads/main' }, 'm')).toEqual({ status: 'syncing', source: 'team' });
    expect(await taskThere('one', 2)).toMatchObject({ revision: second });
    expect((await github('github', 'push', { ref: 'refs/heads/main' }, 'x')).status).toBe(202);
  });

  it('is looked at by itself where an interval is set, on the ref, in the folder and for the user that are named', async () => {
    git.commit({ ...taskFilesOf('team/one'), ...taskFilesOf('other/no') }, 'stable');
    git.commit(taskFilesOf('team/never'));
    git.demand(`Basic ${btoa('bot:hunter2')}`);
    const user = 'username: bot, token: "${TEAM_TOKEN}"';
    await start(`uri: "git+${git.url}", ref: stable, folder: team, ${user}, poll_interval: "1s"`);
    expect(await source()).toMatchObject({ status: 'ok', ref: 'stable', branch: 'stable', tasks: 1 });
    git.commit(taskFilesOf('team/two'), 'stable');
    await taskThere('two');
  });
});

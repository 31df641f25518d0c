import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe } from 'vitest';
import { type SourceSubject, taskSourceContract } from '../../contracts/task-source.ts';
import { type Files, tarOf, zipOf } from '../../support/archives.ts';
import { serveBytes } from '../../support/byte-server.ts';
import { hasGit, startGitServer, WITHOUT_GIT } from '../../support/git-server.ts';

const SHA256 = /^[0-9a-f]{64}$/;

taskSourceContract('a folder', async (folder): Promise<SourceSubject> => {
  const root = join(folder, 'source');
  return {
    settings: { root, watch: false },
    revision: null,
    put: async (files) => {
      await rm(root, { recursive: true, force: true });
      for (const [path, content] of Object.entries(files)) {
        await mkdir(dirname(join(root, path)), { recursive: true });
        await writeFile(join(root, path), content);
      }
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
});

const PACKERS = { zip: async (files: Files) => zipOf(files), 'tar.gz': tarOf, tgz: tarOf };

for (const [extension, packed] of Object.entries(PACKERS)) {
  taskSourceContract(`a ${extension} file`, async (folder): Promise<SourceSubject> => {
    const root = join(folder, `pack.${extension}`);
    return {
      settings: { root, watch: false },
      revision: SHA256,
      put: async (files) => writeFile(root, await packed(files)),
      [Symbol.asyncDispose]: async () => undefined,
    };
  });

  taskSourceContract(`a ${extension} that is fetched`, async (): Promise<SourceSubject> => {
    const server = await serveBytes();
    return {
      settings: { root: `${server.url}/pack.${extension}`, watch: false },
      revision: SHA256,
      put: async (files) => server.put(await packed(files)),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });
}

describe.skipIf(!hasGit)(`with a git server${WITHOUT_GIT}`, () => {
  taskSourceContract('a repository', async (): Promise<SourceSubject> => {
    const server = await startGitServer();
    return {
      settings: { root: server.url, watch: false },
      revision: /^[0-9a-f]{40}$/,
      put: async (files) => void server.commit(files),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });
});

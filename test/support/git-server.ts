/** A repository of its own behind `git http-backend`, served over HTTP, for tests of what speaks Git. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Files } from './archives.ts';

/** Whether the `git` program with its HTTP backend is here. */
export const hasGit: boolean = ((): boolean => {
  const found = spawnSync('git', ['--exec-path'], { encoding: 'utf8' });
  return found.status === 0 && spawnSync(join(found.stdout.trim(), 'git-http-backend')).error === undefined;
})();

/** What to read where the tests are skipped. */
export const WITHOUT_GIT = hasGit ? '' : ' (skipped: install git with its http-backend to run these)';

export interface GitServer extends AsyncDisposable {
  /** Of the repository. */
  readonly url: string;
  /** Adds the files as a commit on a branch, replacing all that was there; answers the commit. */
  commit(files: Files, branch?: string): string;
  /** Adds a link to the files of the branch. */
  link(path: string, target: string): string;
  tag(name: string, annotated: boolean): void;
  /** Requests so far, as `METHOD path`. */
  readonly requests: string[];
  /** Headers of the requests. */
  readonly authorizations: (string | undefined)[];
  /** From now on only this header gets in. */
  demand(authorization: string): void;
  /** Answers 503 to everything, or no longer. */
  away(isAway: boolean): void;
}

/** Serves an empty repository whose default branch is `main`, at `/team/tasks.git`. */
export async function startGitServer(): Promise<GitServer> {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-git-'));
  const work = join(folder, 'work');
  const bare = join(folder, 'team', 'tasks.git');
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'a',
    GIT_AUTHOR_EMAIL: 'a@b',
    GIT_COMMITTER_NAME: 'a',
    GIT_COMMITTER_EMAIL: 'a@b',
  };
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: work, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  mkdirSync(work);
  git('init', '-q', '-b', 'main', '.');
  git('init', '-q', '--bare', '-b', 'main', bare);
  git('remote', 'add', 'origin', bare);
  const requests: string[] = [];
  const authorizations: (string | undefined)[] = [];
  let demanded: string | null = null;
  let isAway = false;
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    authorizations.push(request.headers.authorization);
    const status = isAway ? 503 : demanded !== null && request.headers.authorization !== demanded ? 401 : 200;
    if (status !== 200) return void response.writeHead(status).end();
    backend(request, response, folder, env);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const pushed = (branch: string): string => {
    git('commit', '-q', '--allow-empty', '-m', 'change');
    git('push', '-q', '-f', 'origin', `HEAD:refs/heads/${branch}`);
    return git('rev-parse', 'HEAD');
  };
  return {
    url: `http://127.0.0.1:${port}/team/tasks.git`,
    requests,
    authorizations,
    commit: (files, branch = 'main') => {
      git('rm', '-r', '-q', '-f', '--ignore-unmatch', '.');
      for (const [path, content] of Object.entries(files)) {
        mkdirSync(dirname(join(work, path)), { recursive: true });
        writeFileSync(join(work, path), content);
      }
      git('add', '-A');
      return pushed(branch);
    },
    link: (path, target) => {
      symlinkSync(target, join(work, path));
      git('add', '-A');
      return pushed('main');
    },
    tag: (name, annotated) => {
      git('tag', ...(annotated ? ['-a', '-m', name] : []), name);
      git('push', '-q', 'origin', name);
    },
    demand: (authorization) => void (demanded = authorization),
    away: (now) => void (isAway = now),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One request by the CGI rules: variables in, a head of lines and the body out. */
function backend(request: IncomingMessage, response: ServerResponse, root: string, env: Record<string, string>): void {
  const { pathname, search } = new URL(request.url ?? '/', 'http://x');
  const child = spawn('git', ['http-backend'], {
    env: {
      ...env,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      REQUEST_METHOD: request.method ?? 'GET',
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  request.pipe(child.stdin);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.on('close', () => {
    const answer = Buffer.concat(chunks);
    const end = answer.indexOf('\r\n\r\n');
    const head = answer.subarray(0, end).toString().split('\r\n');
    const status = head.find((line) => line.startsWith('Status: '));
    for (const line of head) {
      const [name = '', ...value] = line.split(': ');
      if (name !== 'Status') response.setHeader(name, value.join(': '));
    }
    response.writeHead(Number(status?.slice(8, 11) ?? 200)).end(answer.subarray(end + 4));
  });
}

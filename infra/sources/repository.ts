/** A task source that is a Git repository: one commit of it is fetched, without history, and its files kept as a copy. */
import fs from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type * as isomorphicGit from 'isomorphic-git';
import type { HttpClient, ServerRef } from 'isomorphic-git';
import { isRatchetError, RatchetError } from '../../src/domain/errors.ts';
import type { Copy, SourceCopies } from './copies.ts';
import { gitHttp } from './git-http.ts';
import type { Remote } from './remote.ts';
import { refusedContent, type UnpackBounds, Unpacking } from './unpacking.ts';

/** Milliseconds for everything that is asked of the server. */
const FETCH_MS = 180_000;
const COMMIT = /^[0-9a-f]{40}$/i;
const LINK_MODE = '120000';

type Git = typeof isomorphicGit;

export interface RepositoryOptions {
  /** As messages name it. */
  readonly told: string;
  readonly url: string;
  /** Name of the folder that it is copied into. */
  readonly stem: string;
  /** Branch, tag or commit; null: the default branch. */
  readonly ref: string | null;
  /** Folder inside that the tasks are in; null: all of it. */
  readonly folder: string | null;
  readonly copies: SourceCopies;
  readonly remote: Remote;
  readonly bounds: UnpackBounds;
}

/** Where a ref is now. */
interface Target {
  /** What is asked for when fetching. */
  readonly fetch: string;
  readonly commit: string;
  readonly branch: string | null;
}

/** Fails with `not_found` (no such ref), `source_unavailable`, `source_refused` or `address_refused`. */
export async function refreshRepository(options: RepositoryOptions, known: Copy | null): Promise<Copy> {
  const { ref, copies, remote, url } = options;
  // A commit never changes.
  if (known !== null && known.revision === ref?.toLowerCase()) return known;
  const git = await import('isomorphic-git');
  const http = gitHttp(remote, url, options.bounds.unpackedBytes, AbortSignal.timeout(FETCH_MS));
  try {
    const target = await targetOf(git, http, options);
    if (known?.revision === target.commit) return await copies.confirm({ branch: target.branch });
    return await copies.replace(async (place) => {
      const gitdir = join(place, 'git');
      const revision = await fetchCommit(git, http, { ...options, gitdir }, target);
      const inside = await writeFiles(git, { ...options, gitdir }, place, revision);
      await rm(gitdir, { recursive: true });
      return { inside, revision, branch: target.branch, etag: null };
    });
  } catch (error) {
    throw explained(error, options.told);
  }
}

async function targetOf(git: Git, http: HttpClient, { url, ref, told }: RepositoryOptions): Promise<Target> {
  const refs = (prefix: string): Promise<readonly ServerRef[]> =>
    git.listServerRefs({ http, url, prefix, symrefs: true, peelTags: true, protocolVersion: 2 });
  const names = ref === null ? ['HEAD'] : ref.startsWith('refs/') ? [ref] : [`refs/heads/${ref}`, `refs/tags/${ref}`];
  for (const name of names) {
    const found = (await refs(name)).find((one) => one.ref === name);
    if (found === undefined) continue;
    const followed = name === 'HEAD' ? found.target : name;
    const branch = followed?.startsWith('refs/heads/') === true ? followed.slice('refs/heads/'.length) : null;
    return { fetch: name, commit: found.peeled ?? found.oid, branch };
  }
  if (ref !== null && COMMIT.test(ref)) return { fetch: ref.toLowerCase(), commit: ref.toLowerCase(), branch: null };
  const what = ref === null ? 'no commit' : `no branch, tag or full commit ${ref}`;
  throw new RatchetError('not_found', `there is ${what} in ${told}`, { details: { ref } });
}

type Fetching = RepositoryOptions & { readonly gitdir: string };

/** @returns the commit that was fetched: the branch may have moved since it was looked up. */
async function fetchCommit(git: Git, http: HttpClient, { gitdir, url, told }: Fetching, target: Target) {
  await git.init({ fs, gitdir, bare: true });
  await git.addRemote({ fs, gitdir, remote: 'origin', url });
  const ref = { ref: target.fetch, remoteRef: target.fetch };
  const { fetchHead } = await git.fetch({
    fs,
    http,
    gitdir,
    url,
    ...ref,
    remote: 'origin',
    depth: 1,
    singleBranch: true,
  });
  if (fetchHead === null) throw new RatchetError('not_found', `there is no commit in ${told}`);
  return (await git.readCommit({ fs, gitdir, oid: fetchHead })).oid;
}

/** Writes the files of a commit; links and submodules are left out. @returns the folder below `place` that the tasks are in. */
async function writeFiles(git: Git, { gitdir, stem, folder, told, bounds }: Fetching, place: string, commit: string) {
  const inside = folder === null ? stem : join(stem, folder);
  const root = join(place, inside);
  await mkdir(root, { recursive: true });
  const unpacking = new Unpacking(root, bounds);
  // Without it the library reads the whole pack again for each file.
  const cache = {};
  const start = folder === null ? {} : { filepath: folder.replaceAll(/^\.\/|\/+$/g, '') };
  const pending = [{ oid: commit, path: '', ...start }];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const { path, ...tree } = at;
    for (const entry of (await readTree(git, { gitdir, cache, ...tree }, told)).tree) {
      const name = path === '' ? entry.path : `${path}/${entry.path}`;
      if (entry.path.includes('/')) throw refusedContent(`the entry ${JSON.stringify(name)} is no name`);
      if (entry.type === 'commit' || entry.mode === LINK_MODE) continue;
      unpacking.enter(name);
      if (entry.type === 'tree') {
        pending.push({ oid: entry.oid, path: name });
        continue;
      }
      const { blob } = await git.readBlob({ fs, gitdir, cache, oid: entry.oid });
      unpacking.take(blob.length);
      await unpacking.write(name, blob);
    }
  }
  return inside;
}

async function readTree(
  git: Git,
  tree: { gitdir: string; cache: object; oid: string; filepath?: string },
  told: string,
) {
  try {
    return await git.readTree({ fs, ...tree });
  } catch (cause) {
    if (tree.filepath === undefined) throw cause;
    throw new RatchetError('source_refused', `${told} holds no folder ${tree.filepath}`, { cause });
  }
}

function explained(error: unknown, told: string): RatchetError {
  if (isRatchetError(error, 'source_refused') && !error.message.startsWith(told)) {
    return refusedContent(`${told} is not taken: ${error.message}`, error);
  }
  if (isRatchetError(error)) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new RatchetError('source_unavailable', `${told} can not be read: ${reason}`, { cause: error });
}

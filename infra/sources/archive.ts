/** A task source that is an archive, fetched or on disk: checked against its checksum, unpacked within bounds, kept as a copy. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { RatchetError } from '../../src/domain/errors.ts';
import type { ArchiveFormat } from './address.ts';
import type { Copy, CopyFacts, SourceCopies } from './copies.ts';
import type { Remote } from './remote.ts';
import { refusedContent, type UnpackBounds, Unpacking } from './unpacking.ts';

/** Milliseconds for fetching an archive, redirects included. */
const FETCH_MS = 120_000;

export interface ArchiveOptions {
  /** As messages name it. */
  readonly told: string;
  readonly format: ArchiveFormat;
  /** Name of the folder that it is unpacked into. */
  readonly stem: string;
  /** Folder inside that the tasks are in; null: all of it. */
  readonly folder: string | null;
  /** In lower case; null: any content is taken. */
  readonly sha256: string | null;
  readonly copies: SourceCopies;
  readonly bounds: UnpackBounds;
}

/** What came, or that the copy is still what is there. */
type Fetched = { readonly bytes: Uint8Array; readonly etag: string | null } | 'unchanged';

/** The last good copy, unless another checksum has been asked for since. */
export async function usableArchive({ copies, sha256 }: ArchiveOptions): Promise<Copy | null> {
  const known = await copies.current();
  return known !== null && (sha256 === null || known.revision === sha256) ? known : null;
}

/** Brings the archive behind an address. Fails with `source_unavailable`, `source_refused` or `address_refused`. */
export async function refreshFetched(
  options: ArchiveOptions,
  remote: Remote,
  url: string,
  known: Copy | null,
): Promise<Copy> {
  // What has the checksum that is asked for can not have changed.
  if (known !== null && options.sha256 !== null) return known;
  return refresh(options, await fetched(remote, url, known), known);
}

/** Reads an archive file. Fails with `not_found` or `source_refused`. */
export async function refreshFile(options: ArchiveOptions, path: string, known: Copy | null): Promise<Copy> {
  const found = await stat(path).catch(() => null);
  if (found === null || !found.isFile()) {
    throw new RatchetError('not_found', `there is no file ${path}`, { details: { path } });
  }
  if (found.size > options.bounds.archiveBytes) {
    throw refusedContent(`${path} is larger than ${options.bounds.archiveBytes} bytes`);
  }
  return refresh(options, { bytes: await readFile(path), etag: null }, known);
}

async function fetched(remote: Remote, url: string, known: Copy | null): Promise<Fetched> {
  const headers: (readonly [string, string])[] = [['accept-encoding', 'identity']];
  if (known !== null && known.etag !== null) headers.push(['if-none-match', known.etag]);
  const response = await remote.send({ method: 'GET', url, headers, body: null }, AbortSignal.timeout(FETCH_MS));
  if (response.status === 304 && known !== null) return 'unchanged';
  if (response.status !== 200) throw remote.answered(response.status, response.statusText);
  return { bytes: response.body, etag: response.headers.find(([name]) => name === 'etag')?.[1] ?? null };
}

async function refresh(options: ArchiveOptions, archive: Fetched, known: Copy | null): Promise<Copy> {
  const { copies, sha256, told } = options;
  if (archive === 'unchanged') return copies.confirm({});
  const revision = createHash('sha256').update(archive.bytes).digest('hex');
  if (sha256 !== null && revision !== sha256) {
    throw new RatchetError('source_refused', `${told} has the SHA-256 ${revision}, but ${sha256} is asked for`, {
      details: { expected: sha256, actual: revision },
    });
  }
  if (known?.revision === revision) return copies.confirm({ etag: archive.etag });
  return copies.replace(async (place): Promise<CopyFacts> => {
    const inside = await unpacked(options, archive.bytes, place);
    return { inside, revision, branch: null, etag: archive.etag };
  });
}

/** @returns the folder below `place` that the tasks are in. */
async function unpacked(options: ArchiveOptions, bytes: Uint8Array, place: string): Promise<string> {
  const { format, stem, folder, told, bounds } = options;
  await mkdir(join(place, stem));
  const unpacking = new Unpacking(join(place, stem), bounds);
  try {
    if (format === 'zip') await (await import('./unzip.ts')).unzip(bytes, unpacking);
    else await (await import('./untar.ts')).untar(bytes, unpacking);
  } catch (cause) {
    const reason = cause instanceof RatchetError ? cause.message : 'it can not be unpacked';
    throw refusedContent(`${told} is not taken: ${reason}`, cause);
  }
  const inside = await withoutOuter(place, stem);
  if (folder === null) return inside;
  for (const path of [join(inside, folder), join(stem, folder)]) {
    const found = await stat(join(place, path)).catch(() => null);
    if (found?.isDirectory() === true) return path;
  }
  throw refusedContent(`${told} holds no folder ${folder}`);
}

/** Archives made from a repository or a folder hold one folder with everything in it; `tasks` is one of the repository's own. */
async function withoutOuter(place: string, stem: string): Promise<string> {
  const entries = await readdir(join(place, stem), { withFileTypes: true });
  const [only, second] = entries;
  const isOuter = only?.isDirectory() === true && second === undefined && !/^(\.|tasks$)/.test(only.name);
  return isOuter ? join(stem, only.name) : stem;
}

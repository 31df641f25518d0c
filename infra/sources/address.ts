/** What the address of a task source means, and how it may be told: credentials in it are taken out before anything else. */
import { statSync } from 'node:fs';
import { basename, resolve } from 'node:path';

export type ArchiveFormat = 'zip' | 'tar.gz';

export type SourcePlace =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'archive-file'; readonly path: string; readonly format: ArchiveFormat }
  | { readonly kind: 'archive'; readonly url: string; readonly format: ArchiveFormat }
  | { readonly kind: 'repository'; readonly url: string };

/** Who asks; either may be empty. */
export interface Credentials {
  readonly username: string;
  readonly token: string;
}

export interface SourceAddress {
  readonly place: SourcePlace;
  /** Without credentials and query. */
  readonly told: string;
  /** Last part without its extension: what a task that has no name of its own is called by. */
  readonly stem: string;
  /** Credentials that stand in the address. */
  readonly credentials: Credentials | null;
}

const ARCHIVE = /\.(zip|tar\.gz|tgz)$/i;

/** @param uri path, file:// address made a path, `git+https://…`, or web address, as the configuration checks it */
export function addressOf(uri: string): SourceAddress {
  const isRepository = /^git\+/i.test(uri);
  const url = /^(git\+)?https?:/i.test(uri) ? URL.parse(uri.replace(/^git\+/i, '')) : null;
  if (url === null) return { place: filePlace(resolve(uri)), told: resolve(uri), stem: stemOf(uri), credentials: null };
  const [username, token] = [decoded(url.username), decoded(url.password)];
  url.username = '';
  url.password = '';
  url.hash = '';
  const format = isRepository ? null : formatOf(url.pathname);
  return {
    place:
      format === null
        ? { kind: 'repository', url: url.href.replace(/\/$/, '') }
        : { kind: 'archive', url: url.href, format },
    told: `${isRepository ? 'git+' : ''}${url.origin}${url.pathname}`,
    stem: stemOf(url.pathname),
    credentials: username === '' && token === '' ? null : { username, token },
  };
}

/** A folder may be named like an archive; what is there decides. */
function filePlace(path: string): SourcePlace {
  const format = formatOf(path);
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  return format === null || isFolder ? { kind: 'folder', path } : { kind: 'archive-file', path, format };
}

function formatOf(name: string): ArchiveFormat | null {
  const extension = ARCHIVE.exec(name)?.[1]?.toLowerCase();
  if (extension === undefined) return null;
  return extension === 'zip' ? 'zip' : 'tar.gz';
}

/** A name that a folder can have anywhere. */
function stemOf(path: string): string {
  const stem = basename(path.replace(/\/+$/, ''))
    .replace(ARCHIVE, '')
    .replace(/\.git$/i, '')
    .replaceAll(/[^\w.-]/g, '-');
  return /^[\w-]/.test(stem) ? stem.slice(0, 100) : 'source';
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

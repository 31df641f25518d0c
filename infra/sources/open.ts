/** Opens a task source of whatever kind its address names; what only some kinds need is loaded when such a one is read. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Outbound } from '../../src/ports/outbound.ts';
import type { TaskSource } from '../../src/ports/task-source.ts';
import { folderSource } from '../task-source.ts';
import { watchFolders } from '../task-watch.ts';
import { addressOf, type Credentials, type SourceAddress } from './address.ts';
import { type ArchiveOptions, refreshFetched, refreshFile, usableArchive } from './archive.ts';
import { copiedSource, polled } from './copied-source.ts';
import { openCopies, type SourceCopies } from './copies.ts';
import { archiveAuthorization, basicAuthorization, remoteOf } from './remote.ts';
import { refreshRepository } from './repository.ts';
import { UNPACK_BOUNDS, type UnpackBounds } from './unpacking.ts';

/** A task source, as the configuration names it. */
export interface SourceSettings {
  readonly name: string;
  /** Folder, archive file, or address: `git+https://…`, `https://….git`, `https://….zip`, `.tar.gz` or `.tgz`. */
  readonly root: string;
  /** Whether changes of files are noticed. */
  readonly watch: boolean;
  /** Branch, tag or full commit of a repository; the default branch where left out. */
  readonly ref?: string | null;
  /** Folder inside a repository or archive. */
  readonly folder?: string | null;
  /** SHA-256 that an archive must have. */
  readonly sha256?: string | null;
  /** Milliseconds between two looks at a remote source. */
  readonly pollMs?: number | null;
  readonly username?: string | null;
  readonly token?: string | null;
}

export interface SourceDeps {
  readonly outbound: Outbound;
  /** Where copies of sources are kept that are no folders. */
  readonly copiesFolder: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** What is taken at most; the usual bounds where left out. */
  readonly bounds?: UnpackBounds;
}

/** @returns a source that has read nothing yet. */
export function openTaskSource(settings: SourceSettings, deps: SourceDeps): TaskSource {
  const address = addressOf(settings.root);
  const { place } = address;
  if (place.kind === 'folder') return folderSource({ name: settings.name, root: place.path });
  const copies = openCopies(placeOfCopies(settings, address, deps.copiesFolder), deps.now);
  switch (place.kind) {
    case 'repository':
      return repositorySource(settings, deps, { ...address, copies, url: place.url });
    case 'archive':
    case 'archive-file':
      return archiveSource(settings, deps, { ...address, place, copies });
    default:
      return place satisfies never;
  }
}

function repositorySource(
  { name, ref = null, folder = null, pollMs = null, ...settings }: SourceSettings,
  { outbound, bounds = UNPACK_BOUNDS }: SourceDeps,
  { told, stem, url, copies, credentials }: SourceAddress & { readonly url: string; readonly copies: SourceCopies },
): TaskSource {
  const known = credentialsOf(settings, credentials);
  const authorization = known === null ? null : basicAuthorization(known);
  const remote = remoteOf({ outbound, told, url, authorization, maxBytes: bounds.archiveBytes });
  return copiedSource({
    name,
    address: told,
    ref,
    isRemote: true,
    usable: () => copies.current(),
    refresh: (usable) => refreshRepository({ told, url, stem, ref, folder, copies, remote, bounds }, usable),
    watch: (onChange, signal) => polled(pollMs, onChange, signal),
  });
}

function archiveSource(
  { name, folder = null, sha256 = null, pollMs = null, ...settings }: SourceSettings,
  { outbound, bounds = UNPACK_BOUNDS }: SourceDeps,
  {
    told,
    stem,
    place,
    copies,
    credentials,
  }: SourceAddress & {
    readonly place: Extract<SourceAddress['place'], { format: unknown }>;
    readonly copies: SourceCopies;
  },
): TaskSource {
  const { format } = place;
  const archive: ArchiveOptions = { told, format, stem, folder, sha256: sha256?.toLowerCase() ?? null, copies, bounds };
  const common = {
    name,
    address: told,
    ref: null,
    isRemote: place.kind === 'archive',
    usable: () => usableArchive(archive),
  };
  if (place.kind === 'archive-file') {
    const { path } = place;
    return copiedSource({
      ...common,
      refresh: (usable) => refreshFile(archive, path, usable),
      watch: (onChange, signal) => watchFolders(async () => [path], onChange, signal),
    });
  }
  const { url } = place;
  const known = credentialsOf(settings, credentials);
  const authorization = known === null ? null : archiveAuthorization(known);
  const remote = remoteOf({ outbound, told, url, authorization, maxBytes: bounds.archiveBytes });
  return copiedSource({
    ...common,
    refresh: (usable) => refreshFetched(archive, remote, url, usable),
    watch: (onChange, signal) => polled(pollMs, onChange, signal),
  });
}

/** The same source asked for in another way is another copy. */
function placeOfCopies({ name, ref, folder }: SourceSettings, { told }: SourceAddress, copiesFolder: string): string {
  const identity = JSON.stringify([told, ref ?? null, folder ?? null]);
  const mark = createHash('sha256').update(identity).digest('hex').slice(0, 12);
  return join(copiesFolder, `${name.replaceAll(/[^\w-]/g, '-').slice(0, 64)}-${mark}`);
}

/** Those of the configuration go before those in the address. */
function credentialsOf(
  { username = null, token = null }: Pick<SourceSettings, 'username' | 'token'>,
  inAddress: Credentials | null,
): Credentials | null {
  if (username === null && token === null) return inAddress;
  return { username: username ?? inAddress?.username ?? '', token: token ?? inAddress?.token ?? '' };
}

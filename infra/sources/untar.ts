/** Unpacks a gzipped tar while it is inflated, so that a bomb is noticed long before it has gone off. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { isRatchetError } from '../../src/domain/errors.ts';
import { refusedContent, type Unpacking } from './unpacking.ts';

/** Bytes of headers and padding for each entry. */
const ENTRY_OVERHEAD = 4 * 1024;
const LINKS: ReadonlySet<string> = new Set(['link', 'symlink']);

/** Fails with `source_refused` for what is damaged, too large, a link, or leads elsewhere. */
export async function untar(tarball: Uint8Array, unpacking: Unpacking): Promise<void> {
  const { extract } = await import('tar-stream');
  const entries = extract();
  const { unpackedBytes, entries: mostEntries } = unpacking.bounds;
  const most = unpackedBytes + mostEntries * ENTRY_OVERHEAD;
  const fed = pipeline(Readable.from([tarball]), createGunzip(), (inflated) => bounded(inflated, most), entries);
  const unpack = async (): Promise<void> => {
    for await (const entry of entries) await unpackEntry(entry, unpacking);
  };
  const [feeding, unpacked] = await Promise.allSettled([
    fed,
    unpack().catch((error: unknown) => {
      entries.destroy();
      throw error;
    }),
  ]);
  const reasons: unknown[] = [unpacked, feeding].flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
  if (reasons.length === 0) return;
  // When one end fails, so does the other; what is refused says why.
  throw (
    reasons.find((reason) => isRatchetError(reason)) ??
    refusedContent('not a gzipped tar archive, or damaged', reasons[0])
  );
}

async function* bounded(source: AsyncIterable<Buffer>, most: number): AsyncGenerator<Buffer> {
  let total = 0;
  for await (const chunk of source) {
    total += chunk.length;
    if (total > most) throw refusedContent(`more than ${most} bytes when inflated`);
    yield chunk;
  }
}

interface TarEntry extends AsyncIterable<unknown> {
  readonly header: { readonly name: string; readonly type?: string | null | undefined };
  resume(): unknown;
}

async function unpackEntry(entry: TarEntry, unpacking: Unpacking): Promise<void> {
  const { type } = entry.header;
  // Archives of a folder begin each name with ./
  const name = entry.header.name.replace(/^(\.\/)+/, '');
  if (type === 'directory' && (name === '' || name === '.')) return void entry.resume();
  unpacking.enter(name);
  if (type === 'directory') return void entry.resume();
  if (type !== 'file' && type !== 'contiguous-file') {
    const what = LINKS.has(type ?? '') ? 'a link' : 'neither a file nor a folder';
    throw refusedContent(`the entry ${JSON.stringify(name)} is ${what}`);
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of entry) {
    if (!(chunk instanceof Uint8Array)) continue;
    unpacking.take(chunk.length);
    chunks.push(chunk);
  }
  await unpacking.write(name, Buffer.concat(chunks));
}

/** Unpacks a zip: never more of an entry than it announced, and only what has the checksum it announced. */
import { promisify } from 'node:util';
import { crc32, inflateRaw } from 'node:zlib';
import { refusedContent, type Unpacking } from './unpacking.ts';
import { type ZipEntry, zipEntries } from './zip-directory.ts';

const inflate = promisify(inflateRaw);

/** Fails with `source_refused` for what is damaged, too large, or leads elsewhere. */
export async function unzip(zip: Uint8Array, unpacking: Unpacking): Promise<void> {
  for (const entry of zipEntries(zip)) {
    unpacking.enter(entry.name);
    // What is announced counts before anything is inflated.
    unpacking.take(entry.size);
    if (!entry.name.endsWith('/')) await unpacking.write(entry.name, await contentOf(entry));
  }
}

async function contentOf(entry: ZipEntry): Promise<Uint8Array> {
  const content = entry.method === 'stored' ? entry.packed : await inflated(entry);
  if (content.length === entry.size && crc32(content) === entry.crc) return content;
  throw refusedContent(`the entry ${JSON.stringify(entry.name)} is damaged`);
}

async function inflated({ name, size, packed }: ZipEntry): Promise<Uint8Array> {
  try {
    return await inflate(packed, { maxOutputLength: Math.max(size, 1) });
  } catch (cause) {
    const isTooLong = cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE';
    throw refusedContent(
      `the entry ${JSON.stringify(name)} is ${isTooLong ? 'larger than it says' : 'damaged'}`,
      cause,
    );
  }
}

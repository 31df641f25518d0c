/** Makes archives of tasks for tests, honest ones and such as nobody should send. */
import { gzipSync } from 'node:zlib';
import { type Zippable, zipSync } from 'fflate';
import { type Header, pack } from 'tar-stream';

/** Contents by path. */
export type Files = Readonly<Record<string, string>>;

/** @returns the files of one task in layout A, below `folder`. */
export function taskFilesOf(folder: string, code = '(function () { return 1; })'): Files {
  return { [`${folder}/metadata.json`]: '{"version":"1.0.0"}', [`${folder}/main.js`]: code };
}

export function zipOf(files: Files): Buffer {
  const entries: Zippable = {};
  for (const [path, content] of Object.entries(files)) entries[path] = Buffer.from(content);
  return Buffer.from(zipSync(entries));
}

/** A zip whose entry is a symbolic link. */
export function zipWithLink(path: string, target: string): Buffer {
  const unix = 3;
  return Buffer.from(zipSync({ [path]: [Buffer.from(target), { os: unix, attrs: 0o120777 << 16 }] }));
}

/** The same zip with `bytes` as the size that its first entry announces, in its directory and before its data. */
export function announcing(zip: Buffer, bytes: number): Buffer {
  const forged = Buffer.from(zip);
  const directory = forged.readUInt32LE(forged.length - 22 + 16);
  forged.writeUInt32LE(bytes, directory + 24);
  forged.writeUInt32LE(bytes, 22);
  return forged;
}

export function tarOf(files: Files): Promise<Buffer> {
  return tarOfEntries(Object.entries(files).map(([name, content]) => ({ header: { name }, content })));
}

export async function tarOfEntries(
  entries: readonly { readonly header: Partial<Header> & { name: string }; readonly content?: string | Buffer }[],
): Promise<Buffer> {
  const packing = pack();
  for (const { header, content = '' } of entries) packing.entry(header, content);
  packing.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of packing) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return gzipSync(Buffer.concat(chunks));
}

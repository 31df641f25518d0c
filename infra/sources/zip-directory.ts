/** Reads the list of entries at the end of a zip, which alone says what is a link and what each entry must be once unpacked. */
import { refusedContent } from './unpacking.ts';

export interface ZipEntry {
  readonly name: string;
  readonly method: 'stored' | 'deflated';
  readonly crc: number;
  /** Bytes once unpacked, as the zip says. */
  readonly size: number;
  /** The bytes as they are in the zip. */
  readonly packed: Uint8Array;
}

const END = 0x06054b50;
const END_BYTES = 22;
const LONGEST_COMMENT = 0xffff;
const ENTRY = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
const ENCRYPTED = 1;
const METHODS: Readonly<Record<number, ZipEntry['method']>> = { 0: 'stored', 8: 'deflated' };

/** Systems whose entries carry a Unix file mode. */
const UNIX_HOSTS: ReadonlySet<number> = new Set([3, 19]);
const FILE_TYPE = 0o170000;
const PLAIN_TYPES: ReadonlySet<number> = new Set([0, 0o100000, 0o040000]);
const LINK = 0o120000;

/** Lists the entries in the order of the directory. Fails with `source_refused` where it is damaged or of a kind that is not read. */
export function* zipEntries(zip: Uint8Array): Generator<ZipEntry> {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  const end = endOf(view);
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  if (count === 0xffff || at === 0xffffffff) throw refusedContent('a zip64 archive, which is not read');
  for (let index = 0; index < count; index += 1) {
    if (at + ENTRY_BYTES > end || view.getUint32(at, true) !== ENTRY) throw damaged();
    const nameBytes = view.getUint16(at + 28, true);
    const name = nameOf(zip.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes));
    yield entryAt(view, zip, at, name);
    at += ENTRY_BYTES + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
}

function endOf(view: DataView): number {
  const first = Math.max(0, view.byteLength - END_BYTES - LONGEST_COMMENT);
  for (let at = view.byteLength - END_BYTES; at >= first; at -= 1) {
    if (view.getUint32(at, true) === END) return at;
  }
  throw refusedContent('not a zip archive, or cut short');
}

function entryAt(view: DataView, zip: Uint8Array, at: number, name: string): ZipEntry {
  const told = JSON.stringify(name.slice(0, 200));
  const type = UNIX_HOSTS.has(view.getUint8(at + 5)) ? (view.getUint32(at + 38, true) >>> 16) & FILE_TYPE : 0;
  if (!PLAIN_TYPES.has(type)) {
    throw refusedContent(`the entry ${told} is ${type === LINK ? 'a link' : 'neither a file nor a folder'}`);
  }
  if ((view.getUint16(at + 8, true) & ENCRYPTED) !== 0) throw refusedContent(`the entry ${told} is encrypted`);
  const method = METHODS[view.getUint16(at + 10, true)];
  if (method === undefined) throw refusedContent(`the entry ${told} is packed in a way that is not read`);
  const local = view.getUint32(at + 42, true);
  if (local + LOCAL_BYTES > zip.length || view.getUint32(local, true) !== LOCAL) throw damaged();
  const start = local + LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  const packedBytes = view.getUint32(at + 20, true);
  if (start + packedBytes > zip.length) throw damaged();
  const crc = view.getUint32(at + 16, true);
  return { name, method, crc, size: view.getUint32(at + 24, true), packed: zip.subarray(start, start + packedBytes) };
}

/** Many programs write UTF-8 without saying so. */
function nameOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('latin1').decode(bytes);
  }
}

function damaged(): Error {
  return refusedContent('a zip archive that is damaged');
}

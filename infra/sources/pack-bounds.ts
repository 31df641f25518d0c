/** Looks through a Git pack before the library unpacks it, which knows no bounds of its own. */
import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import { z } from 'zod';
import { refusedContent } from './unpacking.ts';

const PACK = Buffer.from('PACK');
const PACK_HEADER = 12;
/** Bytes of the hash that ends a pack. */
const PACK_TRAILER = 20;
/** First byte of a packet that carries the pack; others carry progress and errors. */
const PACK_BAND = 1;
const OFFSET_DELTA = 6;
const REFERENCE_DELTA = 7;
const OBJECT_ID = 20;

/** Files, folders and the commit. Each takes time however small it is, also when the library looks through them. */
export const MAX_PACK_OBJECTS = 20_000;
/** Beside the loop of events, which others wait for. */
const inflated = promisify(inflate);

/**
 * @param answer of a server to a fetch; one without a pack holds nothing to bound
 * @param most bytes that all objects may have together once unpacked
 * Fails with `source_refused` for more, for more than {@link MAX_PACK_OBJECTS} objects and for a pack that is damaged, and with the
 * reason of `signal`.
 */
export async function boundPack(answer: Uint8Array, most: number, signal: AbortSignal): Promise<void> {
  const pack = packIn(Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength));
  if (pack === null) return;
  const reader = new PackReader(pack, most);
  if (reader.count > MAX_PACK_OBJECTS) {
    throw refusedContent(`${reader.count} objects in its commit: more than ${MAX_PACK_OBJECTS} files and folders`);
  }
  let total = 0;
  for (let left = reader.count; left > 0; left -= 1) {
    signal.throwIfAborted();
    total += await reader.next();
    if (total > most) throw refusedContent(`more than ${most} bytes when unpacked`);
  }
}

/** The pack inside the packets of the answer: each begins with its length in four hexadecimal digits. */
function packIn(answer: Buffer): Buffer | null {
  const parts: Buffer[] = [];
  for (let at = 0; at + 4 <= answer.length; ) {
    if (answer.subarray(at, at + 4).equals(PACK)) return answer.subarray(at);
    const length = Number.parseInt(answer.toString('latin1', at, at + 4), 16);
    if (Number.isNaN(length)) throw damaged();
    if (length > 4 && answer[at + 4] === PACK_BAND) parts.push(answer.subarray(at + 5, at + length));
    // Shorter ones are marks without content.
    at += Math.max(length, 4);
  }
  return parts.length === 0 ? null : Buffer.concat(parts);
}

const inflation = z.object({ buffer: z.instanceof(Uint8Array), engine: z.object({ bytesWritten: z.number() }) });

class PackReader {
  readonly #pack: Buffer;
  readonly #most: number;
  #at = PACK_HEADER;

  constructor(pack: Buffer, most: number) {
    if (pack.length < PACK_HEADER + PACK_TRAILER || !pack.subarray(0, 4).equals(PACK)) throw damaged();
    this.#pack = pack;
    this.#most = most;
  }

  get count(): number {
    return this.#pack.readUInt32BE(8);
  }

  /** @returns the bytes that the next object has once unpacked; one that announces too many is not inflated. */
  async next(): Promise<number> {
    const first = this.#byte();
    const type = (first >> 4) & 7;
    const size = (first & 0x80) === 0 ? first & 15 : (first & 15) + this.#varint() * 16;
    if (type === OFFSET_DELTA) while ((this.#byte() & 0x80) !== 0);
    if (type === REFERENCE_DELTA) this.#at += OBJECT_ID;
    if (size > this.#most) return size;
    const content = await this.#inflated(size);
    return type === OFFSET_DELTA || type === REFERENCE_DELTA ? targetOf(content) : size;
  }

  async #inflated(size: number): Promise<Uint8Array> {
    try {
      const options = { info: true, maxOutputLength: Math.max(size, 1) };
      const result: unknown = await inflated(this.#pack.subarray(this.#at), options);
      const { buffer, engine } = inflation.parse(result);
      this.#at += engine.bytesWritten;
      return buffer;
    } catch (cause) {
      throw damaged(cause);
    }
  }

  #varint(): number {
    const { value, end } = varintAt(this.#pack, this.#at);
    this.#at = end;
    return value;
  }

  #byte(): number {
    const byte = this.#pack[this.#at];
    if (byte === undefined) throw damaged();
    this.#at += 1;
    return byte;
  }
}

/** A delta begins with the sizes of what it starts from and of what it makes. */
function targetOf(delta: Uint8Array): number {
  return varintAt(delta, varintAt(delta, 0).end).value;
}

/** Seven bits a byte, the lowest first. */
function varintAt(bytes: Uint8Array, start: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let at = start, factor = 1; ; at += 1, factor *= 128) {
    const byte = bytes[at];
    if (byte === undefined || factor > Number.MAX_SAFE_INTEGER) throw damaged();
    value += (byte & 0x7f) * factor;
    if ((byte & 0x80) === 0) return { value, end: at + 1 };
  }
}

function damaged(cause?: unknown): Error {
  return refusedContent('its server sent a pack that is damaged', cause);
}

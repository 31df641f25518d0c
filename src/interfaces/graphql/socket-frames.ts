/** Results as WebSocket frames that are made once for many listeners: only the id of a subscription differs, and has its place. */

const TEXT = 0x81;
const SHORT = 126;
const LONG = 65_536;

interface Template {
  readonly bytes: Buffer;
  /** Where the id stands. */
  readonly places: readonly number[];
}

/** The frames of some results, in their order, as a server sends them (RFC 6455 §5.2). */
export class SocketFrames {
  readonly #payloads: readonly Buffer[];
  /** By the bytes that an id takes. */
  readonly #templates = new Map<number, Template>();
  #last: { readonly id: string; readonly bytes: Buffer } | null = null;

  /** @param payloads results as JSON text */
  constructor(payloads: readonly string[]) {
    this.#payloads = payloads.map((text) => Buffer.from(text));
  }

  /** @returns all of them for the subscription `id`, one `next` message a frame. */
  for(id: string): Buffer {
    if (this.#last?.id === id) return this.#last.bytes;
    const told = Buffer.from(JSON.stringify(id));
    const template = this.#templates.get(told.length) ?? this.#made(told.length);
    const bytes = Buffer.from(template.bytes);
    for (const place of template.places) told.copy(bytes, place);
    this.#last = { id, bytes };
    return bytes;
  }

  #made(idBytes: number): Template {
    const start = '{"id":';
    const middle = Buffer.from(',"type":"next","payload":');
    const places: number[] = [];
    const parts: Buffer[] = [];
    let at = 0;
    for (const payload of this.#payloads) {
      const head = headOf(start.length + idBytes + middle.length + payload.length + 1);
      places.push(at + head.length + start.length);
      const frame = [head, Buffer.from(start), Buffer.alloc(idBytes), middle, payload, Buffer.from('}')];
      parts.push(...frame);
      at += frame.reduce((sum, { length }) => sum + length, 0);
    }
    const template = { bytes: Buffer.concat(parts), places };
    this.#templates.set(idBytes, template);
    return template;
  }
}

function headOf(length: number): Buffer {
  if (length < SHORT) return Buffer.from([TEXT, length]);
  if (length < LONG) return Buffer.from([TEXT, SHORT, length >> 8, length & 255]);
  const head = Buffer.alloc(10);
  head[0] = TEXT;
  head[1] = 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

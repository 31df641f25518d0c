/** The process's end of the socket pair: blocking reads and writes, because no event loop turns while a task runs. */
import { readSync, writeSync } from 'node:fs';
import { CHANNEL_FD, FrameReader, frameInto, type ToChild } from './protocol.ts';

const CHUNK_BYTES = 64 * 1024;
/** A larger buffer is not kept between messages. */
const KEPT_BYTES = 1024 * 1024;

export class Channel {
  readonly #frames = new FrameReader(() => Number.MAX_SAFE_INTEGER);
  readonly #ready: string[] = [];
  readonly #incoming = Buffer.alloc(CHUNK_BYTES);
  /** Used again and again: with a buffer for each message, garbage outside the heap would count against the task. */
  #outgoing: Buffer = Buffer.alloc(CHUNK_BYTES);

  /** Waits for the next message. The server is trusted here: its messages are not checked again. Null when it is gone. */
  read(): ToChild | null {
    while (this.#ready.length === 0) {
      const length = readSync(CHANNEL_FD, this.#incoming, 0, CHUNK_BYTES, null);
      if (length === 0) return null;
      this.#ready.push(...this.#frames.push(Buffer.from(this.#incoming.subarray(0, length))));
    }
    const message = this.#ready.shift();
    return message === undefined ? null : (JSON.parse(message) as ToChild);
  }

  /** @param json text of a message from the process */
  write(json: string): void {
    const { buffer, length } = frameInto(this.#outgoing, json);
    if (buffer.length <= KEPT_BYTES) this.#outgoing = buffer;
    for (let offset = 0; offset < length; ) offset += writeSync(CHANNEL_FD, buffer, offset, length - offset);
  }
}

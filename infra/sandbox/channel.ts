/** The process's end of the socket pair: blocking reads and writes, because no event loop turns while a task runs. */
import { readSync, writeSync } from 'node:fs';
import { CHANNEL_FD, FrameReader, frame, type ToChild } from './protocol.ts';

const CHUNK_BYTES = 64 * 1024;

export class Channel {
  readonly #frames = new FrameReader(() => Number.MAX_SAFE_INTEGER);
  readonly #ready: string[] = [];

  /** Waits for the next message. The server is trusted here: its messages are not checked again. Null when it is gone. */
  read(): ToChild | null {
    while (this.#ready.length === 0) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const length = readSync(CHANNEL_FD, chunk, 0, CHUNK_BYTES, null);
      if (length === 0) return null;
      this.#ready.push(...this.#frames.push(chunk.subarray(0, length)));
    }
    const message = this.#ready.shift();
    return message === undefined ? null : (JSON.parse(message) as ToChild);
  }

  /** @param json text of a message from the process */
  write(json: string): void {
    const bytes = frame(json);
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(CHANNEL_FD, bytes, offset);
  }
}

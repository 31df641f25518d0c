/** The process's end of the socket pair: blocking reads and writes, because no event loop turns while a task runs. */
import { readSync, writeSync } from 'node:fs';
import { CHANNEL_FD, FrameReader, frameInto, type ToChild } from './protocol.ts';

const CHUNK_BYTES = 64 * 1024;
/** A larger buffer is not kept between messages. */
const KEPT_BYTES = 1024 * 1024;

/** Waits for more bytes; the channel keeps them. Null when the server is gone. */
export type NextBytes = () => Buffer | null;

/** @returns blocking reads of a file descriptor. */
export function readsOf(fd: number): NextBytes {
  const incoming = Buffer.alloc(CHUNK_BYTES);
  return () => {
    const length = readSync(fd, incoming, 0, CHUNK_BYTES, null);
    return length === 0 ? null : Buffer.from(incoming.subarray(0, length));
  };
}

export class Channel {
  readonly #frames = new FrameReader(() => Number.MAX_SAFE_INTEGER);
  readonly #ready: string[] = [];
  readonly #next: NextBytes;
  /** Used again and again: with a buffer for each message, garbage outside the heap would count against the task. */
  #outgoing: Buffer = Buffer.alloc(CHUNK_BYTES);

  constructor(next: NextBytes) {
    this.#next = next;
  }

  /** Waits for the next message. The server is trusted here: its messages are not checked again. Null when it is gone. */
  read(): ToChild | null {
    while (this.#ready.length === 0) {
      const bytes = this.#next();
      if (bytes === null) return null;
      this.#ready.push(...this.#frames.push(bytes));
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

/** What the server and a task's process say to each other, and how it is framed, so that both sides share one truth. */
import type { Telemetry } from '../../src/domain/journal.ts';
import type { PAUSE_AT_MAIN, PAUSE_SCRIPT } from '../../src/ports/debug-sandbox.ts';
import type { Delivery, Style, Turn } from '../../src/ports/sandbox.ts';

export type { Delivery };

/** File descriptor of the socket pair in the task's process. */
export const CHANNEL_FD = 3;

/** File descriptor of the pair over which a debugged process tells what its inspector says. */
export const INSPECTOR_FD = 4;

/** Script in whose one function a debugged task pauses; its argument `place` says where. */
export const PAUSE_FILE: typeof PAUSE_SCRIPT = 'ratchet:pause';

/** The place before the main function is called; all others are paths of steps. */
export const MAIN_PLACE: typeof PAUSE_AT_MAIN = 'main';

/** How many compiled files a process keeps; both sides count alike, so that code travels once. */
export const KEPT_SCRIPTS = 32;

/** Bytes that one turn may send besides its output. */
export const MAX_TURN_BYTES = 32 * 1024 * 1024;

/** Bytes of one message, for an output of at most `maxOutputBytes` (quotes inside JSON text double). */
export function maxMessageBytes(maxOutputBytes: number): number {
  return 2 * maxOutputBytes + MAX_TURN_BYTES + 1024 * 1024;
}

/** Begins an execution. */
export interface StartMessage {
  readonly type: 'start';
  readonly code: {
    /** Key under which the process keeps the compiled file. */
    readonly key: string;
    readonly file: string;
    readonly columnOffset: number;
    /** Null when the process has it already. */
    readonly script: string | null;
  };
  readonly input: string;
  /** JSON text of the task's `context`. */
  readonly context: string;
  readonly clock: number;
  readonly seed: string;
  readonly style: Style;
  readonly maxOutputBytes: number;
}

/** Server to process. `drop` ends an execution that has not finished and is not blocked. */
export type ToChild =
  | StartMessage
  | { readonly type: 'deliver'; readonly delivery: Delivery }
  | { readonly type: 'drop' };

/** Process to server. After `too_large` the execution is over and the process is free. */
export type FromChild =
  | { readonly type: 'ready' }
  | { readonly type: 'telemetry'; readonly records: readonly Telemetry[] }
  | { readonly type: 'turn'; readonly turn: Turn }
  | { readonly type: 'too_large'; readonly bytes: number };

/** Server to the helper thread of a debugged process: a command for the inspector, or all places to pause at. Both are answered. */
export type ToInspector =
  | { readonly id: number; readonly method: string; readonly params: object }
  | { readonly id: number; readonly places: readonly string[] };

const HEADER_BYTES = 4;

/** @returns the message with its length in front: four bytes, little end first. */
export function frame(json: string): Buffer {
  return frameInto(EMPTY, json).buffer;
}

/** Frames into `target` when the message fits, else into a new buffer of its exact size. */
export function frameInto(target: Buffer, json: string): { readonly buffer: Buffer; readonly length: number } {
  const body = Buffer.byteLength(json);
  const length = HEADER_BYTES + body;
  const buffer = target.length >= length ? target : Buffer.allocUnsafe(length);
  buffer.writeUInt32LE(body, 0);
  buffer.write(json, HEADER_BYTES, body, 'utf8');
  return { buffer, length };
}

const EMPTY = Buffer.alloc(0);

/** Cuts a stream of bytes into messages. */
export class FrameReader {
  readonly #maxBytes: () => number;
  /** What is not cut yet; joined late, so that a long message in many chunks is copied once. */
  #parts: Buffer[] = [];
  #size = 0;
  #needed = HEADER_BYTES;

  /** @param maxBytes asked for each message; a longer one makes {@link push} throw a `RangeError` */
  constructor(maxBytes: () => number) {
    this.#maxBytes = maxBytes;
  }

  /** @returns the messages completed by `chunk`, in order. The reader keeps parts of `chunk`: do not write to it again. */
  push(chunk: Buffer): string[] {
    this.#parts.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#needed) return [];
    const bytes = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts, this.#size);
    const messages: string[] = [];
    let offset = 0;
    this.#needed = HEADER_BYTES;
    while (bytes.length - offset >= HEADER_BYTES) {
      const length = bytes.readUInt32LE(offset);
      if (length > this.#maxBytes()) throw new RangeError(`a message of ${length} bytes is too long`);
      const end = offset + HEADER_BYTES + length;
      if (end > bytes.length) {
        this.#needed = HEADER_BYTES + length;
        break;
      }
      messages.push(bytes.toString('utf8', offset + HEADER_BYTES, end));
      offset = end;
    }
    const rest = bytes.subarray(offset);
    this.#parts = rest.length === 0 ? [] : [rest];
    this.#size = rest.length;
    return messages;
  }
}

/** The server's end of a debugged process's inspector: commands out, answers and events in, over an inherited pair. */
import type { Socket } from 'node:net';
import { RatchetError } from '../../src/domain/errors.ts';
import type { JsonObject } from '../../src/domain/event.ts';
import type { Inspector } from '../../src/ports/debug-sandbox.ts';
import { FrameReader, frame } from './protocol.ts';

/** Bytes of one message of an inspector. */
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;
/** A process that does not answer for so long hangs: nothing that a task does can hold the inspector up, paused or not. */
const ANSWER_MS = 30_000;

type Listener = (method: string, params: JsonObject) => void;

interface Waiting {
  readonly what: string;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (result: JsonObject) => void;
  readonly reject: (error: Error) => void;
}

export class InspectorPipe implements Inspector {
  readonly #socket: Socket;
  readonly #refuse: (error: RatchetError) => void;
  readonly #frames = new FrameReader(() => MAX_MESSAGE_BYTES);
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<Listener>();
  #asked = 0;
  #over: Error | null = null;

  /** @param refuse called with `sandbox_protocol` when what comes in is no message of an inspector, or `sandbox_crashed` when nothing comes */
  constructor(socket: Socket, refuse: (error: RatchetError) => void) {
    this.#socket = socket;
    this.#refuse = refuse;
    // The end of the process is told by the process.
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
  }

  send(method: string, params: JsonObject = {}): Promise<JsonObject> {
    return this.#ask(method, { method, params });
  }

  /** Settles when the process knows the places, so that what is asked of it later comes later. */
  async pauseAt(places: readonly string[]): Promise<void> {
    await this.#ask('to pause at places', { places });
  }

  listen(listener: Listener): () => void {
    const own: Listener = (method, params) => listener(method, params);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** Nothing is sent or told any more; what waits fails with `reason`. */
  end(reason: Error): void {
    if (this.#over !== null) return;
    this.#over = reason;
    this.#listeners.clear();
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(reason);
    }
    this.#waiting.clear();
    this.#socket.destroy();
  }

  #ask(what: string, message: object): Promise<JsonObject> {
    if (this.#over !== null) return Promise.reject(this.#over);
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#refuse(unanswered(what)), ANSWER_MS).unref();
      this.#waiting.set(id, { what, timer, resolve, reject });
      this.#socket.write(frame(JSON.stringify({ id, ...message })));
    });
  }

  #receive(chunk: Buffer): void {
    try {
      for (const json of this.#frames.push(chunk)) this.#take(JSON.parse(json));
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof RangeError || error instanceof TypeError)) throw error;
      this.#refuse(new RatchetError('sandbox_protocol', `the inspector sent what it may not send: ${error.message}`));
    }
  }

  #take(message: unknown): void {
    if (this.#over !== null) return;
    if (!isJsonObject(message)) throw new TypeError('a message that is no object');
    const { id, method, params, result, error } = message;
    if (typeof method === 'string' && isJsonObject(params)) {
      for (const listener of this.#listeners) listener(method, params);
      return;
    }
    const waiting = typeof id === 'number' ? this.#waiting.get(id) : undefined;
    if (waiting === undefined || typeof id !== 'number') throw new TypeError('an answer nobody waits for');
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    if (isJsonObject(result)) waiting.resolve(result);
    else waiting.reject(refused(waiting.what, isJsonObject(error) ? error : {}));
  }
}

/** What came through `JSON.parse` is a JSON value, whoever wrote it. */
function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unanswered(what: string): RatchetError {
  return new RatchetError('sandbox_crashed', `the inspector did not answer ${what} within ${ANSWER_MS} ms`);
}

function refused(what: string, error: JsonObject): RatchetError {
  const { code = null, message } = error;
  const reason = typeof message === 'string' ? message.slice(0, 500) : 'no reason was given';
  return new RatchetError('debug_method_refused', `the engine refused ${what}: ${reason}`, {
    details: { code, reason },
  });
}

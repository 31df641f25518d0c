/**
 * The standard streams as a transport: one message a line. Unlike the library's own, it tells a client what is wrong with a line,
 * lives through one that is too long, and answers what was asked before the client closed its end.
 */
import type { Readable, Writable } from 'node:stream';
import {
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResponse,
  type JSONRPCMessage,
  parseJSONRPCMessage,
  type Transport,
} from '@modelcontextprotocol/server';

const CODES = { parse: -32_700, invalid: -32_600 } as const;
const NEWLINE = 0x0a;

export interface WireStreams {
  readonly input: Readable;
  readonly output: Writable;
}

export class StdioWire implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: Transport['onmessage'];
  /** When the conversation is over. */
  readonly ended: Promise<void>;
  readonly #ended = Promise.withResolvers<void>();
  readonly #streams: WireStreams;
  readonly #maxBytes: number;
  #line: Buffer[] = [];
  #bytes = 0;
  /** The rest of a line that was too long belongs to nothing. */
  #skips = false;
  readonly #open = new Set<string | number>();
  #isEnding = false;
  #isClosed = false;

  /** @param maxBytes of one message */
  constructor(streams: WireStreams, maxBytes: number) {
    this.#streams = streams;
    this.#maxBytes = maxBytes;
    this.ended = this.#ended.promise;
  }

  async start(): Promise<void> {
    const { input, output } = this.#streams;
    input.on('data', (chunk: Buffer | string) => this.#take(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk)));
    input.once('end', () => this.#end()).once('close', () => this.#end());
    input.on('error', (error) => this.onerror?.(error));
    // A client that reads no more is gone, whatever it still sends.
    output.on('error', () => void this.close());
    if (input.readableEnded || input.destroyed) this.#end();
  }

  async send(message: JSONRPCMessage): Promise<void> {
    await this.#write(message);
    if (isJSONRPCResponse(message) && message.id !== undefined) this.#settle(message.id);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#streams.input.pause();
    this.onclose?.();
    this.#ended.resolve();
  }

  #take(chunk: Buffer): void {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      this.#append(chunk.subarray(from, at));
      this.#lineEnds();
      from = at + 1;
    }
    this.#append(chunk.subarray(from));
  }

  #append(part: Buffer): void {
    if (this.#skips || part.length === 0) return;
    this.#bytes += part.length;
    if (this.#bytes <= this.#maxBytes) {
      this.#line.push(part);
      return;
    }
    this.#line = [];
    this.#skips = true;
    void this.#refuse(
      'invalid',
      `the message is larger than the ${this.#maxBytes} bytes of mcp.security.max_input_size`,
    );
  }

  #lineEnds(): void {
    const text = this.#skips ? '' : Buffer.concat(this.#line).toString().trim();
    this.#line = [];
    this.#bytes = 0;
    this.#skips = false;
    if (text !== '' && !this.#isClosed) this.#read(text);
  }

  #read(text: string): void {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      void this.#refuse('parse', 'Parse error: the line is no JSON');
      return;
    }
    let message: JSONRPCMessage;
    try {
      message = parseJSONRPCMessage(value);
    } catch {
      void this.#refuse('invalid', 'Invalid request: the line is no message of JSON-RPC 2.0');
      return;
    }
    if (isJSONRPCRequest(message)) this.#open.add(message.id);
    this.onmessage?.(message);
    if (!isJSONRPCNotification(message) || message.method !== 'notifications/cancelled') return;
    const id = message.params?.['requestId'];
    if (typeof id === 'string' || typeof id === 'number') this.#settle(id);
  }

  /** What a client asked before it closed its end is answered, since it may still read. */
  #end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#lineEnds();
    if (this.#open.size === 0) void this.close();
  }

  #settle(id: string | number): void {
    this.#open.delete(id);
    if (this.#isEnding && this.#open.size === 0) void this.close();
  }

  #refuse(kind: keyof typeof CODES, message: string): Promise<void> {
    return this.#write({ jsonrpc: '2.0', id: null, error: { code: CODES[kind], message } });
  }

  async #write(message: object): Promise<void> {
    const { output } = this.#streams;
    if (this.#isClosed || output.destroyed) throw new Error('the client has closed the connection');
    if (output.write(`${JSON.stringify(message)}\n`)) return;
    const drained = Promise.withResolvers<void>();
    const done = (): void => drained.resolve();
    output.once('drain', done).once('close', done);
    await drained.promise;
    output.off('drain', done).off('close', done);
  }
}

/** Sends bytes over a connection of their own, and tells what came back and how it ended. */
import { connect } from 'node:net';

export interface WireAnswer {
  readonly status: number | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Everything that came, as bytes. */
  readonly received: Buffer;
  /** `hung`: nothing ended it within the bound. */
  readonly end: 'closed' | 'dropped' | 'hung';
  readonly ms: number;
}

export interface WireOptions {
  /** Milliseconds after which the server is taken to hang. */
  readonly boundMs: number;
  /** Hangs up as soon as the head of an answer has come that is a stream. */
  readonly dropStreams?: boolean;
  /** Says at once that nothing more will come. */
  readonly halfClose?: boolean;
}

/** @returns what the server at `url` answers to these bytes. Never fails: what goes wrong is part of the answer. */
export function exchange(
  url: string,
  bytes: Buffer,
  { boundMs, dropStreams = false, halfClose = false }: WireOptions,
): Promise<WireAnswer> {
  const started = performance.now();
  const chunks: Buffer[] = [];
  let end: WireAnswer['end'] = 'closed';
  const { promise, resolve } = Promise.withResolvers<WireAnswer>();
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true });
  const timer = setTimeout(() => {
    end = 'hung';
    socket.destroy();
  }, boundMs);
  socket.on('connect', () => (halfClose ? socket.end(bytes) : socket.write(bytes)));
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    if (!dropStreams || !/\r\ncontent-type: text\/event-stream/i.test(chunk.toString('latin1'))) return;
    end = 'dropped';
    socket.destroy();
  });
  socket.on('end', () => socket.end());
  socket.on('error', () => undefined);
  socket.on('close', () => {
    clearTimeout(timer);
    resolve({ ...parsed(Buffer.concat(chunks)), end, ms: performance.now() - started });
  });
  return promise;
}

function parsed(received: Buffer): Pick<WireAnswer, 'status' | 'headers' | 'body' | 'received'> {
  const headEnd = received.indexOf('\r\n\r\n');
  const head = received.toString('latin1', 0, headEnd < 0 ? received.length : headEnd).split('\r\n');
  const status = /^HTTP\/1\.1 (\d{3})/.exec(head[0] ?? '')?.[1];
  const headers = Object.fromEntries(
    head.slice(1).map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const rest = headEnd < 0 ? Buffer.alloc(0) : received.subarray(headEnd + 4);
  const body = headers['transfer-encoding'] === 'chunked' ? dechunked(rest) : rest;
  return { status: status === undefined ? null : Number(status), headers, body: body.toString('utf8'), received };
}

function dechunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const length = lineEnd < 0 ? 0 : Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (!(length > 0)) return Buffer.concat(parts);
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 4 + length;
  }
}

/** @returns the close codes and the texts in what a server said over a WebSocket after its upgrade. */
export function framesIn(received: Buffer): {
  readonly texts: readonly string[];
  readonly closeCodes: readonly number[];
} {
  const texts: string[] = [];
  const closeCodes: number[] = [];
  for (let at = received.indexOf('\r\n\r\n') + 4; at + 2 <= received.length; ) {
    const opcode = (received[at] ?? 0) & 15;
    const short = (received[at + 1] ?? 0) & 127;
    const isLong = short >= 126;
    if (isLong && at + 10 > received.length) break;
    const length =
      short < 126 ? short : short === 126 ? received.readUInt16BE(at + 2) : Number(received.readBigUInt64BE(at + 2));
    const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    const payload = received.subarray(start, start + length);
    if (opcode === 1) texts.push(payload.toString('utf8'));
    if (opcode === 8 && payload.length >= 2) closeCodes.push(payload.readUInt16BE(0));
    at = start + length;
  }
  return { texts, closeCodes };
}

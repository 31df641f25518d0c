/** Reads the body of an answer: decompressed, and never more of it than the caller asked for; or drops it. */
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw, zstdDecompress } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { OutboundError } from '../src/ports/outbound.ts';

/** A few codings may be stacked; more than this is nobody's honest answer. */
const MAX_CODINGS = 3;

/** Data that can not be compressed grows a little: what arrives may be this much larger than what is wanted. */
const CODING_OVERHEAD = 64 * 1024;

/** A body that nobody wants is read this far, so that its connection can be used again; then the connection is given up. */
const DROPPED_BYTES = 64 * 1024;
const DROPPED_MS = 1_000;

type Decode = (data: Buffer, maxBytes: number) => Promise<Buffer>;

const unzip = { gunzip: promisify(gunzip), inflate: promisify(inflate), inflateRaw: promisify(inflateRaw) };
const brotli = promisify(brotliDecompress);
const zstd = promisify(zstdDecompress);

const gzipped: Decode = (data, maxBytes) => unzip.gunzip(data, { maxOutputLength: maxBytes });

const CODINGS: Readonly<Record<string, Decode>> = {
  gzip: gzipped,
  'x-gzip': gzipped,
  br: (data, maxBytes) => brotli(data, { maxOutputLength: maxBytes }),
  zstd: (data, maxBytes) => zstd(data, { maxOutputLength: maxBytes }),
  // The name means zlib's format (low four bits 8), but servers send the bare stream too.
  deflate: (data, maxBytes) =>
    ((data[0] ?? 0) & 0x0f) === 8
      ? unzip.inflate(data, { maxOutputLength: maxBytes })
      : unzip.inflateRaw(data, { maxOutputLength: maxBytes }),
};

/**
 * @param coding value of `content-encoding`, empty for none
 * @param maxBytes limit after decompression
 * @param host what messages name
 * @returns the whole body; `decoded` tells whether codings were taken off (unknown ones are left on).
 * Fails with `too-large` above the limit, `network` when compressed data is damaged or ends early.
 */
export async function readBody(
  source: Readable,
  coding: string,
  maxBytes: number,
  host: string,
): Promise<{ readonly body: Uint8Array; readonly decoded: boolean }> {
  const names = coding
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  const decoders = names.flatMap((name) => CODINGS[name] ?? []).reverse();
  if (decoders.length !== names.length || names.length === 0) {
    return { body: await readAtMost(source, maxBytes, maxBytes, host), decoded: false };
  }
  if (decoders.length > MAX_CODINGS) throw new OutboundError('network', `${host} answered in too many content codings`);
  let body = await readAtMost(source, maxBytes + CODING_OVERHEAD, maxBytes, host);
  if (body.length === 0) return { body, decoded: true };
  for (const [index, decode] of decoders.entries()) {
    const limit = index === decoders.length - 1 ? maxBytes : maxBytes + CODING_OVERHEAD;
    body = await decode(body, Math.max(limit, 1)).catch((error: unknown) => {
      throw isTooLong(error) ? tooLarge(host, maxBytes) : damaged(host, error);
    });
  }
  if (body.length > maxBytes) throw tooLarge(host, maxBytes);
  return { body, decoded: true };
}

/** Lets the rest of an answer go; whoever called waits for none of it. */
export function dropBody(source: Dispatcher.ResponseData['body']): void {
  source.dump({ limit: DROPPED_BYTES, signal: AbortSignal.timeout(DROPPED_MS) }).catch(() => undefined);
}

/** @returns the error for a body above the limit. */
export function tooLarge(host: string, maxBytes: number): OutboundError {
  return new OutboundError('too-large', `the body that ${host} answered is larger than ${maxBytes} bytes`);
}

async function readAtMost(source: Readable, stopAfter: number, maxBytes: number, host: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of source) {
    const bytes: Buffer = Buffer.from(chunk);
    total += bytes.length;
    if (total > stopAfter) throw tooLarge(host, maxBytes);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks, total);
}

function isTooLong(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}

function damaged(host: string, cause: unknown): OutboundError {
  return new OutboundError('network', `${host} answered compressed data that is damaged or cut short`, { cause });
}

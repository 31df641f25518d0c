/** The real clock, ids, randomness and hashes of the process. */
import { hash, randomBytes } from 'node:crypto';
import type { Runtime } from '../src/ports/runtime.ts';

/** @returns a {@link Runtime} on the system's clock and generator. */
export function systemRuntime(): Runtime {
  const random = pooledRandom();
  return {
    now: () => Date.now(),
    newId: () => uuidV7(Date.now(), random(10)),
    randomHex: (bytes) => random(bytes).toString('hex'),
    random: () => Math.random(),
    sha256: (text) => hash('sha256', text, 'hex'),
    uuidOf: (text) => uuidV8(hash('sha256', text, 'hex')),
  };
}

const POOL_BYTES = 8_192;

/** Asks the system's generator in large pieces, because one call costs more than the bytes; no byte is given out twice. */
function pooledRandom(): (bytes: number) => Buffer {
  let pool = randomBytes(POOL_BYTES);
  let used = 0;
  return (bytes) => {
    if (bytes > POOL_BYTES / 8) return randomBytes(bytes);
    if (used + bytes > POOL_BYTES) {
      pool = randomBytes(POOL_BYTES);
      used = 0;
    }
    const piece = Buffer.from(pool.subarray(used, used + bytes));
    pool.fill(0, used, used + bytes);
    used += bytes;
    return piece;
  };
}

/** RFC 9562 §5.7: 48 bits of milliseconds, then version, variant and 74 random bits. */
function uuidV7(now: number, random: Buffer): string {
  const time = now.toString(16).padStart(12, '0');
  const tail = random.toString('hex');
  return dashed(`${time}7${tail.slice(0, 3)}${variant(tail.slice(3, 4))}${tail.slice(4, 19)}`);
}

/** RFC 9562 §5.8: 122 bits of our own choosing, here of a digest. */
function uuidV8(digest: string): string {
  return dashed(
    `${digest.slice(0, 12)}8${digest.slice(12, 15)}${variant(digest.slice(15, 16))}${digest.slice(16, 31)}`,
  );
}

function variant(nibble: string): string {
  return ((Number.parseInt(nibble, 16) & 0x3) | 0x8).toString(16);
}

function dashed(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

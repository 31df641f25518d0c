/** All randomness a task sees: the key stream of AES-256-CTR under the seed recorded with the attempt. */
import { type Cipheriv, createCipheriv } from 'node:crypto';

const BLOCK_BYTES = 1024;
const ZEROS = Buffer.alloc(BLOCK_BYTES);
const TWO_TO_26 = 2 ** 26;
const TWO_TO_53 = 2 ** 53;

export class Entropy {
  readonly #seed: string;
  #cipher: Cipheriv | undefined;
  #block = Buffer.alloc(0);
  #used = 0;

  /** @param seed 32 bytes in hex; used only when the first number is asked for */
  constructor(seed: string) {
    this.#seed = seed;
  }

  /** @returns a number in [0, 1) of 53 random bits. */
  number(): number {
    const bytes = this.bytes(8);
    const high = bytes.readUInt32LE(0) >>> 5;
    const low = bytes.readUInt32LE(4) >>> 6;
    return (high * TWO_TO_26 + low) / TWO_TO_53;
  }

  bytes(count: number): Buffer {
    if (this.#block.length - this.#used >= count) {
      this.#used += count;
      return this.#block.subarray(this.#used - count, this.#used);
    }
    const parts = [this.#block.subarray(this.#used)];
    let have = parts[0]?.length ?? 0;
    while (have < count) {
      this.#cipher ??= createCipheriv('aes-256-ctr', Buffer.from(this.#seed, 'hex'), Buffer.alloc(16));
      this.#block = this.#cipher.update(ZEROS);
      parts.push(this.#block);
      have += BLOCK_BYTES;
    }
    const all = Buffer.concat(parts, have);
    this.#used = BLOCK_BYTES - (have - count);
    return all.subarray(0, count);
  }
}

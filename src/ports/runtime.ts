/** Time, ids, randomness and hashes as values that come in, so that everything above can be pure and repeated. */

export interface Runtime {
  /** Milliseconds since the epoch. */
  now(): number;
  /** A new UUIDv7: sortable by time. */
  newId(): string;
  /** Cryptographically secure random bytes as lower-case hex. */
  randomHex(bytes: number): string;
  /** A number in [0, 1). */
  random(): number;
  /** SHA-256 of UTF-8 text, lower-case hex. */
  sha256(text: string): string;
  /** A UUIDv8 that is a pure function of `text` (the first 128 bits of its SHA-256). */
  uuidOf(text: string): string;
}

/** What is asked about API keys when a request comes: who holds the key that was sent, as of now. */
import type { Principal } from '../domain/access.ts';
import type { KeyGrant } from '../domain/access-key.ts';

/** A key of the configuration, as it is kept. */
export interface ConfiguredKey extends KeyGrant {
  /** SHA-256 of the key, lower-case hex. */
  readonly hash: string;
  readonly active: boolean;
}

/** Who was let in; or why nobody was, for the log of the server only. */
export type Admission = { readonly principal: Principal } | { readonly refused: string };

/** Somebody who came with a key before. */
export interface KeyHolder {
  readonly name: string;
  readonly isProof: (proof: string) => boolean;
  readonly until: number;
}

export interface KeyDirectory {
  /** @returns who holds `key`, sent from `address`. */
  admit(key: string, address: string): Admission;
  /** @returns what proves that `principal` came with the key it came with; null for those who came without one. */
  proofOf(principal: Principal): string | null;
  /** @returns who holds a key of this name now, if it is still one that gives the proof; counts until `until` (milliseconds since the epoch). */
  admitHolder(holder: KeyHolder, address: string): Admission;
  /** @returns whether the configuration has a key of this name. */
  isConfigured(name: string): boolean;
  /** Takes in everything that is stored by now. */
  refresh(): Promise<void>;
  /** Calls `onEnd` once, when the key of `principal` is revoked, replaced, or ends sooner than was known. Returns what stops the watch. */
  watch(principal: Principal, onEnd: () => void): () => void;
}

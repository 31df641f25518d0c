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

export interface KeyDirectory {
  /** @returns who holds `key`, sent from `address`. */
  admit(key: string, address: string): Admission;
  /** @returns whether the configuration has a key of this name. */
  isConfigured(name: string): boolean;
  /** Takes in everything that is stored by now. */
  refresh(): Promise<void>;
  /** Calls `onEnd` once, when the key of `principal` is revoked, replaced, or ends sooner than was known. Returns what stops the watch. */
  watch(principal: Principal, onEnd: () => void): () => void;
}

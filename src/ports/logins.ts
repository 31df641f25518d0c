/** What is asked about sessions of browsers when a request comes: whether the one that its cookie names goes on, as of now. */
import type { Principal } from '../domain/access.ts';
import type { LoginBasis } from '../domain/login.ts';

/** A session whose cookie was sent, and that has not ended by itself. */
export interface Login {
  /** Of all sessions of the caller. */
  readonly accountId: string;
  readonly loginId: string;
  readonly basis: LoginBasis;
  /** When it ends at the latest, in milliseconds since the epoch. */
  readonly until: number;
  /** What a page has to send with whatever changes something. */
  readonly csrfToken: string;
  /** Takes the same time for whatever is given. */
  readonly isCsrfToken: (given: string) => boolean;
  /** Whether it was opened on what gives this proof. */
  readonly standsOn: (proof: string) => boolean;
}

/** A session that is about to be opened. */
export interface NewLogin {
  /** Holds the secret; is told to the browser and kept nowhere. */
  readonly cookie: string;
  readonly csrfToken: string;
  readonly facts: {
    readonly accountId: string;
    readonly loginId: string;
    readonly hash: string;
    readonly bond: string;
    readonly openedAt: string;
    readonly endsAt: string;
  };
}

/** `isGuess`: nobody was ever given this cookie. */
export type FoundLogin = { readonly login: Login } | { readonly refused: string; readonly isGuess: boolean };

export interface Logins {
  /** @returns a session for a caller that `proof` proves; nothing is stored yet. */
  begin(principal: Principal, proof: string): NewLogin;
  /** @returns the session of a cookie. Fails with an error of the store. */
  find(cookie: string): Promise<FoundLogin>;
  /** Takes in what is stored about the sessions of a caller by now. Fails with an error of the store. */
  refresh(accountId: string): Promise<void>;
  /** `principal` came with `login`, which is used by that. */
  admitted(principal: Principal, login: Login): void;
  /** @returns what `principal` came with; null for all who came otherwise. */
  of(principal: Principal): Login | null;
  /** `principal` does something over what it has opened before, such as a socket. */
  used(principal: Principal): void;
  /** Calls `onEnd` once, when the session of `principal` ends. Returns what stops the watch. */
  watch(principal: Principal, onEnd: () => void): () => void;
}

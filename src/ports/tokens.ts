/** Signed tokens: who came with one, and how one is made. */
import type { Permission, TaskPatterns } from '../domain/access.ts';
import type { Admission } from './key-directory.ts';

/** What a new token says. */
export interface TokenGrant {
  readonly tokenId: string;
  readonly subject: string;
  readonly permissions: readonly Permission[];
  readonly tasks: TaskPatterns;
  /** Milliseconds since the epoch. */
  readonly issuedAt: number;
  /** Seconds; null: as the configuration says. */
  readonly expiresInSeconds: number | null;
}

export interface IssuedToken {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export interface Tokens {
  /** @returns who came with `token`. Never rejects: a token that can not be checked is refused. */
  admit(token: string): Promise<Admission>;
  /** @returns what changes whenever the rules by which tokens of this principal (its id) are accepted do; null when none are any more. */
  proofOf(principalId: string): string | null;
  /** Fails with `unsupported` where no secret for tokens is configured. */
  issue(grant: TokenGrant): Promise<IssuedToken>;
}

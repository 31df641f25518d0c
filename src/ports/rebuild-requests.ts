/** How a process that only follows has read models rebuilt by the one that projects: it leaves a request where both look. */
import type { ErrorCode } from '../domain/errors.ts';

/** An error as it crosses from one process or thread to another. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface RebuildRequest {
  readonly id: string;
  /** Projections; null: all. */
  readonly names: readonly string[] | null;
}

/** `asked`: nobody has seen it yet; `taken`: it waits for its turn, or is under way. */
export type RebuildState =
  | { readonly status: 'asked' | 'taken' | 'done' }
  | { readonly status: 'failed'; readonly error: Refusal };

/** All fail with `store_unavailable`. */
export interface RebuildRequests {
  /** @returns the id of the new request. */
  ask(names: readonly string[] | null): Promise<string>;
  /** How a request stands; null when there is none of that id. */
  state(id: string): Promise<RebuildState | null>;
  /** Forgets a request, whatever has become of it. */
  forget(id: string): Promise<void>;
  /** For the process that projects: all requests that have not ended, oldest first; they are `taken` from now on. */
  take(): Promise<readonly RebuildRequest[]>;
  /** For the process that projects: what has become of a request. */
  end(id: string, error: Refusal | null): Promise<void>;
}

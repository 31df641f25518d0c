/** What an open read store is, whichever database keeps it. */
import type { Kysely } from 'kysely';
import type { HeldLock } from '../../src/ports/held-lock.ts';
import type { ProjectionStore } from '../../src/ports/read-store.ts';

export interface ReadStore<Schema> {
  /** For queries. */
  readonly db: Kysely<Schema>;
  readonly projections: ProjectionStore;
  /** Takes the lock of the one process that projects into this store; null while another holds it. Fails with `store_unavailable`. */
  hold(): Promise<HeldLock | null>;
  close(): void | Promise<void>;
}

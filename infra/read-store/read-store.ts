/** What an open read store is, whichever database keeps it. */
import type { Kysely } from 'kysely';
import type { ProjectionLock, ProjectionStore } from '../../src/ports/read-store.ts';
import type { RebuildRequests } from '../../src/ports/rebuild-requests.ts';

export interface ReadStore<Schema> {
  /** For queries. */
  readonly db: Kysely<Schema>;
  /** For whoever projects alone, or only looks how far others are. */
  readonly projections: ProjectionStore;
  /**
   * Takes the lock of the one process that projects into this store; null while another holds it. Does not wait.
   * A database server takes it from a holder that is frozen or cut off.
   *
   * @param displacing takes it from any other holder where the database can do that; a later call then finds it free
   * Fails with `store_unavailable`.
   */
  hold(displacing?: boolean): Promise<ProjectionLock | null>;
  readonly rebuilds: RebuildRequests;
  close(): void | Promise<void>;
}

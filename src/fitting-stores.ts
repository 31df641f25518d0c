/** Looks at the start whether stores that answered are the right ones: of this log, and of this time. */
import type { FastifyBaseLogger } from 'fastify';
import { isEventStoreDbUrl } from '../infra/event-store/eventstoredb-url.ts';
import { isPostgres } from '../infra/postgres/address.ts';
import type { PostgresOptions } from '../infra/postgres/pool.ts';
import { assertSameLog } from '../projections/log-origin.ts';
import type { EventStore } from './ports/event-store.ts';
import type { ProjectionStore } from './ports/read-store.ts';

/** Compares the clock of this machine with those of the databases, and warns. Fails with `clock_differs` and `store_unavailable`. */
export async function assertClocks(
  addresses: readonly string[],
  options: PostgresOptions,
  logger: FastifyBaseLogger,
): Promise<void> {
  for (const address of new Set(addresses.filter(isPostgres))) {
    const [{ checkClock }, { connections }] = await Promise.all([
      import('../infra/postgres/clock.ts'),
      import('../infra/postgres/pool.ts'),
    ]);
    const asking = connections(address, { ...options, poolSize: 1 });
    try {
      const warning = await checkClock(asking);
      if (warning !== null) logger.warn(warning);
    } finally {
      await asking.close();
    }
  }
}

/** Fails with `read_models_differ` when the rows are not of this log. */
export async function assertOwnRows(eventStoreUrl: string, events: EventStore, rows: ProjectionStore): Promise<void> {
  await assertSameLog({ events, rows, hasOwnPositions: !isEventStoreDbUrl(eventStoreUrl) });
}

/** How fast all built-in projections together fold a log in PostgreSQL, against the bare statements that they lead to. */
import { Client } from 'pg';
import { openEventStore } from '../../infra/event-store/open.ts';
import { openReadStore } from '../../infra/read-store/open.ts';
import type { ReadModels } from '../../projections/read-models.ts';
import type { Statement } from '../../src/ports/read-store.ts';
import { startPostgres } from '../support/postgres.ts';
import { openHome } from '../support/server.ts';
import type { Benchmark, BenchSettings, Outcome } from './benchmark.ts';
import { interleaved } from './measure.ts';
import { caughtUp, fill, GROUP, makeTables, prepared, templates } from './real-log.ts';

/** @returns seconds that the statements take by the bare driver, each prepared by name. @param url an empty database */
async function inserted(url: string, groups: readonly Statement[][]): Promise<number> {
  await makeTables(await openReadStore<ReadModels>(url));
  const client = new Client({ connectionString: url });
  await client.connect();
  const names = new Map([...new Set(groups.flat().map(({ sql }) => sql))].map((sql, index) => [sql, `s${index}`]));
  const start = performance.now();
  for (const group of groups) {
    await client.query('BEGIN');
    for (const { sql, parameters } of group) {
      await client.query({ name: names.get(sql) ?? '', text: sql, values: [...parameters] });
    }
    await client.query('COMMIT');
  }
  const seconds = (performance.now() - start) / 1000;
  await client.end();
  return seconds;
}

async function run({ rounds }: BenchSettings): Promise<Outcome> {
  using home = openHome();
  const executions = await templates(home);
  const server = await startPostgres({ durable: true });
  try {
    const url = await server.newDatabase();
    const store = await openEventStore(url, { postgres: { poolSize: 5 } });
    try {
      const count = await fill(store, executions);
      const sample = await openReadStore<ReadModels>(await server.newDatabase());
      const groups = await prepared(store, sample);
      await sample.close();
      const head = await store.head();
      const project = async () => caughtUp({ eventStoreUrl: url, readStore: await server.newDatabase() }, head);
      await project();
      const { projections, bare } = await interleaved(rounds, {
        bare: async () => count / (await inserted(await server.newDatabase(), groups)),
        projections: async () => count / (await project()),
      });
      return {
        lines: [
          {
            name: 'events folded by all projections',
            unit: '/s',
            value: projections,
            baseline: { name: 'bare statements', value: bare },
            limits: [{ of: 'value', floor: 20_000, goal: 40_000 }],
          },
        ],
        notes: [
          `${count.toLocaleString('en')} events: the log of catch-up, in PostgreSQL with fsync on; read models in a database of their own`,
          `baseline: the same statements one after the other, prepared by name, ${GROUP} events a transaction, without reading the log or folding`,
        ],
      };
    } finally {
      await store.close();
    }
  } finally {
    await server.close();
  }
}

export const catchUpPostgres: Benchmark = {
  name: 'catch-up-postgres',
  title: 'all built-in projections from an empty read store in PostgreSQL',
  run,
};

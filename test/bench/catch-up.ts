/** How fast all built-in projections together fold a log, against the bare inserts that they lead to. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openEventStore } from '../../infra/event-store/open.ts';
import { bindable } from '../../infra/read-store/node-sqlite-dialect.ts';
import { openSqliteReadStore } from '../../infra/read-store/sqlite.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import type { ReadModels } from '../../projections/read-models.ts';
import type { Statement } from '../../src/ports/read-store.ts';
import { type Home, openHome } from '../support/server.ts';
import type { Benchmark, BenchSettings, Outcome } from './benchmark.ts';
import { interleaved } from './measure.ts';
import { caughtUp, fill, GROUP, makeTables, prepared, templates } from './real-log.ts';

const runtime = systemRuntime();

/** @returns seconds that the statements take by the bare driver. */
async function inserted(home: Home, groups: readonly Statement[][]): Promise<number> {
  const file = join(home.folder, `${runtime.newId()}.db`);
  await makeTables(openSqliteReadStore<ReadModels>(file));
  const database = new DatabaseSync(file);
  database.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma cache_size = -32000');
  const statements = new Map(groups.flat().map(({ sql }) => [sql, database.prepare(sql)]));
  const start = performance.now();
  for (const group of groups) {
    database.exec('begin immediate');
    for (const { sql, parameters } of group) statements.get(sql)?.run(...parameters.map(bindable));
    database.exec('commit');
  }
  const seconds = (performance.now() - start) / 1000;
  database.close();
  return seconds;
}

async function run({ rounds }: BenchSettings): Promise<Outcome> {
  using home = openHome();
  const executions = await templates(home);
  const url = `sqlite:${join(home.folder, 'log.db')}`;
  const store = await openEventStore(url);
  try {
    const count = await fill(store, executions);
    const sample = openSqliteReadStore<ReadModels>(':memory:');
    const groups = await prepared(store, sample);
    await sample.close();
    const head = await store.head();
    const readStore = (): string => join(home.folder, `${runtime.newId()}.db`);
    const project = () => caughtUp({ eventStoreUrl: url, readStore: readStore() }, head);
    await project();
    const { projections, bare } = await interleaved(rounds, {
      bare: async () => count / (await inserted(home, groups)),
      projections: async () => count / (await project()),
    });
    const changes = groups.reduce((sum, group) => sum + group.length, 0);
    const sizes = executions.map((template) => template.length).join(' and ');
    return {
      lines: [
        {
          name: 'events folded by all projections',
          unit: '/s',
          value: projections,
          baseline: { name: 'bare statements', value: bare },
          limits: [{ of: 'value', floor: 30_000, goal: 60_000 }],
        },
      ],
      notes: [
        `${count.toLocaleString('en')} events: copies of a real no-op and of one with 3 HTTP steps, log lines and spans (${sizes} events); ${(changes / count).toFixed(2)} row changes an event`,
        `baseline: the same statements, prepared beforehand, ${GROUP} events a transaction, without reading the log or folding`,
      ],
    };
  } finally {
    await store.close();
  }
}

export const catchUp: Benchmark = { name: 'catch-up', title: 'all built-in projections from an empty read store', run };

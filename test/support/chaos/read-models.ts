/** Whether what is shown agrees with what has happened: the tables of the nodes beside those that the log alone makes. */
import { sql } from 'kysely';
import { openReadStore } from '../../../infra/read-store/open.ts';
import type { ReadStore } from '../../../infra/read-store/read-store.ts';
import { type ReadModelName, type ReadModels, TABLES } from '../../../projections/read-models.ts';
import { projectInline } from '../../../src/projector.ts';
import { eventually } from '../server.ts';
import type { Cluster } from './nodes.ts';

const PATIENCE_MS = 60_000;
const SHOWN = 5;

/** Rows as text, by what is the same in both. */
type Rows = Readonly<Record<string, ReadonlySet<string>>>;

/**
 * Projects the whole log anew in a database of its own.
 * @returns the rows that only one of the two has, once the nodes have caught up; some of them where there are many.
 */
export async function differingRows({ server, log, databaseUrl }: Cluster): Promise<readonly string[]> {
  const shown = await openReadStore<ReadModels>(databaseUrl, { poolSize: 2 });
  const made = await openReadStore<ReadModels>(await server.newDatabase(), { poolSize: 2 });
  const head = await log.head();
  const projector = await projectInline(log, made);
  try {
    await projector.progress.reach(head, PATIENCE_MS);
    let found: readonly string[] = [];
    await eventually(
      'the read models agree with the log',
      async () => {
        found = differences(await rowsOf(shown), await rowsOf(made));
        return found.length === 0 ? true : undefined;
      },
      PATIENCE_MS,
    ).catch(() => undefined);
    return found;
  } finally {
    await projector.close();
    await shown.close();
    await made.close();
  }
}

async function rowsOf({ db }: ReadStore<ReadModels>): Promise<Rows> {
  const tables = Object.keys(TABLES) as ReadModelName[];
  const entries = tables.map(async (table) => {
    const { rows } = await sql<Readonly<Record<string, unknown>>>`select * from ${sql.table(table)}`.execute(db);
    return [table, new Set(rows.map((row) => JSON.stringify(table === 'workers' ? resting(row) : row)))] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** Heartbeats go on while the two are compared. */
function resting(row: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { ...row, seen_at: null, running: null };
}

function differences(shown: Rows, made: Rows): readonly string[] {
  return Object.keys(made).flatMap((table) => {
    const [here, there] = [shown[table] ?? new Set<string>(), made[table] ?? new Set<string>()];
    const wrong = [...here].filter((row) => !there.has(row)).map((row) => `only shown, in ${table}: ${row}`);
    const missing = [...there].filter((row) => !here.has(row)).map((row) => `only in the log, of ${table}: ${row}`);
    return [...wrong.slice(0, SHOWN), ...missing.slice(0, SHOWN)];
  });
}

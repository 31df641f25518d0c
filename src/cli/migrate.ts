/** `ratchet migrate`: brings the tables of a PostgreSQL database up to this program, before the program is started. */
import { EVENT_LOG_MIGRATIONS } from '../../infra/event-store/postgres-schema.ts';
import { isPostgres } from '../../infra/postgres/address.ts';
import { type MigrationStatus, migrate, migrationStatus } from '../../infra/postgres/migrations.ts';
import { assertReachable, connections } from '../../infra/postgres/pool.ts';
import { roleScript } from '../../infra/postgres/roles.ts';
import { READ_STORE_MIGRATIONS } from '../../infra/read-store/postgres.ts';
import type { AppSettings } from '../app.ts';
import type { ExitCode } from './exit.ts';
import { type Output, table } from './output.ts';

export interface MigrateOptions {
  /** Only tell what has been applied. */
  readonly status?: boolean;
  /** Only print the script that gives this role its rights. */
  readonly roles?: string;
}

type DatabaseSettings = Pick<AppSettings, 'eventStoreUrl' | 'readStore' | 'postgres'>;

/** Applies what is missing, or does what the options ask instead. Fails with `store_unavailable`. */
export async function migrateDatabase(
  settings: DatabaseSettings,
  { status, roles }: MigrateOptions,
  output: Output,
): Promise<ExitCode> {
  if (roles !== undefined) {
    const script = roleScript(roles);
    output.result({ role: roles, script }, () => script);
    return 0;
  }
  const places = placesOf(settings);
  if (places.length === 0) {
    const words = 'nothing to do: this database is brought up to date whenever it is opened';
    output.result({ applied: [], migrations: [] }, () => words);
    return 0;
  }
  const applied: string[] = [];
  const migrations: MigrationStatus[] = [];
  for (const { url, known } of places) {
    const pool = connections(url, { ...settings.postgres, poolSize: 1 });
    try {
      await assertReachable(pool);
      if (status !== true) applied.push(...(await migrate(pool, known)));
      migrations.push(...(await migrationStatus(pool, known)));
    } finally {
      await pool.close();
    }
  }
  output.result({ applied, migrations }, () => told(applied, migrations, status === true));
  return 0;
}

/** Log and read models may be in databases of their own. */
function placesOf({ eventStoreUrl, readStore }: DatabaseSettings) {
  const beside = isPostgres(eventStoreUrl) ? eventStoreUrl : null;
  const places = [
    { url: eventStoreUrl, known: EVENT_LOG_MIGRATIONS },
    { url: readStore ?? beside ?? '', known: READ_STORE_MIGRATIONS },
  ];
  return places.filter(({ url }) => isPostgres(url));
}

function told(applied: readonly string[], migrations: readonly MigrationStatus[], isStatus: boolean): string {
  if (isStatus) {
    return table([
      ['migration', 'applied'],
      ...migrations.map(({ name, appliedAt }) => [name, appliedAt ?? 'not yet']),
    ]);
  }
  return applied.length === 0 ? 'nothing to do: the tables are up to date' : `applied: ${applied.join(', ')}`;
}

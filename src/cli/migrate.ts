/** `ratchet migrate`: brings the tables of a PostgreSQL database up to this program, before the program is started. */
import { EVENT_LOG_MIGRATIONS } from '../../infra/event-store/postgres-schema.ts';
import { type MigrationStatus, migrate, migrationStatus } from '../../infra/postgres/migrations.ts';
import { assertReachable, connections } from '../../infra/postgres/pool.ts';
import { roleScript } from '../../infra/postgres/roles.ts';
import type { AppSettings } from '../app.ts';
import type { ExitCode } from './exit.ts';
import { type Output, table } from './output.ts';

export interface MigrateOptions {
  /** Only tell what has been applied. */
  readonly status?: boolean;
  /** Only print the script that gives this role its rights. */
  readonly roles?: string;
}

/** Applies what is missing, or does what the options ask instead. Fails with `store_unavailable`. */
export async function migrateDatabase(
  { eventStoreUrl, postgres }: Pick<AppSettings, 'eventStoreUrl' | 'postgres'>,
  { status, roles }: MigrateOptions,
  output: Output,
): Promise<ExitCode> {
  if (roles !== undefined) {
    const script = roleScript(roles);
    output.result({ role: roles, script }, () => script);
    return 0;
  }
  if (!/^postgres(ql)?:/.test(eventStoreUrl)) {
    const words = 'nothing to do: this database is brought up to date whenever it is opened';
    output.result({ applied: [], migrations: [] }, () => words);
    return 0;
  }
  const pool = connections(eventStoreUrl, { ...postgres, poolSize: 1 });
  try {
    await assertReachable(pool);
    const applied = status === true ? [] : await migrate(pool, EVENT_LOG_MIGRATIONS);
    const migrations = await migrationStatus(pool, EVENT_LOG_MIGRATIONS);
    output.result({ applied, migrations }, () => told(applied, migrations, status === true));
    return 0;
  } finally {
    await pool.close();
  }
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

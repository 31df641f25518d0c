/** All read models: their tables as Kysely sees them, and how they are made. Everything here can be thrown away and rebuilt. */
import type { ColumnDefinitionBuilder, CreateIndexBuilder, CreateTableBuilder, Kysely } from 'kysely';

/** Type of a column; `?` where it may be null. */
type Column = 'text' | 'text?' | 'integer' | 'integer?' | 'real?';

interface Table {
  readonly key: readonly string[];
  readonly columns: Readonly<Record<string, Column>>;
  readonly indexes: readonly (readonly string[])[];
}

/**
 * Columns, keys and indexes of each table; both databases make them from this.
 * Times are ISO text; structured values are JSON text; booleans are 0 and 1. Positions are opaque text.
 */
export const TABLES = {
  tasks: {
    key: ['task_id'],
    indexes: [['name'], ['category', 'name'], ['uuid'], ['updated_at', 'task_id']],
    columns: {
      task_id: 'text',
      name: 'text',
      uuid: 'text?',
      status: 'text',
      version: 'integer',
      version_label: 'text',
      content_hash: 'text',
      label: 'text?',
      description: 'text',
      tags: 'text',
      category: 'text?',
      author: 'text?',
      dangerous: 'integer',
      source: 'text?',
      revision: 'text?',
      created_at: 'text',
      updated_at: 'text',
      position: 'text',
    },
  },
  task_versions: {
    key: ['task_id', 'version'],
    indexes: [],
    columns: {
      task_id: 'text',
      version: 'integer',
      version_label: 'text',
      content_hash: 'text',
      description: 'text',
      code: 'text',
      input_schema: 'text',
      output_schema: 'text',
      tests: 'text',
      metadata: 'text',
      source: 'text?',
      revision: 'text?',
      published_by: 'text',
      published_at: 'text',
      position: 'text',
    },
  },
  executions: {
    key: ['execution_id'],
    indexes: [
      ['status', 'requested_at'],
      ['task_id', 'requested_at'],
      ['principal', 'requested_at'],
      ['source', 'requested_at'],
      ['requested_at'],
      ['parent_id'],
      ['original_execution'],
      ['fingerprint', 'requested_at'],
      ['finished_at', 'execution_id'],
      ['duration_ms', 'execution_id'],
    ],
    columns: {
      execution_id: 'text',
      task_id: 'text',
      task_name: 'text',
      task_version: 'integer',
      status: 'text',
      attempt: 'integer',
      mode: 'text?',
      worker: 'text?',
      source: 'text',
      session_id: 'text?',
      client_info: 'text?',
      principal: 'text',
      priority: 'integer',
      trace: 'integer',
      input: 'text',
      output: 'text?',
      error_code: 'text?',
      error_name: 'text?',
      error_message: 'text?',
      error: 'text?',
      fingerprint: 'text?',
      progress: 'real?',
      progress_step: 'text?',
      progress_message: 'text?',
      steps: 'integer',
      log_lines: 'integer',
      trace_id: 'text',
      parent_id: 'text?',
      original_execution: 'text?',
      retry_reason: 'text?',
      fork_step: 'text?',
      metadata: 'text',
      options: 'text',
      requested_at: 'text',
      started_at: 'text?',
      wait_until: 'text?',
      waiting_for: 'text?',
      finished_at: 'text?',
      duration_ms: 'integer?',
      position: 'text',
    },
  },
  steps: {
    key: ['execution_id', 'attempt', 'path'],
    indexes: [],
    columns: {
      execution_id: 'text',
      attempt: 'integer',
      path: 'text',
      kind: 'text',
      name: 'text',
      status: 'text',
      args_hash: 'text',
      request: 'text',
      outcome: 'text?',
      turn: 'integer?',
      started_at: 'integer',
      ended_at: 'integer?',
      position: 'text',
    },
  },
  log_lines: {
    key: ['execution_id', 'attempt', 'ordinal'],
    indexes: [],
    columns: {
      execution_id: 'text',
      attempt: 'integer',
      ordinal: 'integer',
      level: 'text',
      severity: 'integer',
      message: 'text',
      fields: 'text?',
      clock: 'integer',
      span_id: 'text',
      trace_id: 'text',
      position: 'text',
    },
  },
  spans: {
    key: ['execution_id', 'attempt', 'ordinal'],
    indexes: [],
    columns: {
      execution_id: 'text',
      attempt: 'integer',
      ordinal: 'integer',
      trace_id: 'text',
      span_id: 'text',
      parent_span_id: 'text?',
      name: 'text',
      kind: 'text',
      started_at: 'integer',
      ended_at: 'integer',
      ok: 'integer',
      attributes: 'text',
      position: 'text',
    },
  },
  audit: {
    key: ['position'],
    indexes: [
      ['subject_id', 'position'],
      ['principal', 'position'],
      ['action', 'position'],
    ],
    columns: {
      position: 'text',
      occurred_at: 'text',
      principal: 'text',
      action: 'text',
      subject: 'text',
      subject_id: 'text',
      command_id: 'text',
      correlation_id: 'text',
      details: 'text',
    },
  },
  dispatch: {
    key: ['execution_id'],
    indexes: [
      ['state', 'priority', 'client', 'run_at', 'requested'],
      ['state', 'run_at'],
    ],
    columns: {
      execution_id: 'text',
      client: 'text',
      state: 'text',
      run_at: 'text',
      priority: 'integer',
      worker: 'text?',
      picked_by: 'text?',
      picked_until: 'integer?',
      answered: 'integer',
      waits_for: 'text?',
      requested: 'text',
    },
  },
  replays: {
    key: ['replay_id'],
    indexes: [['execution_id', 'started_at'], ['started_at']],
    columns: {
      replay_id: 'text',
      execution_id: 'text',
      attempt: 'integer',
      mode: 'text',
      status: 'text',
      verdict: 'text?',
      principal: 'text',
      task_id: 'text',
      task_name: 'text',
      task_version: 'integer',
      patched_code: 'integer',
      patched_input: 'integer',
      stubs: 'integer',
      allow_live: 'integer',
      error_code: 'text?',
      error_message: 'text?',
      result: 'text?',
      started_at: 'text',
      duration_ms: 'integer?',
      position: 'text',
    },
  },
  access_keys: {
    key: ['key_id'],
    indexes: [['name']],
    columns: {
      key_id: 'text',
      name: 'text',
      description: 'text?',
      prefix: 'text',
      status: 'text',
      permissions: 'text',
      tasks: 'text',
      limits: 'text',
      allowed_ips: 'text',
      expires_at: 'text?',
      created_at: 'text',
      created_by: 'text',
      rotated_at: 'text?',
      previous_until: 'text?',
      revoked_at: 'text?',
      position: 'text',
    },
  },
  batches: {
    key: ['batch_id'],
    indexes: [
      ['requested_at', 'batch_id'],
      ['status', 'requested_at'],
    ],
    columns: {
      batch_id: 'text',
      status: 'text',
      items: 'integer',
      pending: 'integer',
      running: 'integer',
      completed: 'integer',
      failed: 'integer',
      cancelled: 'integer',
      skipped: 'integer',
      max_parallel: 'integer?',
      fail_fast: 'integer',
      metadata: 'text',
      principal: 'text',
      requested_at: 'text',
      ended_at: 'text?',
      position: 'text',
    },
  },
  batch_items: {
    key: ['batch_id', 'ordinal'],
    indexes: [['execution_id']],
    columns: {
      batch_id: 'text',
      ordinal: 'integer',
      item: 'text',
      execution_id: 'text',
      task_id: 'text',
      task_name: 'text',
      task_version: 'integer',
      depends_on: 'text',
      priority: 'integer',
      status: 'text',
      error: 'text?',
      started_at: 'text?',
      ended_at: 'text?',
      position: 'text',
    },
  },
  schedules: {
    key: ['schedule_id'],
    indexes: [
      ['name', 'schedule_id'],
      ['task_id', 'name'],
      ['status', 'name'],
    ],
    columns: {
      schedule_id: 'text',
      name: 'text',
      description: 'text',
      status: 'text',
      version: 'integer',
      task_id: 'text',
      task_name: 'text',
      task_version: 'integer?',
      cron: 'text',
      timezone: 'text',
      input: 'text',
      options: 'text',
      catch_up: 'text',
      start_at: 'text?',
      end_at: 'text?',
      next_run_at: 'text?',
      last_run_at: 'text?',
      last_execution_id: 'text?',
      last_skip: 'text?',
      fired: 'integer',
      skipped: 'integer',
      created_by: 'text',
      created_at: 'text',
      updated_at: 'text',
      position: 'text',
    },
  },
  deliveries: {
    key: ['delivery_id'],
    indexes: [
      ['requested_at', 'delivery_id'],
      ['target', 'status', 'next_attempt_at'],
      ['status', 'requested_at'],
      ['execution_id'],
      ['task_id', 'requested_at'],
    ],
    columns: {
      delivery_id: 'text',
      execution_id: 'text',
      task_id: 'text',
      task_name: 'text',
      target: 'text',
      kind: 'text',
      result: 'text',
      status: 'text',
      attempts: 'integer',
      worker: 'text?',
      last_status: 'integer?',
      last_error: 'text?',
      next_attempt_at: 'text?',
      requested_at: 'text',
      ended_at: 'text?',
      position: 'text',
    },
  },
  workers: {
    key: ['session_id'],
    indexes: [],
    columns: {
      session_id: 'text',
      status: 'text',
      host: 'text',
      pid: 'integer',
      capacity: 'integer',
      running: 'integer',
      isolation: 'text',
      node: 'text',
      lease_ms: 'integer',
      started_at: 'text',
      seen_at: 'text',
    },
  },
} as const satisfies Readonly<Record<string, Table>>;

type Value<Type extends Column> = Type extends `text${string}` ? string | NullOf<Type> : number | NullOf<Type>;
type NullOf<Type extends Column> = Type extends `${string}?` ? null : never;

export type ReadModelName = keyof typeof TABLES;

/** Rows of the read models, as Kysely sees them. */
export type ReadModels = {
  [Name in ReadModelName]: {
    -readonly [ColumnName in keyof (typeof TABLES)[Name]['columns']]: Value<
      Extract<(typeof TABLES)[Name]['columns'][ColumnName], Column>
    >;
  };
};

/** @returns the name of a table while its projection is rebuilt beside the one in use. */
export function nextTable(name: ReadModelName): string {
  return `${name}__next`;
}

/** Creates one table without its indexes, unless it is there. */
export async function createTable(db: Kysely<unknown>, name: ReadModelName): Promise<void> {
  await tableOf(db, name).execute();
}

/** One table without its indexes, to be made unless it is there. `as` is its physical name. */
export function tableOf(
  db: Kysely<unknown>,
  name: ReadModelName,
  as: string = name,
): CreateTableBuilder<string, string> {
  const table: Table = TABLES[name];
  let creation = db.schema.createTable(as).ifNotExists();
  for (const [column, type] of Object.entries(table.columns)) {
    const sqlType = type.startsWith('text') ? 'text' : type.startsWith('real') ? 'double precision' : 'bigint';
    const nullable = type.endsWith('?');
    creation = creation.addColumn(column, sqlType, (build: ColumnDefinitionBuilder) =>
      nullable ? build : build.notNull(),
    );
  }
  return creation.addPrimaryKeyConstraint(`${as}_key`, [...table.key] as never);
}

/** Creates the secondary indexes of a table, unless they are there. */
export async function createIndexes(db: Kysely<unknown>, name: ReadModelName): Promise<void> {
  for (const index of indexesOf(db, name)) await index.ifNotExists().execute();
}

/**
 * The secondary indexes of a table. Those of one that is built beside another in use need names of their own, which stay
 * when it takes the other's place.
 */
export function indexesOf(
  db: Kysely<unknown>,
  name: ReadModelName,
  beside?: { readonly as: string; readonly suffix: string },
): readonly CreateIndexBuilder<string>[] {
  const { indexes }: Table = TABLES[name];
  const end = beside === undefined ? '' : `_${beside.suffix}`;
  return indexes.map((columns) =>
    db.schema
      .createIndex(`${name}_by_${columns.join('_')}${end}`)
      .on(beside?.as ?? name)
      .columns([...columns]),
  );
}

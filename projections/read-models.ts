/** All read models: their tables as Kysely sees them, and how they are made. Everything here can be thrown away and rebuilt. */
import type { ColumnDefinitionBuilder, Kysely } from 'kysely';

/** Times are ISO text; structured values are JSON text; booleans are 0 and 1. Positions are opaque text. */
export interface ReadModels {
  tasks: {
    task_id: string;
    name: string;
    uuid: string | null;
    status: string;
    version: number;
    version_label: string;
    content_hash: string;
    label: string | null;
    description: string;
    tags: string;
    category: string | null;
    author: string | null;
    dangerous: number;
    source: string | null;
    created_at: string;
    updated_at: string;
    position: string;
  };
  task_versions: {
    task_id: string;
    version: number;
    version_label: string;
    content_hash: string;
    description: string;
    code: string;
    input_schema: string;
    output_schema: string;
    tests: string;
    metadata: string;
    source: string | null;
    published_by: string;
    published_at: string;
    position: string;
  };
  executions: {
    execution_id: string;
    task_id: string;
    task_name: string;
    task_version: number;
    status: string;
    attempt: number;
    mode: string | null;
    worker: string | null;
    source: string;
    session_id: string | null;
    client_info: string | null;
    principal: string;
    priority: number;
    trace: number;
    input: string;
    output: string | null;
    error_code: string | null;
    error_name: string | null;
    error_message: string | null;
    error: string | null;
    progress: number | null;
    progress_step: string | null;
    progress_message: string | null;
    steps: number;
    log_lines: number;
    trace_id: string;
    parent_id: string | null;
    original_execution: string | null;
    retry_reason: string | null;
    metadata: string;
    options: string;
    requested_at: string;
    started_at: string | null;
    wait_until: string | null;
    waiting_for: string | null;
    finished_at: string | null;
    duration_ms: number | null;
    position: string;
  };
  steps: {
    execution_id: string;
    attempt: number;
    path: string;
    kind: string;
    name: string;
    status: string;
    args_hash: string;
    request: string;
    outcome: string | null;
    turn: number | null;
    started_at: number;
    ended_at: number | null;
    position: string;
  };
  log_lines: {
    execution_id: string;
    attempt: number;
    ordinal: number;
    level: string;
    severity: number;
    message: string;
    fields: string | null;
    clock: number;
    span_id: string;
    trace_id: string;
    position: string;
  };
  spans: {
    execution_id: string;
    attempt: number;
    ordinal: number;
    trace_id: string;
    span_id: string;
    parent_span_id: string | null;
    name: string;
    kind: string;
    started_at: number;
    ended_at: number;
    ok: number;
    attributes: string;
    position: string;
  };
  audit: {
    position: string;
    occurred_at: string;
    principal: string;
    action: string;
    subject: string;
    subject_id: string;
    command_id: string;
    correlation_id: string;
    details: string;
  };
  dispatch: {
    execution_id: string;
    state: string;
    run_at: string;
    priority: number;
    worker: string | null;
    requested: string;
  };
  workers: {
    session_id: string;
    status: string;
    host: string;
    pid: number;
    capacity: number;
    running: number;
    isolation: string;
    node: string;
    lease_ms: number;
    started_at: string;
    seen_at: string;
  };
}

export type ReadModelName = keyof ReadModels;

type Column = 'text' | 'text?' | 'integer' | 'integer?' | 'real?';

interface Table {
  readonly key: readonly string[];
  readonly columns: Readonly<Record<string, Column>>;
  readonly indexes: readonly (readonly string[])[];
}

type Tables = {
  readonly [Name in ReadModelName]: Table & { readonly columns: Readonly<Record<keyof ReadModels[Name], Column>> };
};

/** Columns, keys and indexes of each table; both databases make them from this. */
export const TABLES: Tables = {
  tasks: {
    key: ['task_id'],
    indexes: [['name'], ['category', 'name'], ['uuid']],
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
      published_by: 'text',
      published_at: 'text',
      position: 'text',
    },
  },
  executions: {
    key: ['execution_id'],
    indexes: [['status', 'requested_at'], ['task_id', 'requested_at'], ['requested_at'], ['parent_id']],
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
      progress: 'real?',
      progress_step: 'text?',
      progress_message: 'text?',
      steps: 'integer',
      log_lines: 'integer',
      trace_id: 'text',
      parent_id: 'text?',
      original_execution: 'text?',
      retry_reason: 'text?',
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
    indexes: [['subject_id', 'position']],
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
    indexes: [['state', 'run_at']],
    columns: {
      execution_id: 'text',
      state: 'text',
      run_at: 'text',
      priority: 'integer',
      worker: 'text?',
      requested: 'text',
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
};

/** @returns the name of a table while its projection is rebuilt beside the one in use. */
export function nextTable(name: ReadModelName): string {
  return `${name}__next`;
}

/** Creates one table with its indexes, unless it is there. `as` is its physical name. */
export async function createTable(db: Kysely<unknown>, name: ReadModelName, as: string = name): Promise<void> {
  const table = TABLES[name];
  let creation = db.schema.createTable(as).ifNotExists();
  for (const [column, type] of Object.entries(table.columns)) {
    const sqlType = type.startsWith('text') ? 'text' : type.startsWith('real') ? 'double precision' : 'bigint';
    const nullable = type.endsWith('?');
    creation = creation.addColumn(column, sqlType, (build: ColumnDefinitionBuilder) =>
      nullable ? build : build.notNull(),
    );
  }
  await creation.addPrimaryKeyConstraint(`${as}_key`, [...table.key] as never).execute();
}

/** Creates the secondary indexes of a table: after a rebuild has filled it, because that is quicker. */
export async function createIndexes(db: Kysely<unknown>, name: ReadModelName, as: string = name): Promise<void> {
  for (const columns of TABLES[name].indexes) {
    const index = `${as}_by_${columns.join('_')}`;
    await db.schema
      .createIndex(index)
      .ifNotExists()
      .on(as)
      .columns([...columns])
      .execute();
  }
}

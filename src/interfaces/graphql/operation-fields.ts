/** The one list of operations as GraphQL fields: their names, and what they answer. New operations come in by themselves. */
import { encodeCursor } from '../../../queries/query.ts';
import type { Json } from '../../domain/event.ts';
import type { Operation } from '../operation.ts';
import { ROUTES } from '../surfaces.ts';
import { camelCase } from './names.ts';

type Row = Readonly<Record<string, unknown>>;

/** The cursor of a row in a list that was asked for with `input`. */
export type CursorOf = (row: Row, input: Row) => string;

/** What a field answers: free JSON where nothing better is known. */
export type Output =
  | { readonly kind: 'json' }
  | { readonly kind: 'object'; readonly type: string }
  | { readonly kind: 'list'; readonly type: string; readonly rows: string }
  | {
      readonly kind: 'connection';
      readonly type: string;
      /** Where the rows of a page stand in the answer. */
      readonly rows: string;
      readonly cursorOf: CursorOf;
    };

export interface OperationField {
  readonly field: string;
  readonly output: Output;
  /** Names of input fields that differ; null for those that the selection replaces. */
  readonly renamed: Readonly<Record<string, string | null>>;
  /** Given to the operation besides the arguments. */
  readonly fixed: Readonly<Record<string, Json>>;
}

/** Sort keys are what the lists themselves make their cursors of. */
const byKey = (...columns: readonly string[]): CursorOf => {
  return (row) => encodeCursor(columns.map((column) => keyPart(row[column])));
};

/** In another order than the standard one, the cursor says which. */
const bySort = (standard: string, id: string): CursorOf => {
  return (row, { sort }) => {
    const column = typeof sort === 'string' ? sort : standard;
    return encodeCursor([...[column, id].map((name) => keyPart(row[name])), ...(column === standard ? [] : [column])]);
  };
};

function keyPart(value: unknown): string | number {
  return typeof value === 'number' ? value : String(value);
}

const PAGE = { limit: 'first', cursor: 'after' };

const page = (field: string, type: string, rows: string, cursorOf: CursorOf): OperationField => ({
  field,
  output: { kind: 'connection', type, rows, cursorOf },
  renamed: PAGE,
  fixed: {},
});
const object = (field: string, type: string): OperationField => ({
  field,
  output: { kind: 'object', type },
  renamed: {},
  fixed: {},
});

/** Fields whose name or answer does not follow from the operation alone. */
const QUERIES: Readonly<Record<string, OperationField>> = {
  list_available_tasks: {
    ...page('tasks', 'Task', 'tasks', bySort('name', 'id')),
    renamed: { ...PAGE, include_schemas: null },
  },
  get_task: { ...object('task', 'Task'), renamed: { include_code: null } },
  list_task_versions: page('taskVersions', 'TaskVersion', 'versions', byKey('version')),
  list_executions: page('executions', 'Execution', 'executions', bySort('requested_at', 'execution_id')),
  get_execution_status: object('execution', 'Execution'),
  list_steps: page('steps', 'Step', 'steps', byKey('position', 'path')),
  get_execution_logs: page('logs', 'LogLine', 'logs', byKey('position', 'attempt', 'ordinal')),
  get_execution_trace: { ...object('trace', 'ExecutionTrace'), renamed: { format: null }, fixed: { format: 'json' } },
  visualize_execution_trace: object('traceVisualization', 'Document'),
  list_execution_events: {
    ...page('executionEvents', 'Event', 'events', ({ position }) => String(position)),
    output: { kind: 'json' },
  },
  list_events: {
    ...page('events', 'Event', 'events', ({ position }) => String(position)),
    renamed: { limit: 'first', category: 'categories', type: 'types' },
  },
  get_event: object('event', 'Event'),
  get_audit_trail: page('auditTrail', 'AuditEntry', 'entries', byKey('position')),
  list_failures: {
    ...page('failures', 'FailureGroup', 'failures', byKey('fingerprint')),
    output: { kind: 'list', type: 'FailureGroup', rows: 'failures' },
  },
  list_batches: page('batches', 'Batch', 'batches', byKey('requested_at', 'batch_id')),
  get_batch: { ...object('batch', 'Batch'), renamed: { item_status: null, limit: null, cursor: null } },
  list_replays: page('replays', 'Replay', 'replays', byKey('started_at', 'replay_id')),
  get_replay: object('replay', 'Replay'),
};

/** What mutations answer that is more than free JSON. */
const TICKETS: Readonly<Record<string, string>> = {
  execute_task: 'ExecutionTicket',
  create_execution: 'ExecutionTicket',
  cancel_execution: 'ExecutionTicket',
  retry_execution: 'ExecutionTicket',
  fork_execution: 'ExecutionTicket',
  answer_question: 'ExecutionTicket',
  batch_execute: 'BatchTicket',
  cancel_batch: 'BatchTicket',
  create_task: 'TaskTicket',
  edit_task: 'TaskTicket',
  enable_task: 'TaskTicket',
  disable_task: 'TaskTicket',
  delete_task: 'TaskTicket',
  restore_task: 'TaskTicket',
};

const JSON_OUTPUT: Output = { kind: 'json' };

/** Commands that change nothing and are read over REST, too. */
const READ_OVER_REST: ReadonlySet<string> = new Set(
  ROUTES.filter(({ method }) => method === 'GET').map(({ operation }) => operation),
);

/** @returns the field of the query type for an operation; null for one that is not read. */
export function queryFieldOf({ name, kind }: Pick<Operation, 'name' | 'kind'>): OperationField | null {
  if (kind === 'command' && !READ_OVER_REST.has(name)) return null;
  return QUERIES[name] ?? { field: camelCase(name), output: JSON_OUTPUT, renamed: {}, fixed: {} };
}

/** @returns the field of the mutation type for an operation; null for a query. */
export function mutationFieldOf({ name, kind }: Pick<Operation, 'name' | 'kind'>): OperationField | null {
  if (kind === 'query') return null;
  const type = TICKETS[name];
  const output: Output = type === undefined ? JSON_OUTPUT : { kind: 'object', type };
  return { field: camelCase(name), output, renamed: {}, fixed: {} };
}

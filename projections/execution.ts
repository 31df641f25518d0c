/** Shapes the facts about executions into one row each, and their journal into one row a step. */
import { idOf, type StoredEvent } from '../src/domain/event.ts';
import { EXECUTION_EVENT_TYPES, type ExecutionRequest, type Failure } from '../src/domain/execution.ts';
import { fingerprintOf } from '../src/domain/fingerprint.ts';
import type { KnownEvent } from '../src/domain/history.ts';
import { insert, type Projection, type RowChange, update, upsert } from './projection.ts';
import type { ReadModels } from './read-models.ts';

export const executions: Projection = {
  name: 'executions',
  version: 5,
  tables: ['executions'],
  types: [...EXECUTION_EVENT_TYPES, 'ProgressReported', 'LogLineWritten'],
  apply: (event, stored) => {
    const { stream, position, occurredAt, principal } = stored;
    const where = { execution_id: idOf(stream) };
    if (event.type === 'ExecutionRequested') {
      return [insert('executions', requestedRow(event.data, { principal, at: occurredAt, position }))];
    }
    if (event.type === 'LogLineWritten') return [update('executions', where, {}, { log_lines: 1 })];
    if (event.type === 'StepCompleted') return [update('executions', where, { position }, { steps: 1 })];
    const columns = changedColumns(event, stored);
    return columns === null ? [] : [update('executions', where, columns)];
  },
};

function changedColumns(event: KnownEvent, { position, recordedAt, occurredAt }: StoredEvent): Partial<Row> | null {
  switch (event.type) {
    case 'ExecutionStarted': {
      const { attempt, mode, worker } = event.data;
      const started = attempt === 1 ? { started_at: occurredAt } : {};
      return { status: 'running', attempt, mode, worker, ...NOT_WAITING, ...started, position };
    }
    case 'ProgressReported': {
      const { progress, step, message } = event.data;
      return { progress, progress_step: step, progress_message: message };
    }
    case 'ExecutionWaiting':
      return { status: 'waiting', wait_until: event.data.until, waiting_for: event.data.reason, position };
    case 'AttemptFailed': {
      const waiting = { status: 'waiting', wait_until: event.data.retryAt, waiting_for: 'retry' };
      return { ...waiting, ...errorColumns(event.data), position };
    }
    case 'ExecutionCompleted': {
      const output = JSON.stringify(event.data.output);
      return { status: 'completed', output, ...NO_ERROR, ...ended(event.data, recordedAt), position };
    }
    case 'ExecutionFailed':
      return { status: 'failed', ...errorColumns(event.data), ...ended(event.data, recordedAt), position };
    case 'ExecutionCancelled':
      return { status: 'cancelled', ...ended(event.data, recordedAt), position };
    default:
      return null;
  }
}

type Row = ReadModels['executions'];

const NOT_WAITING = { wait_until: null, waiting_for: null };
const NO_ERROR = { error_code: null, error_name: null, error_message: null, error: null, fingerprint: null };

function ended({ durationMs }: { readonly durationMs: number }, at: string): Partial<Row> {
  return { finished_at: at, duration_ms: durationMs, ...NOT_WAITING };
}

function errorColumns({ code, error }: Failure) {
  return {
    error_code: code,
    error_name: error.name,
    error_message: error.message,
    error: JSON.stringify(error),
    fingerprint: fingerprintOf({ code, error }),
  };
}

function requestedRow(request: ExecutionRequest, told: { principal: string; at: string; position: string }) {
  return {
    execution_id: request.executionId,
    task_id: request.task.id,
    task_name: request.task.name,
    task_version: request.task.version,
    status: 'pending',
    attempt: 0,
    mode: null,
    worker: null,
    source: request.source.kind,
    session_id: request.source.sessionId,
    client_info: request.source.clientInfo,
    principal: told.principal,
    priority: request.options.priority,
    trace: request.options.trace ? 1 : 0,
    input: JSON.stringify(request.input),
    output: null,
    error_code: null,
    error_name: null,
    error_message: null,
    error: null,
    fingerprint: null,
    progress: null,
    progress_step: null,
    progress_message: null,
    steps: 0,
    log_lines: 0,
    trace_id: request.traceId,
    parent_id: request.parent?.executionId ?? null,
    original_execution: request.lineage.originalExecution,
    retry_reason: request.lineage.retryReason,
    fork_step: request.fork?.step ?? null,
    metadata: JSON.stringify(request.metadata),
    options: JSON.stringify(request.options),
    requested_at: told.at,
    started_at: null,
    wait_until: request.options.runAt,
    waiting_for: null,
    finished_at: null,
    duration_ms: null,
    position: told.position,
  };
}

/** What an attempt left behind without an outcome: nobody knows whether it happened. Only a resumed one still asks. */
function leftBehind(event: KnownEvent, execution_id: string): readonly RowChange[] {
  if (event.type === 'ExecutionStarted' && event.data.attempt === 1) return [];
  const unknown = (status: string) => update('steps', { execution_id, status }, { status: 'unknown' });
  const stillAsks = event.type === 'ExecutionStarted' && event.data.mode === 'resume';
  return stillAsks ? [unknown('started')] : [unknown('started'), unknown('asked')];
}

export const steps: Projection = {
  name: 'steps',
  version: 2,
  tables: ['steps'],
  types: [
    'StepStarted',
    'StepCompleted',
    'StepInherited',
    'QuestionAnswered',
    'ExecutionStarted',
    'AttemptFailed',
    'ExecutionFailed',
    'ExecutionCancelled',
  ],
  apply: (event, { stream, position }) => {
    if (event.type === 'QuestionAnswered') {
      const { attempt, path } = event.data;
      return [update('steps', { execution_id: idOf(stream), attempt, path }, { status: 'answered' })];
    }
    if (event.type !== 'StepStarted' && event.type !== 'StepCompleted' && event.type !== 'StepInherited') {
      return leftBehind(event, idOf(stream));
    }
    const { attempt, path, kind, name, argsHash } = event.data;
    const row = {
      execution_id: idOf(stream),
      attempt,
      path,
      kind,
      name,
      args_hash: argsHash,
      request: JSON.stringify(event.data.request),
      position,
    };
    if (event.type === 'StepStarted') {
      const { clock } = event.data;
      return [
        upsert('steps', {
          ...row,
          status: kind === 'ask' ? 'asked' : 'started',
          outcome: null,
          turn: null,
          started_at: clock,
          ended_at: null,
        }),
      ];
    }
    const { outcome, startedAt, turn, clock } = event.data;
    const status = outcome.ok ? 'completed' : 'failed';
    return [
      upsert('steps', {
        ...row,
        status,
        outcome: JSON.stringify(outcome),
        turn,
        started_at: startedAt,
        ended_at: clock,
      }),
    ];
  },
};

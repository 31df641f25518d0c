/** Shapes the facts about executions into one row each, and their journal into one row a step. */
import { idOf } from '../src/domain/event.ts';
import { EXECUTION_EVENT_TYPES, type ExecutionRequest, type Failure } from '../src/domain/execution.ts';
import { insert, type Projection, update, upsert } from './projection.ts';

export const executions: Projection = {
  name: 'executions',
  version: 1,
  tables: ['executions'],
  types: [...EXECUTION_EVENT_TYPES, 'ProgressReported', 'LogLineWritten'],
  apply: (event, { stream, position, recordedAt, occurredAt, principal }) => {
    const where = { execution_id: idOf(stream) };
    switch (event.type) {
      case 'ExecutionRequested':
        return [insert('executions', requestedRow(event.data, { principal, at: occurredAt, position }))];
      case 'ExecutionStarted': {
        const { attempt, mode, worker } = event.data;
        const started = attempt === 1 ? { started_at: occurredAt } : {};
        return [
          update('executions', where, {
            status: 'running',
            attempt,
            mode,
            worker,
            wait_until: null,
            waiting_for: null,
            ...started,
            position,
          }),
        ];
      }
      case 'StepCompleted':
        return [update('executions', where, { position }, { steps: 1 })];
      case 'LogLineWritten':
        return [update('executions', where, {}, { log_lines: 1 })];
      case 'ProgressReported': {
        const { progress, step, message } = event.data;
        return [update('executions', where, { progress, progress_step: step, progress_message: message })];
      }
      case 'ExecutionWaiting':
        return [
          update('executions', where, {
            status: 'waiting',
            wait_until: event.data.until,
            waiting_for: event.data.reason,
            position,
          }),
        ];
      case 'AttemptFailed': {
        const { retryAt } = event.data;
        return [
          update('executions', where, {
            status: 'waiting',
            wait_until: retryAt,
            waiting_for: 'retry',
            ...errorColumns(event.data),
            position,
          }),
        ];
      }
      case 'ExecutionCompleted': {
        const { output, durationMs } = event.data;
        const cleared = { error_code: null, error_name: null, error_message: null, error: null };
        return [
          update('executions', where, {
            status: 'completed',
            output: JSON.stringify(output),
            ...cleared,
            finished_at: recordedAt,
            duration_ms: durationMs,
            position,
          }),
        ];
      }
      case 'ExecutionFailed':
        return [
          update('executions', where, {
            status: 'failed',
            ...errorColumns(event.data),
            finished_at: recordedAt,
            duration_ms: event.data.durationMs,
            position,
          }),
        ];
      case 'ExecutionCancelled':
        return [
          update('executions', where, {
            status: 'cancelled',
            finished_at: recordedAt,
            duration_ms: event.data.durationMs,
            wait_until: null,
            waiting_for: null,
            position,
          }),
        ];
      default:
        return [];
    }
  },
};

function errorColumns({ code, error }: Failure) {
  return { error_code: code, error_name: error.name, error_message: error.message, error: JSON.stringify(error) };
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
    progress: null,
    progress_step: null,
    progress_message: null,
    steps: 0,
    log_lines: 0,
    trace_id: request.traceId,
    parent_id: request.parent?.executionId ?? null,
    original_execution: request.lineage.originalExecution,
    retry_reason: request.lineage.retryReason,
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

export const steps: Projection = {
  name: 'steps',
  version: 1,
  tables: ['steps'],
  types: ['StepStarted', 'StepCompleted'],
  apply: (event, { stream, position }) => {
    if (event.type !== 'StepStarted' && event.type !== 'StepCompleted') return [];
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
          status: 'unknown',
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

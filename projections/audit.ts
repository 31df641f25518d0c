/** Shapes every decision and refusal into the audit trail: who did what to which, when. */
import { categoryOf, idOf } from '../src/domain/event.ts';
import type { KnownEvent } from '../src/domain/history.ts';
import { insert, type Projection } from './projection.ts';

export const audit: Projection = {
  name: 'audit',
  version: 3,
  tables: ['audit'],
  types: [
    'TaskCreated',
    'TaskVersionPublished',
    'TaskEnabled',
    'TaskDisabled',
    'TaskDeleted',
    'TaskRestored',
    'ExecutionRequested',
    'ExecutionCompleted',
    'ExecutionFailed',
    'ExecutionCancelRequested',
    'ExecutionCancelled',
    'QuestionAnswered',
    'ReplayStarted',
    'WorkerSessionStarted',
    'WorkerSessionEnded',
    'AccessRefused',
  ],
  apply: (event, stored) => [
    insert('audit', {
      position: stored.position,
      occurred_at: stored.occurredAt,
      principal: stored.principal,
      action: event.type,
      subject: categoryOf(stored.stream),
      subject_id: idOf(stored.stream),
      command_id: stored.commandId,
      correlation_id: stored.correlationId,
      details: JSON.stringify(detailsOf(event)),
    }),
  ],
};

/** Small and free of payloads, so that reading the trail needs no other permission. */
function detailsOf(event: KnownEvent): Readonly<Record<string, unknown>> {
  switch (event.type) {
    case 'TaskCreated':
      return { name: event.data.name };
    case 'TaskVersionPublished':
      return { version: event.data.version, contentHash: event.data.contentHash, source: event.data.source };
    case 'TaskDisabled':
    case 'TaskDeleted':
    case 'ExecutionCancelRequested':
      return { reason: event.data.reason };
    case 'ExecutionRequested': {
      const { task, source } = event.data;
      return {
        task: task.name,
        version: task.version,
        source: source.kind,
        sessionId: source.sessionId,
        clientInfo: source.clientInfo,
      };
    }
    case 'ExecutionFailed':
      return { code: event.data.code, error: event.data.error.name };
    case 'QuestionAnswered':
      return { step: event.data.path };
    case 'ReplayStarted': {
      const { mode, executionId, attempt, code, input, stubs, allowLive } = event.data;
      const patched = { code: code !== null, input: input !== null, stubs, allowLive };
      return { mode, execution: executionId, attempt, ...(mode === 'patched' ? patched : {}) };
    }
    case 'AccessRefused':
      return { operation: event.data.operation, reason: event.data.reason, count: event.data.count };
    default:
      return {};
  }
}
